"""One SQLite file of ours: made at its first use, taken to its latest schema, and told apart from another program's.

It is safe from several threads and processes. A migration happens in one transaction that takes the lock first, so of
two processes that come at once one migrates and the other finds it done.
"""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from ops_pipelines.core.errors import DataError


class SQLiteFile:
    """A file of one kind. DataError where it is not one of ours, is of a newer version, or cannot be used.

    `application_id` marks it, so that no other program's database is migrated by mistake. `migrations` take it from each
    schema version to the next, and the number of those done is its `user_version`: one that was released is never edited.
    Without `create` a file that is not there, or is empty, is an error and stays so: whoever only reads, and would come
    upon a file that somebody has just moved away, must not put an empty one in its place.
    """

    kind = "database"
    application_id = 0
    migrations: Sequence[str] = ()

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, create: bool = True) -> None:
        self.path, self.timeout_seconds, self.create = path, timeout_seconds, create

    def connect(self) -> sqlite3.Connection:
        """A connection to the file at its latest schema, which the caller closes; transactions are the caller's to begin."""
        with self.complaints():
            address = f"{self.path.absolute().as_uri()}?mode={'rwc' if self.create else 'rw'}"
            connection = sqlite3.connect(address, uri=True, timeout=self.timeout_seconds, isolation_level=None)
            try:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                if _pragma(connection, "user_version") != len(self.migrations) or not self._is_ours(connection):
                    self._migrate(connection)
            except BaseException:
                connection.close()
                raise
            return connection

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """A connection for one use; what SQLite has to complain about becomes a DataError."""
        if self.create:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.complaints(), closing(self.connect()) as connection:
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """An opened connection whose writes are kept all or none, while nobody else writes; DataError as `opened`."""
        with self.opened() as connection, all_or_nothing(connection):
            yield connection

    @contextmanager
    def complaints(self) -> Iterator[None]:
        """Makes a DataError of what SQLite complains about."""
        try:
            yield
        except sqlite3.Error as error:
            raise DataError(
                f"The {self.kind} {self.path} cannot be used: {error}",
                expected="a SQLite file that this package made, which this process may write",
                action="Restore it from a backup, or point OPS_HOME at another folder; if it is locked, try again",
                file=str(self.path),
            ) from error

    def _migrate(self, connection: sqlite3.Connection) -> None:
        self._refuse_foreign(connection)
        _use_write_ahead_log(connection, give_up_at=time.monotonic() + self.timeout_seconds)
        with all_or_nothing(connection):
            self._refuse_foreign(connection)  # again, and the version too: others migrate meanwhile
            for migration in self.migrations[_pragma(connection, "user_version") :]:
                for statement in _statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {self.application_id}")
            connection.execute(f"PRAGMA user_version = {len(self.migrations)}")

    def _refuse_foreign(self, connection: sqlite3.Connection) -> None:
        version, known = _pragma(connection, "user_version"), len(self.migrations)
        fresh = self.create and version == 0 and not has_row(connection, "sqlite_schema", ())
        if fresh or (self._is_ours(connection) and version <= known):
            return
        raise DataError(
            f"{self.path} is a database of another program, or of a newer version of this one (schema {version})",
            expected=f"a {self.kind} of schema {known} or older",
            action="Upgrade ops-pipelines, or point OPS_HOME at another folder; nothing was changed",
            file=str(self.path),
            schema=version,
        )

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        return _pragma(connection, "application_id") == self.application_id


def has_row(connection: sqlite3.Connection, rows: str, values: tuple[str, ...]) -> bool:
    """Whether there is a row; `rows` is what follows FROM, its placeholders filled with the values."""
    return connection.execute(f"SELECT 1 FROM {rows} LIMIT 1", values).fetchone() is not None


@contextmanager
def all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that takes the lock before its first read."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # SQLite rolls back by itself where the disk is full
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _use_write_ahead_log(connection: sqlite3.Connection, *, give_up_at: float) -> None:
    """Readers then never wait for a writer. SQLite does not wait for this switch, so two first callers have to."""
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)


def _statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: `executescript` would commit the transaction around them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
