"""Which step an agent in another process works for: W3C trace context, one line that goes along with a request.

The trace id is the run's and the parent id the step's, so that the steps of all processes make one run. A line that is
malformed starts a new run, as the standard asks: nobody's trace is joined by guessing.
"""

import re
from dataclasses import dataclass

from ops_pipelines.core.errors import DataError

_LINE = re.compile(r"(?P<version>[0-9a-f]{2})-(?P<run>[0-9a-f]{32})-(?P<step>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?")
_RUN, _STEP = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """The run and the step on whose behalf something is asked."""

    run: str
    step: str


def parse_traceparent(line: str) -> TraceContext | None:
    """What a `traceparent` header says; None where it is missing, malformed or all zeros.

    >>> parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").step
    '00f067aa0ba902b7'
    >>> parse_traceparent("hello")
    """
    found = _LINE.fullmatch(line.strip())
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not (found["run"].strip("0") and found["step"].strip("0")):
        return None
    return TraceContext(found["run"], found["step"])


def format_traceparent(context: TraceContext) -> str:
    """The `traceparent` header of a run and step, marked as sampled; DataError where their ids are not W3C's.

    >>> format_traceparent(TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"))
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    """
    if not (_RUN.fullmatch(context.run) and _STEP.fullmatch(context.step)):
        raise DataError(
            f"The run {context.run!r} and step {context.step!r} have no W3C trace context",
            expected="32 hexadecimal digits for a run, 16 for a step",
            action="Make ids of runs with `uuid.uuid4().hex`",
        )
    return f"00-{context.run}-{context.step}-01"
