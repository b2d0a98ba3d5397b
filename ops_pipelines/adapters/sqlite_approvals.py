"""The approval store of a home: one SQLite file, in which threads and processes ask, answer and use.

Looking at a request and changing it is one transaction that takes the lock first. Each commit is on disk when it
returns, so that an approval that was used is not granted again after a power cut.

A request that can be used no more, since it was used, refused or has expired, is kept without its secrets. What expires
loses them at the next use of the store. SQLite overwrites what is deleted, and its log is emptied then: no file of the store
has them any more, unless a reader holds the log open for long, and then not after the next time.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.sqlite_file import SQLiteFile, all_or_nothing, has_row
from ops_pipelines.adapters.sqlite_instants import micros
from ops_pipelines.adapters.sqlite_kept_open import KeptOpen
from ops_pipelines.agentops.approval import (
    GRANTED,
    PENDING,
    Answer,
    Held,
    Request,
    asked_before,
    judge_answer,
    judge_use,
)
from ops_pipelines.agentops.secrets_out import SecretsOut
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Passed, Verdict

_EXACT = """
    SELECT sequence, request, answer, used_at FROM approvals
    WHERE exact_until <= ? OR (id = ? AND exact_until IS NOT NULL)
"""
"""The requests that may hold a secret and have expired by an instant, and the one with an id."""


class _File(SQLiteFile):
    kind = "approval store"
    application_id = 0x6F707361
    migrations = (
        """
        CREATE TABLE approvals (
            sequence INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, request TEXT NOT NULL, answer TEXT, used_at TEXT
        ) STRICT;
        """,
        """
        ALTER TABLE approvals ADD COLUMN exact_until INTEGER DEFAULT 0;
        CREATE INDEX exact_approvals ON approvals (exact_until) WHERE exact_until IS NOT NULL;
        """,
    )

    def connect(self) -> sqlite3.Connection:
        connection = super().connect()
        with self.complaints():
            connection.execute("PRAGMA secure_delete = ON")
        _empty_log(connection)  # a process that died may have left it full
        return connection


class SQLiteApprovalStore:
    """The ApprovalStore of one file, which is made at the first request; DataError where it cannot be used.

    `secrets` are taken out of what can be used no more; without it everything is kept as it is. With `now`, a wall clock,
    whoever looks finds what has expired without them, too.
    """

    def __init__(
        self,
        path: Path,
        *,
        timeout_seconds: float = 30.0,
        secrets: SecretsOut | None = None,
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self.path, self._secrets, self._now = path, secrets, now
        self._kept = KeptOpen(_File(path, timeout_seconds=timeout_seconds))

    def ask(self, request: Request) -> None:
        """Keep a request; DataError where its id was used before."""
        with self._changing(request.asked_at) as connection:
            if has_row(connection, "approvals WHERE id = ?", (request.id,)):
                raise asked_before(request.id)
            until = 0
            if self._secrets:
                request = replace(request, reason=self._secrets.text(request.reason))
                until = micros(request.expires_at) if self._secrets.request(request) is not request else None
            values = (request.id, json.dumps(request.to_json()), until)
            connection.execute("INSERT INTO approvals (id, request, exact_until) VALUES (?, ?, ?)", values)

    def answer(self, id: str, answer: Answer) -> Verdict:
        """Keep an answer that counts; Blocked for one that does not, and for an unknown id."""
        kept = replace(answer, note=self._secrets.text(answer.note)) if self._secrets else answer
        change = ("answer", _answer_to_text(kept))
        return self._changed(id, lambda held: judge_answer(held, answer), change, answer.at)

    def consume(self, id: str, digest: str, *, at: datetime) -> Verdict:
        """Use an approval of exactly this call, once; Blocked for every other."""
        return self._changed(id, lambda held: judge_use(held, digest, at), ("used_at", at.isoformat()), at)

    def held(self, id: str | None = None) -> tuple[Held, ...]:
        """The request with an id, or all in the order of asking; empty where there is no file."""
        if not self.path.is_file():
            return ()
        if self._now and self._secrets:
            self._forget_expired(self._now())
        with self._kept.use() as connection:
            return _held(connection, id)

    def forget(self, ids: Collection[str]) -> int:
        """Remove the requests with some ids, which the caller found to be over; how many went."""
        if not self.path.is_file():
            return 0
        with self._kept.use_to_write() as connection:
            gone = "DELETE FROM approvals WHERE id IN (SELECT value FROM json_each(?))"
            return connection.execute(gone, (json.dumps(list(ids)),)).rowcount

    def _changed(
        self, id: str, judge: Callable[[Held | None], Verdict], change: tuple[str, str], at: datetime
    ) -> Verdict:
        if not self.path.is_file():
            return judge(None)
        column, value = change
        with self._changing(at, id) as connection:
            found = judge(next(iter(_held(connection, id)), None))
            if isinstance(found, Passed):
                connection.execute(f"UPDATE approvals SET {column} = ? WHERE id = ?", (value, id))
        return found

    def _forget_expired(self, at: datetime) -> None:
        """Whoever only looks is told what there is also where nothing can be written."""
        with suppress(DataError):
            with self._kept.use() as connection:
                has_expired = connection.execute(f"{_EXACT} LIMIT 1", (micros(at), "")).fetchone()
            if has_expired:
                with self._changing(at):
                    pass

    @contextmanager
    def _changing(self, at: datetime, id: str = "") -> Iterator[sqlite3.Connection]:
        """A transaction after which nothing that can be used no more at an instant has a secret in any file of the store."""
        with self._kept.use_to_write() as connection:
            with all_or_nothing(connection):
                yield connection
                has_forgotten = self._forget(connection, at, id)
            if has_forgotten:
                _empty_log(connection, patience_ms=1000)

    def _forget(self, connection: sqlite3.Connection, at: datetime, id: str) -> bool:
        """Take the secrets out of the requests that are due to it; whether there were any."""
        if self._secrets is None:
            return False
        forgotten = 0
        for sequence, *row in connection.execute(_EXACT, (micros(at), id)).fetchall():
            held = _read(*row)
            if held.state(at) in (PENDING, GRANTED):
                change, values = "exact_until = ?", (micros(held.request.expires_at),)
            else:
                kept, forgotten = self._secrets.request(held.request), forgotten + 1
                change, values = "request = ?, exact_until = NULL", (json.dumps(kept.to_json()),)
            connection.execute(f"UPDATE approvals SET {change} WHERE sequence = ?", (*values, sequence))
        return forgotten > 0


def _empty_log(connection: sqlite3.Connection, *, patience_ms: int = 0) -> None:
    """Write the write-ahead log into the file and cut it, where no reader holds it open for longer."""
    with suppress(sqlite3.Error):
        (usual,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(usual)}")


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
