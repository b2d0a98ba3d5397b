"""The one SQLite file of a home, `control.db`: safe from several threads and processes, and shared by several stores.

Each use opens a connection of its own, so that none is shared; each write is one BEGIN IMMEDIATE transaction, so that
reading the last row and appending after it is one step for everybody. Rows are only ever appended: triggers refuse the
rest, and what is read is verified against the digest beside it, since a trigger stops a slip and not an intruder.

A store brings its queries; the tables of all of them are made here, so that a file has one schema version.
"""

import json
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes, short

_APPLICATION_ID = 0x6F707321


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
    CREATE TABLE canaries (
        system TEXT NOT NULL, environment TEXT NOT NULL, sequence INTEGER NOT NULL,
        event TEXT NOT NULL CHECK (event IN ('begun', 'ended')), content TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (system, environment, sequence)
    ) STRICT, WITHOUT ROWID;
    {_append_only("canaries", "(system, environment, sequence) = (NEW.system, NEW.environment, NEW.sequence)")}
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
"""What takes the file from each schema version to the next. Files in use have passed through them: a change is one more."""


class ControlDatabase(SQLiteFile):
    """The control file of a home."""

    kind = "control database"
    application_id = _APPLICATION_ID
    migrations = _MIGRATIONS

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
