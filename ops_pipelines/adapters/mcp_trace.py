"""W3C trace context in MCP: which step a request works for, in its `_meta` and as a header of HTTP.

The line is sent under the standard's own name and under ours, and ours is read first: where OpenTelemetry is switched on
in the client's process it puts the span of its own under the standard's name, which no run log knows.

Among agents of ours more goes along: who waits for the task, and on the way back the step that answered.
"""

import re
from collections.abc import Mapping
from typing import Any

from ops_pipelines.agentops.recording import Scope
from ops_pipelines.agentops.trace_context import TraceContext, format_traceparent, parse_traceparent

TRACEPARENT, OURS = "traceparent", "ops/traceparent"
LINE, TOOLS, TENANT = "ops/line", "ops/tools", "ops/tenant"
"""In the `_meta` of a request: the agents that wait for the task, what the receiver may use for it, and for whom it is."""
ANSWERED_BY = "ops/step"
"""In the `_meta` of a result: the step by which an agent gave it."""
_STEP = re.compile(r"[0-9a-f]{16}")


def meta_of(scope: Scope) -> dict[str, str]:
    """The `_meta` of a request that is made on behalf of an agent's scope; DataError where its run has no W3C id."""
    line = format_traceparent(TraceContext(scope.run, scope.step))
    return {TRACEPARENT: line, OURS: line}


def headers_of(scope: Scope) -> dict[str, str]:
    """The same as headers, for a transport over HTTP that belongs to this scope alone."""
    return {TRACEPARENT: format_traceparent(TraceContext(scope.run, scope.step))}


def trace_of(meta: Mapping[str, Any] | None, headers: Mapping[str, str] | None = None) -> TraceContext | None:
    """On whose behalf a request is made; None where nobody says so, or in no form that the standard knows."""
    for place, name in ((meta, OURS), (meta, TRACEPARENT), (headers, TRACEPARENT)):
        line = (place or {}).get(name)
        found = parse_traceparent(line) if isinstance(line, str) else None
        if found is not None:
            return found
    return None


def answered_by(meta: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The step that a result's `_meta` names, for the links of the step that asked; empty where it names none."""
    step = (meta or {}).get(ANSWERED_BY)
    return (step,) if isinstance(step, str) and _STEP.fullmatch(step) else ()


def line_of(meta: Mapping[str, Any] | None) -> tuple[str, ...]:
    """The agents that wait for a task, as whoever asks says."""
    said = (meta or {}).get(LINE)
    return tuple(one for one in said if isinstance(one, str)) if isinstance(said, list) else ()
