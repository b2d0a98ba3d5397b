"""Whether anything was written to control.db since the last look, in microseconds, and without ever writing to it.

A server asks this several times a second. A file that is gone, locked, or no control database any more is an error and
not an empty one: whoever opens the store to read would otherwise make a new file in the place of the lost one.
"""

import sqlite3
from pathlib import Path

from ops_pipelines.core.errors import DataError


class PointerWatch:
    """Looks at one control.db; used by one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int, int, int] | None = None
        self._version: int | None = None

    def has_changed(self) -> bool:
        """Whether it was written, or replaced, since this was last asked; True at first and after an error.

        DataError where the file is not there or cannot be read; the next look begins anew.
        """
        try:
            self._follow()
            version = self._read("data_version")
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise DataError(
                f"The release store {self.path} cannot be read: {error}",
                expected="the control database from which the live release is read",
                action="Nothing stops: what is live goes on answering. Bring the file back",
                file=str(self.path),
            ) from error
        changed, self._version = version != self._version, version
        return changed

    def close(self) -> None:
        """Lets go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._file, self._version = None, None, None

    def _follow(self) -> None:
        """Opens the file, anew where another one lies there by now, or other bytes in the same one.

        A backup that was copied over it leaves a connection reading the log of the file that it has replaced. Writers
        append to that log beside the file, so that the file itself changes now and then only.
        """
        found = self.path.stat()
        lies_there = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
        if self._file != lies_there:
            self.close()
            self._connection = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.1)
            if not self._read("user_version") or not self._read("application_id"):
                raise sqlite3.DatabaseError("it holds no releases")
            self._file = lies_there

    def _read(self, pragma: str) -> int:
        assert self._connection is not None
        return int(self._connection.execute(f"PRAGMA {pragma}").fetchone()[0])
