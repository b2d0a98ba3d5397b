"""Runs as MLflow's trace page shows them well: types of spans, tokens, costs, and agents drawn over all that they did.

A step of an agent says that it began, and ends at once. Its span is drawn to the end of the last step below it, with
what came out of that as its output, and the real end beside it, so that reading such spans gives the same steps again.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ops_pipelines.agentops.otlp_export import attribute, export_spans, nano
from ops_pipelines.agentops.otlp_names import (
    MLFLOW_COST,
    MLFLOW_INPUTS,
    MLFLOW_OUTPUTS,
    MLFLOW_TAG,
    MLFLOW_TOKENS,
    MLFLOW_TYPE,
    OPS_ENDED,
)
from ops_pipelines.agentops.run_log import AGENT, MEMORY_READ, MEMORY_WRITE, MODEL, TOOL, Entry, RunLog, Step

_TYPES = {AGENT: "AGENT", MODEL: "CHAT_MODEL", TOOL: "TOOL", MEMORY_READ: "RETRIEVER", MEMORY_WRITE: "MEMORY"}
"""MLflow's word for each kind that it has one for; the others are named after themselves."""


def spans_for_mlflow(log: RunLog, entries: Sequence[Entry], steps: Sequence[Step]) -> dict[str, Any]:
    """Entries of one run as an export request; `steps` are all that the log has of it by now."""
    request = export_spans(entries)
    spans = request["resourceSpans"][0]["scopeSpans"][0]["spans"]
    last = _last_below(steps)
    for entry, span in zip(entries, spans, strict=True):
        span["attributes"] += [attribute(name, value) for name, value in _shown(log, entry, last.get(entry.step.id))]
        if entry.step.id in last and last[entry.step.id].ended > entry.step.ended:
            span["attributes"].append(attribute(OPS_ENDED, nano(entry.step.ended)))
            span["endTimeUnixNano"] = nano(last[entry.step.id].ended)
    return request


def _last_below(steps: Sequence[Step]) -> Mapping[str, Step]:
    """The step that ended last below each agent's; a step whose parent is not there has none to tell."""
    by_id, last = {step.id: step for step in steps}, dict[str, Step]()
    for step in steps:
        for above in _agents_above(step, by_id):
            if above not in last or last[above].ended <= step.ended:
                last[above] = step
    return last


def _agents_above(step: Step, by_id: Mapping[str, Step]) -> Iterator[str]:
    seen = {step.id}
    while step.parent in by_id and step.parent not in seen:
        seen.add(step.parent)
        step = by_id[step.parent]
        if step.kind == AGENT:
            yield step.id


def _shown(log: RunLog, entry: Entry, last: Step | None) -> Iterator[tuple[str, Any]]:
    step, by_digest = entry.step, {payload.digest: payload for payload in entry.payloads}
    yield MLFLOW_TYPE, _TYPES.get(step.kind, step.kind.upper())
    sent, came = by_digest.get(step.inputs), by_digest.get(step.outputs)
    if step.kind == AGENT and came is None and last is not None:
        came = log.payload(last.outputs or last.inputs)
    yield from ((name, one.shown()) for name, one in ((MLFLOW_INPUTS, sent), (MLFLOW_OUTPUTS, came)) if one)
    if step.tokens is not None:
        yield MLFLOW_TOKENS, {"total_tokens": step.tokens}
    if step.usd is not None:
        yield MLFLOW_COST, {"total_cost": float(step.usd)}
    if not step.parent:
        yield MLFLOW_TAG, step.agent
