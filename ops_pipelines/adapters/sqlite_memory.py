"""The memories of a home's agents: one SQLite file, in which each change has its version and none is ever altered."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_instants import instant_of, micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.memory import Change, MemoryScope, lost_race
from ops_pipelines.core.errors import DataError

_OF_SCOPE = "tenant = ? AND agent = ? AND run = ?"


class _File(SQLiteFile):
    kind = "memory store"
    application_id = 0x6F70736D
    migrations = (
        """
        CREATE TABLE changes (
            tenant TEXT NOT NULL, agent TEXT NOT NULL, run TEXT NOT NULL, version INTEGER NOT NULL, key TEXT NOT NULL,
            value TEXT NOT NULL, writer TEXT NOT NULL, source TEXT NOT NULL, at INTEGER NOT NULL, by_run TEXT NOT NULL,
            by_step TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (tenant, agent, run, version)
        ) STRICT;
        """,
    )


class SQLiteMemoryStore:
    """The MemoryStore of one file, which is made at the first change; DataError where it cannot be used."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def append(self, scope: MemoryScope, changes: Sequence[Change], *, expected: int | None = None) -> int:
        """Keep changes, all or none; the version after them, LostRace where the one before them is not as expected."""
        rows = [_row(change) for change in changes]
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            before = _version(connection, scope)
            if expected is not None and before != expected:
                raise lost_race(scope, expected, before)
            connection.executemany(
                f"INSERT INTO changes VALUES ({', '.join('?' * 12)})",
                [(*_key(scope), version, *row) for version, row in enumerate(rows, start=before + 1)],
            )
        return before + len(rows)

    def changes(self, scope: MemoryScope, upto: int | None = None) -> tuple[Change, ...]:
        """The changes of one scope in order; none where there is no file."""
        if not self.path.is_file():
            return ()
        query = f"SELECT key, value, writer, source, at, by_run, by_step, reason FROM changes WHERE {_OF_SCOPE}"
        bound = "" if upto is None else f" AND version <= {int(upto)}"
        with self._kept.use() as connection:
            return tuple(map(_change, connection.execute(f"{query}{bound} ORDER BY version", _key(scope))))

    def scopes(self, tenant: str = "") -> tuple[MemoryScope, ...]:
        """The scopes of a tenant, or all, sorted; none where there is no file."""
        if not self.path.is_file():
            return ()
        with self._kept.use() as connection:
            query = (
                "SELECT DISTINCT tenant, agent, run FROM changes WHERE ? IN ('', tenant) ORDER BY tenant, agent, run"
            )
            return tuple(MemoryScope(*row) for row in connection.execute(query, (tenant,)))


def _version(connection: sqlite3.Connection, scope: MemoryScope) -> int:
    query = f"SELECT coalesce(max(version), 0) FROM changes WHERE {_OF_SCOPE}"
    return int(connection.execute(query, _key(scope)).fetchone()[0])


def _key(scope: MemoryScope) -> tuple[str, str, str]:
    return scope.tenant, scope.agent, scope.run


def _row(change: Change) -> tuple[Any, ...]:
    try:
        value = json.dumps(change.value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The value of {change.key!r} cannot be remembered: {error}",
            expected="plain JSON",
            action="Write it with `agentops.memory.remember`, which takes what JSON can hold of it",
            key=change.key,
        ) from error
    at = micros(change.at)
    return change.key, value, change.writer, change.source, at, change.run, change.step, change.reason


def _change(row: tuple[Any, ...]) -> Change:
    key, value, writer, source, at, run, step, reason = row
    return Change(key, json.loads(value), writer, source, instant_of(at), run, step, reason)
