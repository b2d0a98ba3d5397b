"""The approval store of a home: one SQLite file, in which threads and processes ask, answer and use.

Looking at a request and changing it is one transaction that takes the lock first. Each commit is on disk when it
returns, so that an approval that was used is not granted again after a power cut.
"""

import json
import sqlite3
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing, has_row
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.approval import Answer, Held, Request, asked_before, judge_answer, judge_use
from ops_pipelines.core.verdict import Passed, Verdict


class _File(SQLiteFile):
    kind = "approval store"
    application_id = 0x6F707361
    migrations = (
        """
        CREATE TABLE approvals (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, answer TEXT, used_at TEXT
        ) STRICT;
        """,
    )


class SQLiteApprovalStore:
    """The ApprovalStore of one file, which is made at the first request; DataError where it cannot be used."""

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def ask(self, request: Request) -> None:
        """Keep a request; DataError where its id was used before."""
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            if has_row(connection, "approvals WHERE id = ?", (request.id,)):
                raise asked_before(request.id)
            values = (request.id, json.dumps(request.to_json()))
            connection.execute("INSERT INTO approvals (id, request) VALUES (?, ?)", values)

    def answer(self, id: str, answer: Answer) -> Verdict:
        """Keep an answer that counts; Blocked for one that does not, and for an unknown id."""
        return self._changed(id, lambda held: judge_answer(held, answer), ("answer", _answer_to_text(answer)))

    def consume(self, id: str, digest: str, *, at: datetime) -> Verdict:
        """Use an approval of exactly this call, once; Blocked for every other."""
        return self._changed(id, lambda held: judge_use(held, digest, at), ("used_at", at.isoformat()))

    def held(self, id: str | None = None) -> tuple[Held, ...]:
        """The request with an id, or all in the order of asking; empty where there is no file."""
        if not self.path.is_file():
            return ()
        with self._kept.use() as connection:
            return _held(connection, id)

    def forget(self, ids: Collection[str]) -> int:
        """Remove the requests with some ids, which the caller found to be over; how many went."""
        if not self.path.is_file():
            return 0
        with self._kept.use_to_write() as connection:
            gone = "DELETE FROM approvals WHERE id IN (SELECT value FROM json_each(?))"
            return connection.execute(gone, (json.dumps(list(ids)),)).rowcount

    def _changed(self, id: str, judge: Callable[[Held | None], Verdict], change: tuple[str, str]) -> Verdict:
        if not self.path.is_file():
            return judge(None)
        column, value = change
        with self._kept.use_to_write() as connection, all_or_nothing(connection):
            found = judge(next(iter(_held(connection, id)), None))
            if isinstance(found, Passed):
                connection.execute(f"UPDATE approvals SET {column} = ? WHERE id = ?", (value, id))
        return found


def _held(connection: sqlite3.Connection, id: str | None) -> tuple[Held, ...]:
    query, given = "SELECT request, answer, used_at FROM approvals", () if id is None else (id,)
    # Two queries: with `? IS NULL OR id = ?` a gate that asks for one would read them all, and they are kept for ever.
    chosen = f"{query} WHERE id = ?" if given else f"{query} ORDER BY sequence"
    return tuple(_read(*row) for row in connection.execute(chosen, given))


def _read(request: str, answer: str | None, used_at: str | None) -> Held:
    return Held(
        Request.from_json(json.loads(request)),
        _answer_of(json.loads(answer)) if answer else None,
        datetime.fromisoformat(used_at) if used_at else None,
    )


def _answer_to_text(answer: Answer) -> str:
    return json.dumps([answer.approver, answer.granted, answer.at.isoformat(), answer.note])


def _answer_of(record: list[Any]) -> Answer:
    approver, granted, at, note = record
    return Answer(approver, granted, datetime.fromisoformat(at), note)
