"""The prediction log of a home in one SQLite file."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.mlops.prediction_log import Answer

_TABLE = """
CREATE TABLE IF NOT EXISTS answers (
    sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, asked_at TEXT NOT NULL,
    content TEXT NOT NULL
) STRICT
"""
_WITHIN = "FROM answers WHERE system = ? AND asked_at >= ? AND asked_at < ?"


class SQLitePredictionLog:
    """The PredictionLog of one file, which is made when something is kept."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:  # noqa: ARG002
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(one.id, one.system, utc(one.asked_at).isoformat(), json.dumps(_record(one))) for one in answers]
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(_TABLE)
            connection.executemany(
                "INSERT OR IGNORE INTO answers (id, system, asked_at, content) VALUES (?, ?, ?, ?)", rows
            )

    def answers(self, system: str, window: Window) -> Iterator[Answer]:
        yield from self._read(f"SELECT content {_WITHIN} ORDER BY sequence", _values(system, window))

    def find(self, id: str) -> Answer | None:
        return next(self._read("SELECT content FROM answers WHERE id = ?", (id,)), None)

    def forget(self, system: str, window: Window) -> int:
        if not self.path.is_file():
            return 0
        with closing(sqlite3.connect(self.path)) as connection, connection:
            return connection.execute(f"DELETE {_WITHIN}", _values(system, window)).rowcount

    def _read(self, query: str, values: tuple[str, ...]) -> Iterator[Answer]:
        if not self.path.is_file():
            return
        with closing(sqlite3.connect(self.path)) as connection:
            for (content,) in connection.execute(query, values):
                record = json.loads(content)
                instants = {name: datetime.fromisoformat(record[name]) for name in ("asked_at", "served_at")}
                yield Answer(**record | instants)


def _values(system: str, window: Window) -> tuple[str, str, str]:
    return system, utc(window.start).isoformat(), utc(window.end).isoformat()


def _record(answer: Answer) -> dict[str, Any]:
    return asdict(answer) | {
        "asked_at": utc(answer.asked_at).isoformat(),
        "served_at": utc(answer.served_at).isoformat(),
    }
