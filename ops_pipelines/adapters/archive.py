"""Some named bytes as one: a zip archive without dates, so that equal entries are equal bytes, read only in memory."""

import io
import re
import zipfile
from collections.abc import Mapping

_EPOCH = (1980, 1, 1, 0, 0, 0)
_NAME = re.compile(r"[\w][\w.+-]*(/[\w][\w.+-]*)*")


def pack(entries: Mapping[str, bytes]) -> bytes:
    """The entries in the order of their names, dated alike and not compressed: zlib's output differs between builds."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(entries):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system, info.external_attr = 3, 0o600 << 16
            archive.writestr(info, entries[name])
    return buffer.getvalue()


def unpack(content: bytes) -> dict[str, bytes]:
    """What `pack` was given; ValueError for any other bytes.

    So also for an entry whose name leads out of a folder, for one that is compressed, and for a second one of a name.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for info in archive.infolist():
                if not _NAME.fullmatch(info.filename):
                    raise ValueError(f"an entry is named {info.filename!r}")
                if info.compress_type != zipfile.ZIP_STORED:
                    raise ValueError(f"{info.filename!r} is compressed")
            entries = {name: archive.read(name) for name in archive.namelist()}
    # zipfile's own words for what it cannot read: a later version of the format is NotImplementedError, an encrypted entry
    # RuntimeError.
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(str(error)) from error
    if pack(entries) != content:
        raise ValueError("they are an archive of another form")
    return entries
