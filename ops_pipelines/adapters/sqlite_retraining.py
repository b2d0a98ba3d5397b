"""The retraining log in the control database, beside the releases that its runs answer for."""

from pathlib import Path

from ops_pipelines.adapters.sqlite_control import ControlDatabase, has_row
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.mlops.retraining import Request

_ROWS = "SELECT digest, content, key, system FROM retraining"


class SQLiteRetrainingLog:
    """The RetrainingLog of one file, which is made at the first call. DataError where the file is not one of ours."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self._control = ControlDatabase(path, timeout_seconds=timeout_seconds)

    def ask(self, request: Request) -> Request:
        """Append a row unless one has its key, and the row that now stands; DataError where that one was edited."""
        content = canonical_json(request.to_json())
        row = (request.key, request.system, content.decode(), digest_bytes(content))
        with self._control.transaction() as connection:
            if not has_row(connection, "retraining WHERE key = ?", row[:1]):
                after = "SELECT ?, ?, coalesce(max(sequence), 0) + 1, ?, ? FROM retraining"
                connection.execute(f"INSERT INTO retraining (key, system, sequence, content, digest) {after}", row)
            standing = connection.execute(f"{_ROWS} WHERE key = ?", row[:1]).fetchone()
        return self._request(*standing)

    def requests(self, system: str) -> tuple[Request, ...]:
        """Every row of a system, in the order in which they were written; DataError where one was edited."""
        with self._control.opened() as connection:
            rows = connection.execute(f"{_ROWS} WHERE system = ? ORDER BY sequence", (system,)).fetchall()
        return tuple(self._request(*row) for row in rows)

    def _request(self, digest: str, content: str, key: str, system: str) -> Request:
        return Request.from_json(self._control.verified("request", digest, content, key=key, system=system))
