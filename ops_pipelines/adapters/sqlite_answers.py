"""The answer log of a home: a table beside the calls', to which several processes append and which is read by window.

A commit survives the death of its process; a power cut may take the last ones back.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.calls_file import CallsFile
from ops_pipelines.adapters.sqlite_file import all_or_nothing
from ops_pipelines.adapters.sqlite_instants import instant_of, micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.core.clock import Window
from ops_pipelines.llmops.answer_log import Answered, written_answer
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.budget import Caller

_COLUMNS = "id, system, release, feature, tenant, environment, question, asked_at, outcome, answer, calls, error"
_INSERT = f"INSERT OR IGNORE INTO answers ({_COLUMNS}) VALUES ({', '.join('?' * (_COLUMNS.count(',') + 1))})"


class SQLiteAnswerLog:
    """The AnswerLog of one file, which is made when the first answer is kept; its folder's folder has to be there.

    DataError where the file cannot be used.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(CallsFile(path, timeout_seconds=timeout_seconds))

    def keep(self, answers: Sequence[Answered]) -> None:
        """Append answers, all or none; an id that is there already is left as it is."""
        rows = [_row(one) for one in answers]
        with self._kept.use_to_write() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with all_or_nothing(connection):
                connection.executemany(_INSERT, rows)

    def answers(self, window: Window, system: str | None = None) -> Iterator[Answered]:
        """The answers of a window, in the order in which they were kept; none where there is no file."""
        if self.path.is_file():
            named = "" if system is None else "AND system = ?"
            values = (micros(window.start), micros(window.end), *([] if system is None else [system]))
            with self._kept.use() as connection:
                query = f"SELECT {_COLUMNS} FROM answers WHERE asked_at >= ? AND asked_at < ? {named} ORDER BY sequence"
                yield from map(_answered, connection.execute(query, values))

    def find(self, id: str) -> Answered | None:
        """The answer of an id; None where there is none, or no file."""
        if not self.path.is_file():
            return None
        with self._kept.use() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM answers WHERE id = ?", (id,)).fetchone()
        return _answered(row) if row else None

    def forget(self, ids: Collection[str]) -> int:
        """Remove the answers of some ids; how many were there."""
        if not self.path.is_file():
            return 0
        with self._kept.use() as connection, all_or_nothing(connection):
            return connection.executemany("DELETE FROM answers WHERE id = ?", [(id,) for id in ids]).rowcount


def _row(one: Answered) -> tuple[Any, ...]:
    caller = one.caller
    who = (one.id, caller.system, caller.release, caller.feature, caller.tenant, one.environment)
    return (
        *who,
        one.question,
        micros(one.asked_at),
        one.outcome,
        written_answer(one),
        json.dumps(one.calls),
        one.error,
    )


def _answered(row: tuple[Any, ...]) -> Answered:
    _, *caller, environment, question, asked_at, outcome, answer, calls, error = row
    return Answered(
        caller=Caller(*caller),
        environment=environment,
        question=question,
        asked_at=instant_of(asked_at),
        outcome=outcome,
        answer=Answer.from_json(json.loads(answer)),
        calls=tuple(json.loads(calls)),
        error=error,
    )
