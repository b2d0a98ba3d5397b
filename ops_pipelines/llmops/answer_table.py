"""Answers as the table of their day, one row an answer with what all its calls cost, and as answers again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.llmops.answer_log import Answered, written_answer
from ops_pipelines.llmops.answering import Answer
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.call_log import Call
from ops_pipelines.llmops.call_table import usage_columns
from ops_pipelines.llmops.cost import nanos

if TYPE_CHECKING:
    import pyarrow as pa

ANSWERS = "answers"
"""The asset of a system that holds its answers by day."""
ID = "answer_id"
SAID = ("asked_at", "release", "tenant", "outcome", "question", "answer")
"""What may not differ between an answer in the log and the same one in the lake."""
_BATCH = 1_000
_OF_CALLER = ("system", "release", "feature", "tenant")
_OF_QUESTION = ("environment", "question", "outcome", "error")
_OF_ANSWER = ("text", "said", "provider", "model", "latency_ms")


@dataclass(frozen=True, slots=True)
class Outline:
    """An answer without its words: who asked, when, what became of it, and how long it took."""

    id: str
    caller: Caller
    asked_at: datetime
    outcome: str
    latency_ms: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What the calls of an answer cost, in billionths of a dollar: None where no cost is known, and how many are not."""

    nanos: int | None
    unpriced: int = 0


def cost_of(one: Answered, calls: Mapping[str, Call]) -> Cost:
    """What an answer's calls cost by the ledger, those that failed included; by the answer's own word without any call.

    A call that is not in the ledger has a cost that nobody knows.
    """
    if not one.calls:
        usd = one.answer.usd
        return Cost(None, 1) if usd is None and one.answer.provider else Cost(nanos(usd) if usd else 0)
    found = [calls[id].usd if id in calls else None for id in one.calls]
    known = [nanos(usd) for usd in found if usd is not None]
    return Cost(sum(known) if known else None, len(found) - len(known))


def table_of_answers(answers: Iterable[Answered], calls: Mapping[str, Call]) -> "pa.Table":
    """One row an answer, sorted by id. `calls` is the ledger by id.

    `answer` is all that the caller got, as JSON; the other columns are for people who look and count. Only a batch of the
    answers is held at a time beside the table.
    """
    import pyarrow as pa

    rows, schema = (_row(one, cost_of(one, calls)) for one in answers), _schema()
    batches = []
    while batch := list(islice(rows, _BATCH)):
        batches.append(pa.RecordBatch.from_pylist(batch, schema=schema))
    if not batches:
        return pa.table({})
    return pa.Table.from_batches(batches).sort_by([(ID, "ascending")])


def answers_of_table(table: "pa.Table") -> tuple[Answered, ...]:
    """The answers of a table of `table_of_answers`, in its order."""
    return tuple(map(answered_of_row, table.to_pylist()))


def outlines_of_table(table: "pa.Table") -> tuple[Outline, ...]:
    """The outlines of the answers in a table, in its order; the words are not even read."""
    if not table.num_rows:
        return ()
    rows = table.select([ID, *_OF_CALLER, "asked_at", "outcome", "latency_ms"]).to_pylist()
    return tuple(
        Outline(
            row[ID],
            Caller(**{name: row[name] for name in _OF_CALLER}),
            utc(row["asked_at"]),
            row["outcome"],
            row["latency_ms"],
        )
        for row in rows
    )


def answered_of_row(row: Mapping[str, Any]) -> Answered:
    """The answer in one row."""
    return Answered(
        caller=Caller(**{name: row[name] for name in _OF_CALLER}),
        asked_at=utc(row["asked_at"]),
        answer=Answer.from_json(json.loads(row["answer"])),
        calls=tuple(json.loads(row["calls"])),
        **{name: row[name] for name in _OF_QUESTION},
    )


def _row(one: Answered, cost: Cost) -> dict[str, Any]:
    return {
        ID: one.id,
        "asked_at": utc(one.asked_at),
        **{name: getattr(one.caller, name) for name in _OF_CALLER},
        **{name: getattr(one, name) for name in _OF_QUESTION},
        **{name: getattr(one.answer, name) for name in _OF_ANSWER},
        **usage_columns(one.answer.usage),
        "nanos": cost.nanos,
        "unpriced": cost.unpriced,
        "chunks": canonical_json([passage.citation for passage in one.answer.passages]).decode(),
        "calls": canonical_json(one.calls).decode(),
        "answer": written_answer(one),
    }


def _schema() -> "pa.Schema":
    import pyarrow as pa

    types = {
        "asked_at": pa.timestamp("us", tz="UTC"),
        "latency_ms": pa.float64(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "is_estimate": pa.bool_(),
        "nanos": pa.int64(),
        "unpriced": pa.int64(),
    }
    counted = ("input_tokens", "output_tokens", "is_estimate", "nanos", "unpriced")
    names = (ID, "asked_at", *_OF_CALLER, *_OF_QUESTION, *_OF_ANSWER, *counted, "chunks", "calls", "answer")
    return pa.schema([(name, types.get(name, pa.string())) for name in names])
