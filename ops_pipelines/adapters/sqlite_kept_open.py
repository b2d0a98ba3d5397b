"""A SQLite file of ours that is written to many times a second: its connections are kept open, one a thread.

Where another file lies at the path by now, or none, the next use opens it anew. The folder is made at the first write,
and no home: one that was moved away would leave an empty one in its place.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ops_pipelines.adapters.sqlite_file import SQLiteFile
from ops_pipelines.core.errors import DataError


class KeptOpen:
    """The connections to one file; DataError where it cannot be used."""

    def __init__(self, file: SQLiteFile) -> None:
        self._file, self._path, self._own = file, os.fspath(file.path), threading.local()
        self._writing = threading.Lock()

    @contextmanager
    def use(self, *, to_write: bool = False) -> Iterator[sqlite3.Connection]:
        """The connection of this thread; it is opened anew where the file was replaced, and after any complaint."""
        if not self._is_open():
            if to_write:
                self._make_folder()
            self._close()
            self._own.connection = self._file.connect()
            self._own.file, self._own.durable = _identity(self._path), None
        try:
            with self._file.complaints():
                yield self._own.connection
        except DataError:
            self._close()
            raise

    @contextmanager
    def use_to_write(self, *, durable: bool = True) -> Iterator[sqlite3.Connection]:
        """The connection of this thread to a file that is made where it is not there yet, for one writer at a time.

        Without `durable` a power cut may take back what is written, and the death of this process does not. Threads wait for
        each other here: SQLite would have each look again after a sleep, of milliseconds and more.
        """
        with self._writing, self.use(to_write=True) as connection:
            if self._own.durable != durable:
                connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._own.durable = durable
            yield connection

    def _is_open(self) -> bool:
        """Whether this thread has a connection to the file that lies at the path."""
        return getattr(self._own, "connection", None) is not None and self._own.file == _identity(self._path)

    def _make_folder(self) -> None:
        try:
            self._file.path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise DataError(
                f"The folder of the {self._file.kind} {self._file.path} cannot be made: {error}",
                expected="a home that is there and may be written",
                action="Bring the home back, or point OPS_HOME at another one",
                file=str(self._file.path),
            ) from error

    def _close(self) -> None:
        connection = getattr(self._own, "connection", None)
        self._own.file = self._own.connection = None
        if connection is not None:
            connection.close()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
