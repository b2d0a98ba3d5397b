"""The audit log in the control database, beside the rows that it tells of and written in their transactions."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.core.audit import BEGINS, Entry, Row, entry_after, read_entry
from ops_pipelines.core.audit_coverage import CANARIES, MOVES, PRINCIPALS, Covered, heads_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes

_COVERED = {
    MOVES: "SELECT system || ' in ' || environment, sequence, CAST(content AS BLOB), hash FROM moves ORDER BY 1, 2",
    CANARIES: "SELECT system || ' in ' || environment, sequence, CAST(content AS BLOB), digest FROM canaries ORDER BY 1, 2",
    PRINCIPALS: "SELECT name, sequence, CAST(content AS BLOB), digest FROM principals ORDER BY 1, 2",
}
"""What each row is about, its number, its text and its hash."""


def append_entry(
    connection: sqlite3.Connection, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, Any]
) -> Entry:
    """Write what is done in a transaction of the control database; kept or lost with everything else in it.

    Call it **before** the row that it tells of is written: the first entry ever begins the log with the heads of what
    was there before. `facts` are plain JSON and never hold a token; a row of a covered table is told of by the fact with
    the table's name and the row's hash. DataError where the last entry was edited.
    """
    last = _last(connection)
    if last is None:
        heads = heads_of([row for table in _COVERED for row in _covered(connection, table)])
        begins = {"actor": actor, "action": BEGINS, "subject": "control.db", "facts": {"heads": heads}}
        last = _written(connection, entry_after(None, at=at, **begins))
    done = {"actor": actor, "action": action, "subject": subject, "facts": facts}
    return _written(connection, entry_after(last, at=at, **done))


class SQLiteAuditLog:
    """The AuditLog of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds)

    def append(self, *, at: datetime, actor: str, action: str, subject: str, facts: Mapping[str, Any]) -> Entry:
        """Write what was done in a transaction of its own; `append_entry` is for what writes something else, too."""
        with self._control.transaction() as connection:
            return append_entry(connection, at=at, actor=actor, action=action, subject=subject, facts=facts)

    def rows(self) -> tuple[Row, ...]:
        """Everything as it is held, by number, whatever became of it; empty before the first entry."""
        with self._control.opened() as connection:
            return _rows(connection)

    def snapshot(self) -> tuple[tuple[Row, ...], dict[str, tuple[Covered, ...]]]:
        """The log, and every row that it has to tell of by table, both as of one instant: others write meanwhile."""
        with self._control.opened() as connection:
            connection.execute("BEGIN")
            return _rows(connection), {table: tuple(_covered(connection, table)) for table in _COVERED}


def _rows(connection: sqlite3.Connection) -> tuple[Row, ...]:
    connection.text_factory = _as_far_as_it_is_text
    query = "SELECT sequence, CAST(content AS BLOB), hash FROM audit ORDER BY sequence"
    return tuple(Row(*row) for row in connection.execute(query))


def _as_far_as_it_is_text(content: bytes) -> str:
    """A column whose bytes were changed is read all the same, so that its row can be named."""
    return content.decode(errors="replace")


def _last(connection: sqlite3.Connection) -> Entry | None:
    """The entry to write after. An edited one is not built upon, or the chain would vouch for the edit."""
    query = "SELECT sequence, CAST(content AS BLOB), hash FROM audit ORDER BY sequence DESC LIMIT 1"
    found = connection.execute(query).fetchone()
    if found is None:
        return None
    row = Row(*found)
    if digest_bytes(row.content) != row.hash:
        raise DataError(
            f"Entry {row.sequence} of the audit log was edited, so that nothing can be written after it",
            expected="a log as it was written",
            action="`ops audit verify` says what else was changed; restore control.db from a backup",
            sequence=row.sequence,
        )
    return read_entry(row)


def _written(connection: sqlite3.Connection, entry: Entry) -> Entry:
    values = (entry.sequence, entry.content.decode(), entry.hash)
    connection.execute("INSERT INTO audit (sequence, content, hash) VALUES (?, ?, ?)", values)
    return entry


def _covered(connection: sqlite3.Connection, table: str) -> Iterator[Covered]:
    """The rows of a table; one has no hash where its text is not that of its hash, or not that of its place."""
    before: tuple[str, str] | None = None
    for about, sequence, content, seal in connection.execute(_COVERED[table]):
        previous = before[1] if before and before[0] == about else ""
        holds = digest_bytes(content) == seal and _fits(content, about, sequence, previous)
        yield Covered(table, about, sequence, seal if holds else None)
        before = (about, seal)


def _fits(content: bytes, about: str, sequence: int, previous: str) -> bool:
    """Whether a row stands where it says; a row of a table without a chain may name less."""
    try:
        record = json.loads(content)
        own = f"{record['system']} in {record['environment']}" if "system" in record else record["name"]
        return (own, record.get("sequence", sequence), record.get("previous", previous)) == (about, sequence, previous)
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
