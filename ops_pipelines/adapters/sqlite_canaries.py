"""The canaries in the control database: each beginning and each end is one row of its pointer's chain."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_audit import append_entry
from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.core.audit_coverage import CANARIES
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.mlops.canary import Canary, Ending, check_begins, check_ends

_BEGUN, _ENDED = "begun", "ended"
_ROWS = "SELECT event, digest, content FROM canaries WHERE system = ? AND environment = ? ORDER BY sequence"


class SQLiteCanaryStore:
    """The CanaryStore of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, create: bool = True) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds, create=create)

    def begin(self, canary: Canary) -> None:
        """Append a canary; ReleaseError where one runs already."""
        self._append(_BEGUN, canary, lambda running: check_begins(canary, running))

    def end(self, ending: Ending) -> None:
        """Append the end of the one that runs; ReleaseError where that is another's, or none."""
        self._append(_ENDED, ending, lambda running: check_ends(ending, running))

    def running(self, system: str, environment: str) -> Canary | None:
        """The one that was begun and not ended; DataError where its row was edited."""
        with self._control.opened() as connection:
            return self._running(connection, system, environment)

    def past(self, system: str, environment: str) -> tuple[tuple[Canary, Ending], ...]:
        """Every one that ended with its end, the oldest first; DataError where a row was edited."""
        with self._control.opened() as connection:
            rows = connection.execute(_ROWS, (system, environment)).fetchall()
        told = [(event, self._record(event, digest, content, system, environment)) for event, digest, content in rows]
        begun = [Canary.from_json(record) for event, record in told if event == _BEGUN]
        ended = [Ending.from_json(record) for event, record in told if event == _ENDED]
        return tuple(zip(begun, ended, strict=False))  # they take turns, and the last one may still run

    def _append(self, event: str, row: Canary | Ending, check: Callable[[Canary | None], None]) -> None:
        content = canonical_json(row.to_json())
        values = (row.system, row.environment, event, content.decode(), digest_bytes(content))
        told = {"environment": row.environment, "release": row.candidate, "reason": row.reason, CANARIES: values[-1]}
        with self._control.transaction() as connection:
            check(self._running(connection, row.system, row.environment))
            append_entry(
                connection, at=row.at, actor=row.actor, action=f"canary {event}", subject=row.system, facts=told
            )
            connection.execute(
                "INSERT INTO canaries (system, environment, sequence, event, content, digest) "
                "SELECT ?1, ?2, coalesce(max(sequence), 0) + 1, ?3, ?4, ?5 FROM canaries "
                "WHERE system = ?1 AND environment = ?2",
                values,
            )

    def _running(self, connection: sqlite3.Connection, system: str, environment: str) -> Canary | None:
        last = connection.execute(f"{_ROWS} DESC LIMIT 1", (system, environment)).fetchone()
        if last is None or last[0] == _ENDED:
            return None
        return Canary.from_json(self._record(*last, system, environment))

    def _record(self, event: str, digest: str, content: str, system: str, environment: str) -> Any:
        kind = f"canary that has {event}" if event == _ENDED else "canary"
        return self._control.verified(kind, digest, content, system=system, environment=environment)
