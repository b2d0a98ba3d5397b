"""The log of a gate's decisions: one SQLite file, to which threads and processes append.

A decision about a tool with an effect is on disk when it is kept. Others survive the death of their process, and a power
cut may take the last ones back: nothing was changed by them.
"""

import json
from collections.abc import Collection
from pathlib import Path

import msgspec

from ops_pipelines.adapters.sqlite_file import SQLiteFile
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.secrets_out import SecretsOut


class _File(SQLiteFile):
    kind = "log of decisions"
    application_id = 0x6F707364
    migrations = (
        """
        CREATE TABLE decisions (
            sequence INTEGER PRIMARY KEY, run TEXT NOT NULL, content TEXT NOT NULL
        ) STRICT;
        CREATE INDEX decisions_of_run ON decisions (run, sequence);
        """,
    )


class SQLiteDecisionLog:
    """The DecisionLog of one file, which is made at the first decision; DataError where it cannot be used.

    `secrets` are taken out of what is kept; without it a decision is kept as it is.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, secrets: SecretsOut | None = None) -> None:
        self.path, self._secrets = path, secrets
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def keep(self, decision: Logged, *, durable: bool) -> None:
        """Append a decision."""
        content = _written(self._secrets.decision(decision) if self._secrets else decision)
        with self._kept.use_to_write(durable=durable) as connection:
            # One statement is a transaction of its own.
            connection.execute("INSERT INTO decisions (run, content) VALUES (?, ?)", (decision.run, content))

    def decisions(self, run: str | None = None) -> tuple[Logged, ...]:
        """Those of a run, or all, in their order; empty where there is no file."""
        if not self.path.is_file():
            return ()
        # Two queries: with `? IS NULL OR run = ?` the index of runs would not be used.
        chosen, given = ("", ()) if run is None else ("WHERE run = ?", (run,))
        query = f"SELECT content FROM decisions {chosen} ORDER BY sequence"
        with self._kept.use() as connection:
            return tuple(Logged.from_json(json.loads(content)) for (content,) in connection.execute(query, given))

    def forget(self, keys: Collection[str]) -> int:
        """Remove the decisions that are called `RUN#ID`; how many went."""
        if not self.path.is_file():
            return 0
        gone = "run || '#' || json_extract(content, '$.id') IN (SELECT value FROM json_each(?))"
        with self._kept.use_to_write() as connection:
            return connection.execute(f"DELETE FROM decisions WHERE {gone}", (json.dumps(list(keys)),)).rowcount


def _written(decision: Logged) -> str:
    try:
        return msgspec.json.encode(decision).decode()
    except UnicodeEncodeError:  # half of a surrogate pair, which only an escape can tell
        return json.dumps(decision.to_json())
