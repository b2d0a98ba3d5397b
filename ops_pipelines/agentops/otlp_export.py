"""Steps of runs as spans of OpenTelemetry, in OTLP's JSON form: for MLflow's trace page, or whoever else looks at spans.

They are written under the newest names of the GenAI conventions, with ours where those have no word, so that
`otlp.import_spans` reads the same steps back. They are a copy to look at: the run log is the truth.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ops_pipelines.agentops.otlp_names import (
    NAMES,
    OPS_DECISION,
    OPS_KIND,
    OPS_NAME,
    OPS_NANOS,
    OPS_OCCURRENCE,
    OPS_RELEASE,
    OPS_VERSION,
    STATUS_ERROR,
    TOTAL_TOKENS,
)
from ops_pipelines.agentops.run_log import AGENT, MODEL, TOOL, Entry

_WORDS = {MODEL: "chat", TOOL: "execute_tool", AGENT: "invoke_agent"}
"""The operations that the conventions have a word for."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def export_spans(entries: Sequence[Entry]) -> dict[str, Any]:
    """Entries as one export request; what was shortened is sent as far as it was kept."""
    resource = {"attributes": [attribute("service.name", "ops-pipelines")]}
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [_span(entry) for entry in entries]}]}]}


def _span(entry: Entry) -> dict[str, Any]:
    step = entry.step
    span: dict[str, Any] = {
        "traceId": step.run,
        "spanId": step.id,
        "name": f"{_WORDS.get(step.kind, step.kind)} {step.name}",
        "kind": 1,
        "startTimeUnixNano": nano(step.started),
        "endTimeUnixNano": nano(step.ended),
        "attributes": [attribute(name, value) for name, value in _described(entry)],
        "links": [{"traceId": step.run, "spanId": link} for link in step.links],
        "status": {"code": STATUS_ERROR, "message": step.error} if step.error else {},
    }
    return {**span, "parentSpanId": step.parent} if step.parent else span


def _described(entry: Entry) -> Iterator[tuple[str, Any]]:
    step, by_digest = entry.step, {payload.digest: payload for payload in entry.payloads}
    yield OPS_KIND, step.kind
    yield OPS_NAME, step.name
    yield OPS_OCCURRENCE, step.occurrence
    yield "gen_ai.agent.name", step.agent
    if step.kind in _WORDS:
        yield "gen_ai.operation.name", _WORDS[step.kind]
    for name in NAMES.get(step.kind, ())[:1] if step.kind != AGENT else ():
        yield name, step.name
    for name, digest in (("input.value", step.inputs), ("output.value", step.outputs)):
        if digest in by_digest:
            yield name, json.dumps(by_digest[digest].shown(), ensure_ascii=False)
    known = {OPS_DECISION: step.decision, OPS_VERSION: step.memory_version, OPS_RELEASE: step.release}
    yield from ((name, value) for name, value in known.items() if value)
    counts = {TOTAL_TOKENS: step.tokens, OPS_NANOS: step.nanos}
    yield from ((name, value) for name, value in counts.items() if value is not None)


def attribute(key: str, value: Any) -> dict[str, Any]:
    """A plain value as an attribute of OTLP; an integer beyond 64 bits becomes text."""
    return {"key": key, "value": _any_value(value)}


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [attribute(name, one) for name, one in value.items()]}}
    return {} if value is None else {"stringValue": str(value)}


def nano(instant: datetime) -> str:
    """An instant as OTLP writes it: nanoseconds since 1970."""
    return str((instant - _EPOCH) // _MICROSECOND * 1000)
