"""The lake: one Parquet file for each accepted partition of each asset, its record inside the file.

    lake/<asset>/<partition>/data.parquet      the last good content, with its Artefact in the file's metadata
    lake/<asset>/<partition>/refused.parquet   content that came later and was not passed, likewise
    lake/<asset>/<partition>/decision.json     what a person decided about a refused content
    lake/<asset>/<partition>/replaced/*.json   the records, by digest, of good contents that lay there before

Data and record are one file, written aside and renamed, so that neither is ever seen without the other. Readers read
data.parquet only: what was refused reaches nobody, and the last good content stays.

Of the runs that write one partition, the one that began last wins, whoever writes first: a run that was given up for dead
and goes on all the same (dagster#17403) cannot put its old content over that of the run that took its place. When a run
began is kept in the file, and is compared while the partition's folder is locked.
"""

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError, NoAcceptedData
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.lineage import STATIC, Artefact, address
from ops_pipelines.core.verdict import Passed, name_of, reasons_of

if TYPE_CHECKING:
    import pyarrow as pa

_RECORD, _BEGAN = b"ops.artefact", b"ops.began"
DATA, REFUSED, RECORD = "data", "refused", "record"
"""What the files of a partition hold: its good content, a refused one, and the record of a replaced one."""
_GOOD, _REFUSED, _DECISION, _REPLACED = "data.parquet", "refused.parquet", "decision.json", "replaced"


class Lake:
    """Published tables by asset key and partition, under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def publish(self, table: "pa.Table", artefact: Artefact, *, began: datetime | None = None) -> Path:
        """Write a table with its record: as the good content where its verdict is Passed, else as the refused one.

        `began` is when the writing run did, by the wall clock; DataError, and nothing is written, where a run that began
        later has written this partition. Without it nothing is compared.
        """
        import pyarrow.parquet as pq

        folder = self._folder(artefact.key, artefact.partition)
        good = isinstance(artefact.verdict, Passed)
        target = folder / (_GOOD if good else _REFUSED)
        metadata = {_RECORD: canonical_json(artefact.to_json())}
        if began:
            metadata[_BEGAN] = utc(began).isoformat().encode()
        with _locked(folder):
            if began:
                _check_not_late(folder, artefact, utc(began))
            if good:
                _keep_record(folder, artefact.digest)
            with written_aside(target) as aside:
                pq.write_table(table.replace_schema_metadata(metadata), aside, compression="zstd")
            if good:
                # A crash just before this line leaves the refused content in front: shut, and open after the next run.
                (folder / _REFUSED).unlink(missing_ok=True)
        return target

    def good(self, key: str, partition: str | None = None) -> Artefact | None:
        """The record of the last accepted content; None where none was ever accepted."""
        return _record(self.file(key, partition))

    def latest(self, key: str, partition: str | None = None) -> Artefact | None:
        """The record of what was written last, accepted or not; None where nothing was ever written."""
        return _record(self._folder(key, partition) / _REFUSED) or self.good(key, partition)

    def accepted(self, key: str, partition: str | None = None) -> Artefact:
        """The record of what was written last, where it passed; NoAcceptedData that says why where it did not."""
        latest = self.latest(key, partition)
        if latest is None or not isinstance(latest.verdict, Passed):
            raise self._nothing(key, partition)
        return latest

    def read(self, key: str, partition: str | None = None) -> "pa.Table":
        """The last accepted content; NoAcceptedData that says why where there is none."""
        import pyarrow.parquet as pq

        if self.good(key, partition) is None:
            raise self._nothing(key, partition)
        return pq.ParquetFile(self.file(key, partition)).read().replace_schema_metadata(None)

    def row(self, key: str, partition: str, *, column: str, value: str, take: Sequence[str]) -> dict[str, Any] | None:
        """Some columns of the first accepted row whose `column` has a value; None for no such row, or no such content."""
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        if not self.file(key, partition).is_file():
            return None
        file = pq.ParquetFile(self.file(key, partition))
        for group in range(file.num_row_groups):
            read = partial(file.read_row_group, group, use_threads=False)
            at = pc.index(read(columns=[column]).column(column), value).as_py()
            if at >= 0:
                found: dict[str, Any] = read(columns=list(take)).slice(at, 1).to_pylist()[0]
                return found
        return None

    def replaced(self, key: str, partition: str, digest: str) -> Artefact | None:
        """The record of a good content that lay there before; None where no such content was replaced."""
        file = self._folder(key, partition) / _REPLACED / f"{digest}.json"
        return Artefact.from_json(json.loads(file.read_text())) if file.is_file() else None

    def history(self, key: str, partition: str | None = None) -> list[Artefact]:
        """The records of every content that was ever accepted there, as far as they are kept, the oldest first."""
        kept = self._folder(key, partition) / _REPLACED
        records = [Artefact.from_json(json.loads(file.read_text())) for file in kept.glob("*.json")]
        good = self.good(key, partition)
        return sorted([*records, *([good] if good else [])], key=lambda made: made.origin.at)

    def stored(self) -> Iterator[tuple[str, Artefact, Path]]:
        """Each file that holds a content or what is left of one: what it holds, its record, and where it lies."""
        kinds = {_GOOD: DATA, _REFUSED: REFUSED}
        for file in sorted(self.root.rglob("*.parquet")):
            if file.name in kinds and (made := _record(file)):
                yield kinds[file.name], made, file
        for file in sorted(self.root.rglob(f"{_REPLACED}/*.json")):
            yield RECORD, Artefact.from_json(json.loads(file.read_text())), file

    def remove(self, key: str, partition: str, *, kind: str, digest: str, before: datetime) -> bool:
        """Delete one file of a partition; whether it was there with this digest, and not written since `before`.

        A partition of which no content is left loses what was decided about it, and its folder where that is empty then.
        """
        folder = self._folder(key, partition)
        names = {DATA: _GOOD, REFUSED: _REFUSED, RECORD: f"{_REPLACED}/{digest}.json"}
        file = folder / names[kind]
        if not file.is_file():
            return False
        with _locked(folder):
            if not _is_older(file, before) or (kind != RECORD and getattr(_record(file), "digest", "") != digest):
                return False
            file.unlink()
            _tidy(folder)
        return True

    def addresses(self) -> Iterator[str]:
        """Every `key@partition` at which something was written, accepted or not."""
        folders = {file.parent for file in self.root.rglob("*.parquet")}
        for folder in sorted(folders):
            yield address(folder.parent.relative_to(self.root).as_posix(), folder.name)

    def partitions(self, key: str) -> list[str]:
        """The partitions that have accepted content, in order."""
        folder = self.root / key
        return sorted(file.parent.name for file in folder.glob(f"*/{_GOOD}"))

    def systems_with(self, part: str) -> list[str]:
        """The systems that have accepted content in their asset of this name, in order."""
        folders = {file.parents[2] for file in self.root.glob(f"*/{part}/*/{_GOOD}")}
        return sorted(folder.name for folder in folders)

    def is_written(self, key: str, partition: str | None = None) -> bool:
        """Whether anything was ever written there, accepted or not."""
        folder = self._folder(key, partition)
        return (folder / _GOOD).is_file() or (folder / _REFUSED).is_file()

    def is_static(self, key: str) -> bool:
        """Whether an asset was written as a whole, without partitions."""
        return (self.root / key / STATIC).is_dir()

    def file(self, key: str, partition: str | None = None) -> Path:
        """Where the accepted content of a partition lies, or would."""
        return self._folder(key, partition) / _GOOD

    def decide(self, key: str, partition: str | None, decision: dict[str, Any]) -> None:
        """Keep what a person decided about the content that was written last."""
        with written_aside(self._folder(key, partition) / _DECISION) as aside:
            aside.write_bytes(canonical_json(decision))

    def decision(self, key: str, partition: str | None = None) -> dict[str, Any] | None:
        """What a person decided about a partition; None where nobody did."""
        file = self._folder(key, partition) / _DECISION
        return json.loads(file.read_text()) if file.is_file() else None

    def _folder(self, key: str, partition: str | None) -> Path:
        return self.root / key / (partition or STATIC)

    def _nothing(self, key: str, partition: str | None) -> NoAcceptedData:
        refused = self.latest(key, partition)
        why = (
            f"was {name_of(refused.verdict)}: {'; '.join(reasons_of(refused.verdict))}"
            if refused
            else "was never written"
        )
        return NoAcceptedData(
            f"{address(key, partition)} {why}",
            expected="a partition whose verdict is passed",
            action=f"Materialize {key} again for {partition or 'the whole dataset'}",
            key=key,
            partition=partition,
        )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a partition's folder for one writer; a writer that dies lets go of it."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _check_not_late(folder: Path, artefact: Artefact, began: datetime) -> None:
    """Raises DataError where what lies there, accepted or refused, is of a run that began later."""
    for file in (folder / _GOOD, folder / _REFUSED):
        text = _metadata(file).get(_BEGAN)
        if text and (later := datetime.fromisoformat(text.decode())) > began:
            raise DataError(
                f"{artefact.address} was written by a run that began at {later:%Y-%m-%d %H:%M:%S}, and run "
                f"{artefact.origin.run_id} began before it, at {began:%Y-%m-%d %H:%M:%S}: its late write is refused",
                expected="that the run that began last writes a partition last",
                action="Nothing is lost: what the later run wrote stays. Materialize again for other content",
                address=artefact.address,
                run=artefact.origin.run_id,
            )


def _is_older(file: Path, before: datetime) -> bool:
    """Whether a file is there and was written before an instant."""
    return file.is_file() and file.stat().st_mtime < before.timestamp()


def _tidy(folder: Path) -> None:
    """Removes what is left of a partition without content: the decision about it, and folders that are empty."""
    if not any((folder / name).is_file() for name in (_GOOD, _REFUSED)):
        (folder / _DECISION).unlink(missing_ok=True)
    for empty in (folder / _REPLACED, folder):
        with contextlib.suppress(OSError):  # it is not there, or something is in it
            empty.rmdir()


def _keep_record(folder: Path, digest: str) -> None:
    """Keeps the record of the good content that is about to be replaced: what was made from it can still say so."""
    before = _record(folder / _GOOD)
    if before and before.digest != digest:
        with written_aside(folder / _REPLACED / f"{before.digest}.json") as aside:
            aside.write_bytes(canonical_json(before.to_json()))


def _record(file: Path) -> Artefact | None:
    """The record in a file, from memory where this very file was read before: it is replaced and never written to."""
    try:
        found = file.stat()
    except OSError:
        return None
    return _record_of(file, (found.st_ino, found.st_mtime_ns, found.st_size)) if stat.S_ISREG(found.st_mode) else None


@lru_cache(maxsize=4_096)
def _record_of(file: Path, _version: tuple[int, int, int]) -> Artefact:
    record = _metadata(file).get(_RECORD)
    if record is None:
        raise DataError(
            f"{file} carries no record of how it was made",
            expected="a file that the lake wrote",
            action="Delete this file and materialize the partition again",
            file=str(file),
        )
    return Artefact.from_json(json.loads(record))


def _metadata(file: Path) -> dict[bytes, bytes]:
    """The metadata of a Parquet file; empty where there is no file, DataError where it is not whole."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not file.is_file():
        return {}
    try:
        return pq.read_metadata(file).metadata or {}
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{file} is not a whole Parquet file: {error}",
            expected="a file that the lake wrote",
            action="Delete this file and materialize the partition again",
            file=str(file),
        ) from error
