"""Calls as the table of their day, one row a call, and as calls again."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.llmops.budget import Caller
from ops_pipelines.llmops.call_log import Call
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import from_nanos, nanos

if TYPE_CHECKING:
    import pyarrow as pa

CALLS = "calls"
"""The asset of a system that holds its calls by day."""
ID = "call_id"
SAID = ("called_at", "release", "tenant", "outcome", "text", "nanos")
"""What may not differ between a call in the log and the same one in the lake."""
_PLAIN = ("provider", "model", "answered_by", "request", "outcome", "latency_ms", "finish", "text")
_OF_CALLER = ("system", "release", "feature", "tenant")


def table_of_calls(calls: Sequence[Call]) -> "pa.Table":
    """One row a call, sorted by id. `nanos` is its cost in billionths of a dollar, missing where nobody knows it."""
    import pyarrow as pa

    if not calls:
        return pa.table({})
    return pa.Table.from_pylist(sorted(map(_row, calls), key=lambda row: str(row[ID])), schema=_schema())


def calls_of_table(table: "pa.Table") -> tuple[Call, ...]:
    """The calls of a table of `table_of_calls`, in its order."""
    return tuple(map(_call, table.to_pylist()))


def usage_columns(usage: Usage | None) -> dict[str, Any]:
    """Tokens as three columns, all of them missing where nobody knows."""
    if usage is None:
        return dict.fromkeys(("input_tokens", "output_tokens", "is_estimate"))
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "is_estimate": usage.is_estimate}


def usage_of_columns(row: Mapping[str, Any]) -> Usage | None:
    """The tokens in the three columns of `usage_columns`."""
    if row["input_tokens"] is None:
        return None
    return Usage(row["input_tokens"], row["output_tokens"], row["is_estimate"])


def _row(call: Call) -> dict[str, Any]:
    return {
        ID: call.id,
        "called_at": utc(call.called_at),
        **{name: getattr(call.caller, name) for name in _OF_CALLER},
        **{name: getattr(call, name) for name in _PLAIN},
        **usage_columns(call.usage),
        "nanos": None if call.usd is None else nanos(call.usd),
        "facts": canonical_json(dict(call.facts)).decode(),
    }


def _call(row: Mapping[str, Any]) -> Call:
    return Call(
        id=row[ID],
        caller=Caller(**{name: row[name] for name in _OF_CALLER}),
        called_at=utc(row["called_at"]),
        usage=usage_of_columns(row),
        usd=None if row["nanos"] is None else from_nanos(row["nanos"]),
        facts=json.loads(row["facts"]),
        **{name: row[name] for name in _PLAIN},
    )


def _schema() -> "pa.Schema":
    import pyarrow as pa

    types = {
        "called_at": pa.timestamp("us", tz="UTC"),
        "latency_ms": pa.float64(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "is_estimate": pa.bool_(),
        "nanos": pa.int64(),
    }
    names = (ID, "called_at", *_OF_CALLER, *_PLAIN, "input_tokens", "output_tokens", "is_estimate", "nanos", "facts")
    return pa.schema([(name, types.get(name, pa.string())) for name in names])
