"""The prediction log of a home: one SQLite file, to which several processes append and from which assets read windows.

A commit survives the death of its process in any case. With `durable` it is on the disk before `keep` returns, and so
survives a power cut, too.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.prediction_log import Answer

_COLUMNS = "id, system, release, arm, entity, asked_at, served_at, score, vector, keys"
_WINDOW = "FROM answers WHERE system = ? AND asked_at >= ? AND asked_at < ?"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


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
        CREATE INDEX answers_by_window ON answers (system, asked_at, sequence);
        """,
    )


class SQLitePredictionLog:
    """The PredictionLog of one file, which is made when the first answer is kept; its folder's folder has to be there.

    DataError where the file cannot be used, and for an answer that holds what JSON cannot.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def keep(self, answers: Sequence[Answer], *, durable: bool = False) -> None:
        """Append answers, all or none; an id that is there already is left as it is."""
        rows = [_row(answer) for answer in answers]
        insert = f"INSERT OR IGNORE INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        with self._kept.use_to_write() as connection:
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            with all_or_nothing(connection):
                connection.executemany(insert, rows)

    def answers(self, system: str, window: Window) -> Iterator[Answer]:
        """The answers of a window, in the order in which they were kept; none where there is no file."""
        if self.path.is_file():
            with self._kept.use() as connection:
                query = f"SELECT {_COLUMNS} {_WINDOW} ORDER BY sequence"
                yield from map(_answer, connection.execute(query, _values(system, window)))

    def find(self, id: str) -> Answer | None:
        """The answer of an id; None where there is none, or no file."""
        if not self.path.is_file():
            return None
        with self._kept.use() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM answers WHERE id = ?", (id,)).fetchone()
        return _answer(row) if row else None

    def forget(self, ids: Collection[str]) -> int:
        """Remove the answers of some ids; how many were there."""
        if not self.path.is_file():
            return 0
        with self._kept.use() as connection, all_or_nothing(connection):
            return connection.executemany("DELETE FROM answers WHERE id = ?", [(id,) for id in ids]).rowcount  # noqa: A001


def _row(answer: Answer) -> tuple[Any, ...]:
    try:
        vector, keys = (json.dumps(dict(part), allow_nan=False) for part in (answer.vector, answer.keys))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The answer {answer.id!r} cannot be kept: {error}",
            expected="numbers, texts, booleans and None in its vector and its keys",
            action="Keep instants as texts in ISO 8601, and what is missing as None",
            answer=answer.id,
        ) from error
    named = (answer.id, answer.system, answer.release, answer.arm, answer.entity)
    # SQLite makes NULL of a NaN, which is read back as one.
    return (*named, _micros(answer.asked_at), _micros(answer.served_at), answer.score, vector, keys)


def _answer(row: tuple[Any, ...]) -> Answer:
    id, system, release, arm, entity, asked_at, served_at, score, vector, keys = row  # noqa: A001  (the field's word)
    instants = (_EPOCH + asked_at * _MICROSECOND, _EPOCH + served_at * _MICROSECOND)
    number = nan if score is None else score
    return Answer(id, system, release, arm, entity, *instants, number, json.loads(vector), json.loads(keys))


def _micros(instant: datetime) -> int:
    return (utc(instant) - _EPOCH) // _MICROSECOND


def _values(system: str, window: Window) -> tuple[str, int, int]:
    return system, _micros(window.start), _micros(window.end)
