"""What agents did, step by step: append-only, and kept before the agent goes on.

A run is one request with all that followed from it, whichever agents took part: its id is a W3C trace id, and that of a
step a span id. A step's id is made of its place (parent, kind, name, occurrence), so that the same step of a replay, of a
fork or of another run has the same id. What a RunLog guarantees is checked by `ops_pipelines.testing.run_log`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from ops_pipelines.agentops.payload import Payload
from ops_pipelines.core.clock import Window
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.llmops.cost import from_nanos

AGENT, MODEL, TOOL, DECISION, MESSAGE = "agent", "model", "tool", "decision", "message"
MEMORY_READ, MEMORY_WRITE, CLOCK, RANDOM = "memory_read", "memory_write", "clock", "random"
KINDS = (AGENT, MODEL, TOOL, MEMORY_READ, MEMORY_WRITE, DECISION, MESSAGE, CLOCK, RANDOM)
EFFECT_KINDS = frozenset({TOOL, MEMORY_WRITE, MESSAGE})
"""The kinds that may change something outside the agent."""
MONEY_KINDS = frozenset({MODEL})
"""The kinds of which a missing price means that nobody knows what the run cost."""
DENIED_AT = "denied at "
"""How the decision of a tool's step begins that a gate denied; the stage follows."""
_MOST = 2**53
"""The largest count that is kept: nine million dollars in billionths, and exact in whatever reads it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, when it had ended. `inputs` and `outputs` are digests of payloads, empty where there was nothing.

    `occurrence` counts the steps of one kind and name under one parent from 0. A step of the kind `agent` says that an
    agent began with a task, so that its steps have a parent however it ends. `nanos` are billionths of a dollar, None
    where nobody knows them. `links` are the steps whose outputs came here as a message; `error` is empty where all went
    well.
    """

    id: str
    run: str
    parent: str
    agent: str
    kind: str
    name: str
    occurrence: int
    inputs: str
    outputs: str
    started: datetime
    ended: datetime
    decision: str = ""
    error: str = ""
    memory_version: str = ""
    release: str = ""
    tokens: int | None = None
    nanos: int | None = None
    links: tuple[str, ...] = ()

    @property
    def was_denied(self) -> bool:
        """Whether it is a call that a gate did not let through."""
        return self.kind == TOOL and self.decision.startswith(DENIED_AT)

    @property
    def usd(self) -> Decimal | None:
        """What it cost in dollars; None where nobody knows."""
        return None if self.nanos is None else from_nanos(self.nanos)


@dataclass(frozen=True, slots=True)
class Entry:
    """A step with the payloads that it names, redacted and shortened: what may go to disk."""

    step: Step
    payloads: tuple[Payload, ...] = ()


@dataclass(frozen=True, slots=True)
class Tally:
    """How many entries were accepted, and why the others were rejected, by their ids: together all that were sent."""

    accepted: int
    rejected: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are asked for: those with a step of this agent, kind and name; empty is any. `failed` are those with an
    error, and `digits` the first ones of a run's id. `lacks` are those whose first agent's release decided nothing under
    these names.
    """

    agent: str = ""
    kind: str = ""
    name: str = ""
    failed: bool = False
    digits: str = ""
    lacks: tuple[str, ...] = ()

    def admits(self, step: Step) -> bool:
        """Whether a step is one that was asked for."""
        wanted = ((self.agent, step.agent), (self.kind, step.kind), (self.name, step.name))
        return step.run.startswith(self.digits) and all(asked in ("", found) for asked, found in wanted)

    def leaves_out(self, steps: Sequence[Step]) -> bool:
        """Whether a run decided what it was asked to lack."""
        release = next((step.release for step in steps if step.kind == AGENT), "")
        decided = {step.name for step in steps if step.kind == DECISION and step.release == release != ""}
        return not decided.isdisjoint(self.lacks)


EVERY_RUN = RunFilter()


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in one line. `unpriced` is how many model calls nobody knows the cost of: it is at least `nanos`."""

    run: str
    agent: str
    started: datetime
    ended: datetime
    steps: int
    errors: int
    tokens: int
    nanos: int
    unpriced: int


class RunLog(Protocol):
    """Where steps are kept."""

    def append(self, entries: Sequence[Entry]) -> Tally:
        """Keep entries, durably before it returns.

        A step that is kept already is accepted and changes nothing; one that `fault_of` finds wrong, and another one
        under the id of a kept one, is rejected. DataError where nothing could be kept.
        """

    def steps(self, run: str) -> tuple[Step, ...]:
        """The steps of a run in the order in which they were kept; empty where there is none."""

    def runs(self, window: Window, of: RunFilter = EVERY_RUN, *, limit: int = 100) -> tuple[RunSummary, ...]:
        """The runs that began in a window, the newest first."""

    def payload(self, digest: str) -> Payload | None:
        """What is kept under a digest; None where nothing is."""


def step_id(parent: str, kind: str, name: str, occurrence: int) -> str:
    """The id of the step at a place: 16 hexadecimal digits, the same in every run."""
    return digest_json([parent, kind, name, occurrence])[:16]


def has_own_id(step: Step) -> bool:
    """Whether a step's id is that of its place, as those are that were recorded here; foreign spans have ids of their own."""
    return step.id == step_id(step.parent, step.kind, step.name, step.occurrence)


def fault_of(entry: Entry) -> str:
    """Why an entry cannot be kept, empty where it can."""
    step = entry.step
    if not (step.id and step.run):
        return "a step needs an id and a run"
    if step.kind not in KINDS:
        return f"{step.kind!r} is no kind of step: {', '.join(KINDS)}"
    counts = (step.occurrence, step.tokens or 0, step.nanos or 0)
    if min(counts) < 0 or max(counts) > _MOST:
        return f"an occurrence, tokens and a cost are counts from 0 to {_MOST}"
    carried = {payload.digest for payload in entry.payloads} | {""}
    return "" if {step.inputs, step.outputs} <= carried else "a step comes with the payloads that it names"


def summary_of(steps: Sequence[Step]) -> RunSummary:
    """The steps of one run (at least one, in the order in which they were kept) as one line."""
    return RunSummary(
        run=steps[0].run,
        agent=steps[0].agent,
        started=min(step.started for step in steps),
        ended=max(step.ended for step in steps),
        steps=len(steps),
        errors=sum(bool(step.error) for step in steps),
        tokens=sum(step.tokens or 0 for step in steps),
        nanos=sum(step.nanos or 0 for step in steps),
        unpriced=sum(step.kind in MONEY_KINDS and step.nanos is None for step in steps),
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """A run as it was kept: its steps, and its payloads by their digests."""

    run: str
    steps: tuple[Step, ...]
    payloads: Mapping[str, Payload] = field(repr=False)

    def value(self, digest: str) -> object:
        """The value under a digest, None for the empty one; DataError where it was shortened, KeyError where absent."""
        return self.payloads[digest].value() if digest else None


def recording_of(log: RunLog, run: str) -> Recording:
    """A run with all its payloads in memory; without a step where the log has none of it."""
    steps = log.steps(run)
    named = {digest for step in steps for digest in (step.inputs, step.outputs) if digest}
    found = {digest: log.payload(digest) for digest in sorted(named)}
    return Recording(run, steps, {digest: payload for digest, payload in found.items() if payload is not None})
