"""Bytes by their sha256: models, definitions, lock files. What a manifest names is found here or nowhere.

Whoever puts bytes that are kept already makes them new again, under a lock that whoever deletes holds alone: so nothing is
deleted as old in the moment in which a new release begins to name it.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.errors import ArtefactError
from ops_pipelines.core.fingerprint import digest_bytes, short


class ObjectStore:
    """Immutable contents under one folder, each at `<first two digits>/<digest>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, content: bytes) -> str:
        """Keep some bytes; their digest. Keeping them again changes nothing, and mends bytes that were damaged."""
        digest = digest_bytes(content)
        with self._locked(fcntl.LOCK_SH):
            if self.has(digest) and digest_bytes(self._file(digest).read_bytes()) == digest:
                os.utime(self._file(digest))
            else:
                with written_aside(self._file(digest)) as aside:
                    aside.write_bytes(content)
        return digest

    def files(self) -> Iterator[Path]:
        """The file of each object, its digest the name; what a writer left half done is not among them."""
        yield from (file for file in sorted(self.root.glob("??/*")) if not file.name.startswith("."))

    def remove(self, digest: str, *, before: datetime) -> bool:
        """Delete an object; whether it was there and nobody has put it since `before`."""
        with self._locked(fcntl.LOCK_EX):
            file = self._file(digest)
            if not file.is_file() or file.stat().st_mtime >= before.timestamp():
                return False
            file.unlink()
        return True

    def has(self, digest: str) -> bool:
        """Whether the bytes of a digest are kept."""
        return self._file(digest).is_file()

    def get(self, digest: str) -> bytes:
        """The bytes of a digest, verified; ArtefactError where they are missing or are not those bytes."""
        if not self.has(digest):
            raise ArtefactError(
                f"The object {short(digest)} is not in {self.root}",
                expected="every part of a release to be kept",
                action="Restore it from a backup, or train the release again",
                digest=digest,
            )
        content = self._file(digest).read_bytes()
        if digest_bytes(content) != digest:
            raise ArtefactError(
                f"The object {short(digest)} was changed: its bytes have the digest {short(digest_bytes(content))}",
                expected="the bytes that the release was gated with",
                action="Restore it from a backup, or roll back to another release; it was not loaded",
                digest=digest,
            )
        return content

    def size(self, digest: str) -> int | None:
        """How many bytes are kept under a digest; None where none are."""
        try:
            return self._file(digest).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str) -> bytes | None:
        """The bytes that are kept under a digest as they are, verified by nobody; None where none are."""
        try:
            return self._file(digest).read_bytes()
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Holds the folder, shared or alone; whoever dies lets go of it."""
        self.root.mkdir(parents=True, exist_ok=True)
        opened = os.open(self.root, os.O_RDONLY)
        try:
            fcntl.flock(opened, how)
            yield
        finally:
            os.close(opened)

    def _file(self, digest: str) -> Path:
        return self.root / digest[:2] / digest
