"""The one SQLite file of a home, `control.db`: safe from several threads and processes, and shared by several stores.

Each use opens a connection of its own, so that none is shared; each write is one BEGIN IMMEDIATE transaction, so that
reading the last row and appending after it is one step for everybody. Rows are only ever appended: triggers refuse the
rest, and what is read is verified against the digest beside it, since a trigger stops a slip and not an intruder.

A store brings its queries; the tables of all of them are made here, so that a file has one schema version.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes, short

_APPLICATION_ID = 0x6F707321
"""Marks the file as ours, so that no other program's database is migrated by mistake."""


def _append_only(table: str, row_exists: str) -> str:
    """Triggers that leave INSERT of a new row as the only way to change a table; REPLACE would delete without asking."""
    return f"""
        CREATE TRIGGER {table}_never_change BEFORE UPDATE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table}: rows are appended and never changed'); END;
        CREATE TRIGGER {table}_never_vanish BEFORE DELETE ON {table}
            BEGIN SELECT RAISE(ABORT, '{table}: rows are appended and never deleted'); END;
        CREATE TRIGGER {table}_never_replaced BEFORE INSERT ON {table}
            WHEN EXISTS (SELECT 1 FROM {table} WHERE {row_exists})
            BEGIN SELECT RAISE(ABORT, '{table}: rows are appended and never replaced'); END;
        """


_MIGRATIONS = (
    f"""
    CREATE TABLE manifests (
        digest TEXT PRIMARY KEY, system TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE, content TEXT NOT NULL
    ) STRICT;
    CREATE TABLE evidence (
        release TEXT NOT NULL REFERENCES manifests (digest), digest TEXT NOT NULL, sequence INTEGER NOT NULL,
        content TEXT NOT NULL, PRIMARY KEY (release, digest), UNIQUE (release, sequence)
    ) STRICT;
    CREATE TABLE moves (
        system TEXT NOT NULL, environment TEXT NOT NULL, sequence INTEGER NOT NULL, content TEXT NOT NULL,
        hash TEXT NOT NULL, PRIMARY KEY (system, environment, sequence)
    ) STRICT;
    {_append_only("manifests", "digest = NEW.digest OR sequence = NEW.sequence")}
    {_append_only("evidence", "release = NEW.release AND (digest = NEW.digest OR sequence = NEW.sequence)")}
    {_append_only("moves", "(system, environment, sequence) = (NEW.system, NEW.environment, NEW.sequence)")}
    """,
    # Without a rowid, which is one more key by which REPLACE could delete a row and which no trigger would look at.
    f"""
    CREATE TABLE retraining (
        key TEXT PRIMARY KEY, system TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE, content TEXT NOT NULL,
        digest TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    {_append_only("retraining", "key = NEW.key OR sequence = NEW.sequence")}
    """,
    f"""
    CREATE TABLE training_steps (
        key TEXT PRIMARY KEY, system TEXT NOT NULL, sequence INTEGER NOT NULL UNIQUE, content TEXT NOT NULL,
        digest TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    {_append_only("training_steps", "key = NEW.key OR sequence = NEW.sequence")}
    """,
    f"""
    CREATE TABLE audit (sequence INTEGER PRIMARY KEY, content TEXT NOT NULL, hash TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE principals (
        sequence INTEGER PRIMARY KEY, name TEXT NOT NULL, token_digest TEXT NOT NULL, content TEXT NOT NULL,
        digest TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX principals_by_token ON principals (token_digest);
    {_append_only("audit", "sequence = NEW.sequence")}
    {_append_only("principals", "sequence = NEW.sequence")}
    """,
)
"""What takes the file from each schema version to the next; the number of those done is its `user_version`.

Files in use have passed through them, so one that was released is never edited: a change is one more.
"""


class ControlDatabase:
    """A control file, which is made at the first use. DataError where the file is not one of ours or cannot be used."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path, self.timeout_seconds = path, timeout_seconds

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        """A connection to the file at its latest schema; what SQLite has to complain about becomes a DataError."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(
                sqlite3.connect(self.path, timeout=self.timeout_seconds, isolation_level=None)  # BEGIN is ours to say
            ) as connection:
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                if _pragma(connection, "user_version") != len(_MIGRATIONS) or not _is_ours(connection):
                    self._migrate(connection)
                yield connection
        except sqlite3.DatabaseError as error:
            raise DataError(
                f"The control database {self.path} cannot be used: {error}",
                expected="a SQLite file that this package made, which this process may write",
                action="Restore it from a backup, or point OPS_HOME at another folder; if it is locked, try again",
                file=str(self.path),
            ) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """An opened connection whose writes are kept all or none, while nobody else writes; DataError as `opened`."""
        with self.opened() as connection, _all_or_nothing(connection):
            yield connection

    def verified(self, kind: str, digest: str, content: str, **columns: str) -> Any:
        """The record in a row's content; DataError where the content has another digest, or the columns other values."""
        record = json.loads(content) if digest_bytes(content.encode()) == digest else None
        if record is None or any(record[name] != value for name, value in columns.items()):
            raise DataError(
                f"The {kind} {short(digest)} in {self.path} was edited: its content disagrees with its digest or its columns",
                expected="rows as they were appended",
                action="Restore the file from a backup",
                file=str(self.path),
                digest=digest,
            )
        return record

    def _migrate(self, connection: sqlite3.Connection) -> None:
        self._refuse_foreign(connection)
        _use_write_ahead_log(connection, give_up_at=time.monotonic() + self.timeout_seconds)
        with _all_or_nothing(connection):
            self._refuse_foreign(connection)  # again, and the version too: others migrate meanwhile
            for migration in _MIGRATIONS[_pragma(connection, "user_version") :]:
                for statement in _statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _refuse_foreign(self, connection: sqlite3.Connection) -> None:
        version = _pragma(connection, "user_version")
        fresh = version == 0 and not has_row(connection, "sqlite_schema", ())
        if fresh or (_is_ours(connection) and version <= len(_MIGRATIONS)):
            return
        raise DataError(
            f"{self.path} is a database of another program, or of a newer version of this one (schema {version})",
            expected=f"a control database of schema {len(_MIGRATIONS)} or older",
            action="Upgrade ops-pipelines, or point OPS_HOME at another folder; nothing was changed",
            file=str(self.path),
            schema=version,
        )


def has_row(connection: sqlite3.Connection, rows: str, values: tuple[str, ...]) -> bool:
    """Whether there is a row; `rows` is what follows FROM, its placeholders filled with the values."""
    return connection.execute(f"SELECT 1 FROM {rows} LIMIT 1", values).fetchone() is not None


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
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


def _is_ours(connection: sqlite3.Connection) -> bool:
    return _pragma(connection, "application_id") == _APPLICATION_ID


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
