"""The journal of effects of a home: one SQLite file, in which threads and processes write down what they are about to do.

Each commit is on disk when it returns: what was started is known after a power cut, too.
"""

import json
import sqlite3
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_instants import instant_of, micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.effects import DONE, NOT_DONE, Entry, Intent, Outcome, judge_outcome
from ops_pipelines.agentops.secrets_out import SecretsOut
from ops_pipelines.core.verdict import Passed, Verdict

_COLUMNS = "key, tool, arguments, run, release, approval, exact, started_at, until, state, result, by, ended_at"


class _File(SQLiteFile):
    kind = "journal of effects"
    application_id = 0x6F70736A
    migrations = (
        """
        CREATE TABLE effects (
            sequence INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, tool TEXT NOT NULL, arguments TEXT NOT NULL,
            run TEXT NOT NULL, release TEXT NOT NULL, approval TEXT NOT NULL, started_at INTEGER NOT NULL,
            until INTEGER NOT NULL, state TEXT, result TEXT, by TEXT, ended_at INTEGER
        ) STRICT;
        """,
        "ALTER TABLE effects ADD COLUMN exact TEXT NOT NULL DEFAULT '';",
    )


class SQLiteEffectJournal:
    """The EffectJournal of one file, which is made at the first intent; DataError where it cannot be used.

    `secrets` are taken out of what is kept; without it intents and outcomes are kept as they are.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0, secrets: SecretsOut | None = None) -> None:
        self.path, self._secrets = path, secrets
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def start(self, intent: Intent, *, at: datetime, until: datetime) -> Entry | None:
        """None where this call has started the intent; otherwise the entry that is there."""
        kept = self._secrets.intent(intent) if self._secrets else intent
        values = (kept.key, kept.tool, kept.arguments, kept.run, kept.release, kept.approval, kept.exact)
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            made = connection.execute(
                "INSERT INTO effects (key, tool, arguments, run, release, approval, exact, started_at, until) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (*values, micros(at), micros(until)),
            )
            return None if made.rowcount == 1 else _entries(connection, intent.key)[0]

    def end(self, key: str, outcome: Outcome, *, at: datetime) -> Verdict:
        """Keep what came of an intent; Blocked where that is known, and for an intent that was never started."""
        if not self.path.is_file():
            return judge_outcome(None, outcome)
        outcome = self._secrets.outcome(outcome) if self._secrets else outcome
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            found = judge_outcome(next(iter(_entries(connection, key)), None), outcome)
            if isinstance(found, Passed):
                update = "UPDATE effects SET state = ?, result = ?, by = ?, ended_at = ? WHERE key = ?"
                connection.execute(update, (outcome.state, outcome.result, outcome.by, micros(at), key))
        return found

    def entries(self, key: str | None = None) -> tuple[Entry, ...]:
        """The entry with a key, or all in the order of starting; empty where there is no file."""
        if not self.path.is_file():
            return ()
        with self._kept.use() as connection:
            return _entries(connection, key)

    def forget(self, keys: Collection[str]) -> int:
        """Remove the entries with some keys whose outcome is known; how many went."""
        if not self.path.is_file():
            return 0
        gone = "key IN (SELECT value FROM json_each(?)) AND state IN (?, ?)"
        with self._kept.use_to_write() as connection:
            given = (json.dumps(list(keys)), DONE, NOT_DONE)
            return connection.execute(f"DELETE FROM effects WHERE {gone}", given).rowcount


def _entries(connection: sqlite3.Connection, key: str | None) -> tuple[Entry, ...]:
    if key is None:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM effects ORDER BY sequence")
    else:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM effects WHERE key = ?", (key,))
    return tuple(_read(row) for row in rows)


def _read(row: tuple[Any, ...]) -> Entry:
    *intent, started_at, until, state, result, by, ended_at = row
    return Entry(
        Intent(*map(str, intent)),
        instant_of(started_at),
        instant_of(until),
        Outcome(str(state), str(result), str(by)) if state else None,
        instant_of(ended_at) if state else None,
    )
