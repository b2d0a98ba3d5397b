"""The retraining log in the control database, beside the releases that its runs answer for."""

from pathlib import Path

from ops_pipelines.adapters.sqlite_control import ControlDatabase
from ops_pipelines.adapters.sqlite_file import has_row
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.mlops.retraining_log import Request, TrainingStep

_COLUMNS = "SELECT digest, content, key, system"


class SQLiteRetrainingLog:
    """The RetrainingLog of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds)

    def ask(self, request: Request) -> Request:
        """Append a row unless one has its key, and the row that now stands; DataError where that one was edited."""
        return self._request(*self._append("retraining", request))

    def requests(self, system: str) -> tuple[Request, ...]:
        """Every row of a system, in the order in which they were written; DataError where one was edited."""
        return tuple(self._request(*row) for row in self._rows("retraining", system))

    def spend(self, step: TrainingStep) -> None:
        """Append what a step has begun, or has cost, unless that was said already."""
        self._append("training_steps", step)

    def steps(self, system: str) -> tuple[TrainingStep, ...]:
        """Every step of a system's runs, in the order in which they were written; DataError where one was edited."""
        rows = self._rows("training_steps", system)
        return tuple(TrainingStep.from_json(self._record("training step", *row)) for row in rows)

    def _append(self, table: str, row: Request | TrainingStep) -> tuple[str, str, str, str]:
        """Writes a row unless one has its key; the one that now stands."""
        content = canonical_json(row.to_json())
        values = (row.key, row.system, content.decode(), digest_bytes(content))
        with self._control.transaction() as connection:
            if not has_row(connection, f"{table} WHERE key = ?", values[:1]):
                after = f"SELECT ?, ?, coalesce(max(sequence), 0) + 1, ?, ? FROM {table}"
                connection.execute(f"INSERT INTO {table} (key, system, sequence, content, digest) {after}", values)
            found = connection.execute(f"{_COLUMNS} FROM {table} WHERE key = ?", values[:1]).fetchone()
        return tuple(found)

    def _rows(self, table: str, system: str) -> list[tuple[str, str, str, str]]:
        with self._control.opened() as connection:
            return connection.execute(
                f"{_COLUMNS} FROM {table} WHERE system = ? ORDER BY sequence", (system,)
            ).fetchall()

    def _request(self, *row: str) -> Request:
        return Request.from_json(self._record("request", *row))

    def _record(self, kind: str, digest: str, content: str, key: str, system: str) -> dict[str, str]:
        return self._control.verified(kind, digest, content, key=key, system=system)
