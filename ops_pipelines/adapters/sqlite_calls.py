"""The call log of a home: one SQLite file, to which several processes append and from which windows are read.

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
from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.call_log import Call
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import from_nanos, nanos

_COLUMNS = (
    "id, system, release, feature, tenant, provider, model, answered_by, request, called_at, outcome, input_tokens, "
    "output_tokens, is_estimate, nanos, latency_ms, finish, text, facts"
)
_INSERT = f"INSERT OR IGNORE INTO calls ({_COLUMNS}) VALUES ({', '.join('?' * (_COLUMNS.count(',') + 1))})"


class SQLiteCallLog:
    """The CallLog of one file, which is made when the first call is kept; its folder's folder has to be there.

    DataError where the file cannot be used. Costs are kept in billionths of a dollar, rounded up.
    """

    def __init__(self, path: Path, *, timeout_seconds: float = 30.0) -> None:
        self.path = path
        self._kept = KeptOpen(CallsFile(path, timeout_seconds=timeout_seconds))

    def keep(self, calls: Sequence[Call]) -> None:
        """Append calls, all or none; an id that is there already is left as it is."""
        rows = [_row(call) for call in calls]
        with self._kept.use_to_write() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            with all_or_nothing(connection):
                connection.executemany(_INSERT, rows)

    def calls(self, window: Window, system: str | None = None) -> Iterator[Call]:
        """The calls of a window, in the order in which they were kept; none where there is no file."""
        if self.path.is_file():
            named = "" if system is None else "AND system = ?"
            values = (micros(window.start), micros(window.end), *([] if system is None else [system]))
            with self._kept.use() as connection:
                query = f"SELECT {_COLUMNS} FROM calls WHERE called_at >= ? AND called_at < ? {named} ORDER BY sequence"
                yield from map(_call, connection.execute(query, values))

    def find(self, id: str) -> Call | None:
        """The call of an id; None where there is none, or no file."""
        if not self.path.is_file():
            return None
        with self._kept.use() as connection:
            row = connection.execute(f"SELECT {_COLUMNS} FROM calls WHERE id = ?", (id,)).fetchone()
        return _call(row) if row else None

    def forget(self, ids: Collection[str]) -> int:
        """Remove the calls of some ids; how many were there."""
        if not self.path.is_file():
            return 0
        with self._kept.use() as connection, all_or_nothing(connection):
            return connection.executemany("DELETE FROM calls WHERE id = ?", [(id,) for id in ids]).rowcount


def _row(call: Call) -> tuple[Any, ...]:
    try:
        facts = json.dumps(dict(call.facts), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The call {call.id!r} cannot be kept: {error}",
            expected="numbers, texts, booleans, None, lists and mappings in its facts",
            action="Keep instants as texts in ISO 8601, and what is missing as None",
            call=call.id,
        ) from error
    caller, usage = call.caller, call.usage
    who = (call.id, caller.system, caller.release, caller.feature, caller.tenant, call.provider, call.model)
    tokens = (usage.input_tokens, usage.output_tokens, int(usage.is_estimate)) if usage else (None, None, None)
    cost = None if call.usd is None else nanos(call.usd)
    when = (call.answered_by, call.request, micros(call.called_at), call.outcome)
    return (*who, *when, *tokens, cost, call.latency_ms, call.finish, call.text, facts)


def _call(row: tuple[Any, ...]) -> Call:
    id, *caller, provider, model, answered_by, request, called_at, outcome = row[:11]
    read, written, is_estimate, cost, latency_ms, finish, text, facts = row[11:]
    return Call(
        id=id,
        caller=Caller(*caller),
        provider=provider,
        model=model,
        answered_by=answered_by,
        request=request,
        called_at=instant_of(called_at),
        outcome=outcome,
        usage=None if read is None else Usage(read, written, bool(is_estimate)),
        usd=None if cost is None else from_nanos(cost),
        latency_ms=latency_ms,
        finish=finish,
        text=text,
        facts=json.loads(facts),
    )
