"""The prediction log of a home: answers are appended to a spool, and an index in one SQLite file takes them in when read.

What is kept is in the log at once: every question to it takes in first what the spool holds by then, each frame in one
transaction with how far its file was read, so that nothing is taken in twice or lost whenever a reader dies.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from math import nan
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.answer_spool import AnswerSpool
from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_instants import instant_of, micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.core.clock import Window
from ops_pipelines.mlops.prediction_log import Answer

_COLUMNS = "id, system, release, arm, entity, asked_at, served_at, score, vector, keys"
_WINDOW = "FROM answers WHERE system = ? AND asked_at >= ? AND asked_at < ?"
_INSERT = f"INSERT OR IGNORE INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class _File(SQLiteFile):
    kind = "prediction log"
    application_id = 0x6F70736C
    migrations = (
        """
        CREATE TABLE answers (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, system TEXT NOT NULL, release TEXT NOT NULL,
            arm TEXT NOT NULL, entity TEXT, asked_at INTEGER NOT NULL, served_at INTEGER NOT NULL, score REAL,
            vector TEXT NOT NULL, keys TEXT NOT NULL
        ) STRICT;
        CREATE TABLE spooled (name TEXT PRIMARY KEY, read INTEGER NOT NULL) STRICT;
        CREATE INDEX answers_by_window ON answers (system, asked_at, sequence);
        """,
    )


class SQLitePredictionLog:
    """The PredictionLog of a folder that is made when the first answer is kept; the home around it has to be there.

    `path` is its index. DataError where that, or the spool beside it, cannot be used.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))
        self._spool = AnswerSpool(path.parent / "spool")

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:
        """Append answers, all or none, an id that is there already being left as it is.

        SchemaMismatch where one of them could not be read back.
        """
        if answers:
            self._spool.append(answers, durable=durable)

    def answers(self, system: str, window: Window) -> Iterator[Answer]:
        """The answers of a window, in the order in which they were kept; none where nothing was ever kept."""
        if self._take_in():
            with self._kept.use() as connection:
                query = f"SELECT {_COLUMNS} {_WINDOW} ORDER BY sequence"
                yield from map(_answer, connection.execute(query, _values(system, window)))

    def find(self, id: str) -> Answer | None:
        """The answer of an id; None where there is none."""
        if not self._take_in():
            return None
        with self._kept.use() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM answers WHERE id = ?", (id,)).fetchone()
        return _answer(row) if row else None

    def forget(self, ids: Collection[str]) -> int:
        """Remove the answers of some ids; how many were there."""
        if not self._take_in():
            return 0
        with self._kept.use() as connection, all_or_nothing(connection):
            return connection.executemany("DELETE FROM answers WHERE id = ?", [(id,) for id in ids]).rowcount

    def _take_in(self) -> bool:
        """Brings the index up to what the spool holds; whether there is an index at all."""
        for name in self._spool.files():
            with self._kept.use() as connection, all_or_nothing(connection):
                known = connection.execute("SELECT read FROM spooled WHERE name = ?", (name,)).fetchone()
                spooled = self._spool.read(name, known[0] if known else 0)
                connection.executemany(_INSERT, map(_row, spooled.frames.answers))
                done = (name, spooled.frames.end)
                connection.execute(
                    "INSERT INTO spooled VALUES (?, ?) ON CONFLICT DO UPDATE SET read = excluded.read", done
                )
            if spooled.is_over:
                self._spool.let_go(spooled)
        return self.path.is_file()


def _row(answer: Answer) -> tuple[Any, ...]:
    vector, keys = json.dumps(answer.vector), json.dumps(answer.keys)  # which knows NaN, and reads it back
    named = (answer.id, answer.system, answer.release, answer.arm, answer.entity)
    # SQLite makes NULL of a score that is NaN, which is read back as one.
    return (*named, micros(answer.asked_at), micros(answer.served_at), answer.score, vector, keys)


def _answer(row: tuple[Any, ...]) -> Answer:
    id, system, release, arm, entity, asked_at, served_at, score, vector, keys = row
    instants = (instant_of(asked_at), instant_of(served_at))
    number = nan if score is None else score
    return Answer(id, system, release, arm, entity, *instants, number, json.loads(vector), json.loads(keys))


def _values(system: str, window: Window) -> tuple[str, int, int]:
    return system, micros(window.start), micros(window.end)
