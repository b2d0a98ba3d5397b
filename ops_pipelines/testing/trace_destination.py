"""The fake of `adapters.trace_destinations.Destination`, and the conformance suite that it and every destination run."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ops_pipelines.adapters.trace_destinations import Destination, Unsent
from ops_pipelines.agentops.otlp_export import export_spans
from ops_pipelines.testing.run_log import entry_of

Shown = Callable[[str], Sequence[str]]
"""The names of the spans of a run that a destination shows, sorted."""


class MemoryDestination:
    """A destination that forgets with its process. Set `away` to have nobody answer; `refuses` are runs it never takes."""

    def __init__(self, *, refuses: tuple[str, ...] = ()) -> None:
        self.away, self.refuses = False, refuses
        self.spans: dict[str, Mapping[str, Any]] = {}
        self.requests = 0

    def send(self, request: Mapping[str, Any]) -> None:
        """Keep the spans; all or none."""
        if self.away:
            raise Unsent("the destination", "nobody answers", refused=False)
        came = {span["spanId"]: span for span in _spans(request)}
        if bad := {span["traceId"] for span in came.values()}.intersection(self.refuses):
            raise Unsent("the destination", f"{', '.join(sorted(bad))} is malformed", refused=True)
        self.requests += 1
        self.spans |= came

    def shown(self, run: str) -> Sequence[str]:
        """The names of the spans of a run that came, sorted."""
        return sorted(str(span["name"]) for span in self.spans.values() if span["traceId"] == run)


class DestinationConformance:
    """What every destination guarantees, as tests of the fixtures `destination` and `shown`."""

    def test_what_was_sent_is_shown(self, destination: Destination, shown: Shown) -> None:
        run = uuid.uuid4().hex
        root = entry_of("oncall", kind="agent", run=run, inputs={"alarm": "drift"})
        destination.send(export_spans([root, entry_of("notify", run=run, parent=root.step.id, outputs=["sent"])]))
        assert shown(run) == ["execute_tool notify", "invoke_agent oncall"]

    def test_what_is_sent_twice_is_shown_once(self, destination: Destination, shown: Shown) -> None:
        run = uuid.uuid4().hex
        request = export_spans([entry_of("oncall", kind="agent", run=run, inputs="x")])
        destination.send(request)
        destination.send(request)
        assert shown(run) == ["invoke_agent oncall"]

    def test_two_runs_may_be_sent_at_once(self, destination: Destination, shown: Shown) -> None:
        one, other = uuid.uuid4().hex, uuid.uuid4().hex
        destination.send(export_spans([entry_of("a", run=one), entry_of("b", run=other, occurrence=1)]))
        assert (shown(one), shown(other)) == (["execute_tool a"], ["execute_tool b"])


def _spans(request: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for part in request["resourceSpans"]:
        for scope in part["scopeSpans"]:
            yield from scope["spans"]
