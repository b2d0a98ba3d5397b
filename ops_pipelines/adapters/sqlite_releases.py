"""Releases and pointers in one SQLite file, safe from several threads and processes.

Each call opens a connection of its own, so that none is shared; each write is one BEGIN IMMEDIATE transaction, so that
reading the last row and appending after it is one step for everybody. Rows are only ever appended: triggers refuse the
rest, and what is read is verified against the digest beside it, since a trigger stops a slip and not an intruder.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_json, short
from ops_pipelines.core.pointer import lost_race
from ops_pipelines.core.release import Evidence, Manifest, Move, Release

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
)
"""What takes the file from each schema version to the next; the number of those done is its `user_version`."""


class SQLiteReleaseStore:
    """The ReleaseStore of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path, self.timeout_seconds = path, timeout_seconds

    def save(self, manifest: Manifest, evidence: Evidence) -> None:
        """Keep a manifest and append evidence to it, both or neither; saving the same pair again changes nothing."""
        row = (manifest.digest, manifest.system, _text(manifest.to_json()))
        proof = (manifest.digest, evidence.digest, _text(evidence.to_json()))
        with self._opened() as connection, _transaction(connection):
            if not _exists(connection, "manifests WHERE digest = ?", row[:1]):
                after = "SELECT ?, ?, coalesce(max(sequence), 0) + 1, ? FROM manifests"
                connection.execute(f"INSERT INTO manifests (digest, system, sequence, content) {after}", row)
            if not _exists(connection, "evidence WHERE release = ? AND digest = ?", proof[:2]):
                after = "SELECT ?, ?, coalesce(max(sequence), 0) + 1, ? FROM evidence WHERE release = ?"
                connection.execute(
                    f"INSERT INTO evidence (release, digest, sequence, content) {after}", (*proof, proof[0])
                )

    def releases(self, system: str) -> tuple[Release, ...]:
        """Every release of a system in the order of first saving; DataError where a row was edited."""
        query = (
            "SELECT m.digest, m.content, e.digest, e.content FROM manifests m JOIN evidence e ON e.release = m.digest "
            "WHERE m.system = ? ORDER BY m.sequence, e.sequence"
        )
        manifests: dict[str, Manifest] = {}
        evidence: dict[str, list[Evidence]] = {}
        with self._opened() as connection:
            rows = connection.execute(query, (system,)).fetchall()
        for digest, content, proof_digest, proof in rows:
            if digest not in manifests:
                manifests[digest] = Manifest.from_json(self._verified("manifest", digest, content))
            found = Evidence.from_json(self._verified("evidence", proof_digest, proof))
            evidence.setdefault(digest, []).append(found)
        return tuple(Release(manifest, tuple(evidence[digest])) for digest, manifest in manifests.items())

    def append(self, move: Move) -> None:
        """Add a row after the one it names in `previous`; LostRace where another row came first."""
        pointer = (move.system, move.environment)
        query = "SELECT sequence, hash FROM moves WHERE system = ? AND environment = ? ORDER BY sequence DESC LIMIT 1"
        row = (*pointer, move.sequence, _text(move.to_json()), move.hash)
        with self._opened() as connection, _transaction(connection):
            sequence, last = connection.execute(query, pointer).fetchone() or (0, "")
            if (move.sequence, move.previous) != (sequence + 1, last):
                raise lost_race(move)
            connection.execute(
                "INSERT INTO moves (system, environment, sequence, content, hash) VALUES (?, ?, ?, ?, ?)", row
            )

    def history(self, system: str, environment: str) -> tuple[Move, ...]:
        """A pointer's moves, oldest first; DataError where a row was edited."""
        query = "SELECT hash, content FROM moves WHERE system = ? AND environment = ? ORDER BY sequence"
        with self._opened() as connection:
            rows = connection.execute(query, (system, environment)).fetchall()
        return tuple(Move.from_json(self._verified("move", digest, content)) for digest, content in rows)

    def _verified(self, kind: str, digest: str, content: str) -> Any:
        try:
            record = json.loads(content)
        except ValueError:
            record = None
        if digest_json(record) != digest:
            raise DataError(
                f"The {kind} {short(digest)} in {self.path} was edited: its content has another digest",
                expected="rows as they were appended",
                action="Restore the file from a backup",
                file=str(self.path),
                digest=digest,
            )
        return record

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
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

    def _migrate(self, connection: sqlite3.Connection) -> None:
        self._refuse_foreign(connection)
        _use_write_ahead_log(connection, give_up_at=time.monotonic() + self.timeout_seconds)
        with _transaction(connection):
            for migration in _MIGRATIONS[_pragma(connection, "user_version") :]:  # read again: others migrate too
                for statement in _statements(migration):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    def _refuse_foreign(self, connection: sqlite3.Connection) -> None:
        version = _pragma(connection, "user_version")
        fresh = version == 0 and not _exists(connection, "sqlite_schema", ())
        if fresh or (_is_ours(connection) and version <= len(_MIGRATIONS)):
            return
        raise DataError(
            f"{self.path} is a database of another program, or of a newer version of this one (schema {version})",
            expected=f"a control database of schema {len(_MIGRATIONS)} or older",
            action="Upgrade ops-pipelines, or point OPS_HOME at another folder; nothing was changed",
            file=str(self.path),
            schema=version,
        )


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and nobody else writes meanwhile: the lock is taken before the first read."""
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


def _exists(connection: sqlite3.Connection, rows: str, values: tuple[str, ...]) -> bool:
    return connection.execute(f"SELECT 1 FROM {rows} LIMIT 1", values).fetchone() is not None


def _text(record: Any) -> str:
    return canonical_json(record).decode()
