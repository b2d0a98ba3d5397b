"""Whose call it is: one gate and one recording for each run that comes through the door."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from time import monotonic
from typing import Any
from uuid import uuid4

from ops_pipelines.adapters.mcp_trace import meta_of
from ops_pipelines.agentops.approval import PENDING
from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.agentops.gate_async import call_async, has_effect, to_its_end
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.provenance import OPERATOR
from ops_pipelines.agentops.recording import Live, Outcome, Scope, Tape, Writer
from ops_pipelines.agentops.run_log import AGENT, TOOL, Step
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.tool_call import RECORD, Answer, Denied, Done, Waiting
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.agentops.trace_context import TraceContext
from ops_pipelines.apps.tool_gateway.carried import Carried, Serve, carry
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json

_TRIES = 3
"""So often an agent's step is begun anew where another process took its place in the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms calls are let in.

    `all_usd` is the most that the runs of this process may cost together, so that a client that begins a new run for each
    call spends no more. `operator_text` is heard as trusted in every run. `hears_user` lets a client pass on a user's
    words, in `_meta` under `ops/user`. A run that is not heard of for `idle_seconds` is forgotten.
    """

    agent: str
    release: str
    rule: LoopRule = field(default_factory=LoopRule)
    run_usd: Decimal = Decimal(1)
    all_usd: Decimal = Decimal(10)
    tenant: str = ""
    environment: str = "production"
    operator_text: str = ""
    hears_user: bool = False
    idle_seconds: float = 3600.0
    most_runs: int = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """A call as it came: on whose behalf, and what its `_meta` says besides the arguments."""

    tool: str
    arguments: Mapping[str, Any]
    trace: TraceContext | None = None
    session: str = ""
    call_id: str = ""
    approval: str = ""
    user_words: str = ""


@dataclass(frozen=True, slots=True)
class RunLogged:
    """Where runs are recorded: `writer` keeps steps, `steps` are those of a run that are kept already.

    `light` keeps the steps of calls that changed nothing, where these need not survive a power cut.
    """

    writer: Writer
    steps: Callable[[str], tuple[Step, ...]]
    light: Writer | None = None


class Sessions:
    """The runs that are under way, by trace or by session; all in one event loop."""

    def __init__(self, parts: Parts, terms: Terms, logged: RunLogged) -> None:
        self.parts, self.terms, self.logged = parts, terms, logged
        self._purse = Purse(f"gateway/{uuid4().hex}", terms.all_usd)
        self._runs: OrderedDict[str, GatedRun] = OrderedDict()

    async def call(self, asked: Asked, serve: Serve | None = None) -> Answer:
        """What comes of a call; one with an effect goes on to its end where whoever asked has gone."""
        called = self._run_of(asked).call(asked, serve)
        return await (to_its_end(called) if has_effect(self.parts, asked.tool) else called)

    def _run_of(self, asked: Asked) -> "GatedRun":
        key, now = f"trace/{asked.trace.run}" if asked.trace else f"session/{asked.session}", monotonic()
        run = self._runs.pop(key, None)
        if run is None or now - run.used_at > self.terms.idle_seconds:
            run = self._begun(asked.trace.run if asked.trace else uuid4().hex)
        run.used_at = now
        self._runs[key] = run
        while len(self._runs) > self.terms.most_runs:
            self._runs.popitem(last=False)
        return run

    def _begun(self, run: str) -> "GatedRun":
        terms, parts = self.terms, self.parts
        caller = Run(run, terms.agent, terms.release, terms.tenant, terms.environment)
        purse = self._purse.child(run, terms.run_usd)
        gate = Gate(parts, caller, breaker=Breaker(terms.rule, parts.now()), purse=purse)
        if terms.operator_text:
            gate.hear(terms.operator_text, source=OPERATOR)
        return GatedRun(gate, self.logged, hears_user=terms.hears_user)


class GatedRun:
    """One run: its gate, the tape that it is recorded on, and the approvals that it waits for."""

    def __init__(self, gate: Gate, logged: RunLogged, *, hears_user: bool) -> None:
        self.gate, self.used_at = gate, 0.0
        self._logged, self._hears_user = logged, hears_user
        self._tape: Tape | None = None
        self._scopes: dict[str, Scope] = {}
        self._heard: set[str] = set()
        self._waiting: dict[bytes, str] = {}

    async def call(self, asked: Asked, serve: Serve | None) -> Answer:
        """What comes of a call, recorded under the step that asked for it."""
        came: list[Answer] = []

        async def act() -> Outcome:
            came.append(answer := await self._gated(asked))
            return Outcome(answer.to_json(), decision=_stands(answer))

        try:
            scope = self._scope(asked.trace.step if asked.trace else "")
            if self._logged.light and not has_effect(self.gate.parts, asked.tool):
                scope = Scope(replace(self._tape, writer=self._logged.light), scope.agent, scope.step)
            carry(Carried(meta_of(scope), serve))
            await scope.call_async(TOOL, asked.tool, asked.arguments, act)
        except Exception as error:  # the run log is down: what was not run is not run, and what was is told as such
            self._scopes.clear()  # to open one anew finds out, before anything is run, whether the log is back
            return _unrecorded(came[0] if came else None, error)
        return came[0]

    async def _gated(self, asked: Asked) -> Answer:
        if self._hears_user and asked.user_words and asked.user_words not in self._heard:
            self._heard.add(asked.user_words)
            self.gate.hear(asked.user_words)
        key = canonical_json([asked.tool, asked.arguments])
        approval = asked.approval or self._answered(key)
        answer = await call_async(self.gate, asked.tool, asked.arguments, call_id=asked.call_id, approval=approval)
        if isinstance(answer, Waiting):
            self._waiting[key] = answer.approval
        elif approval:
            self._waiting.pop(key, None)
        return answer

    def _answered(self, key: bytes) -> str:
        """The approval that this very call waits for, once a person has answered: the same call again is enough."""
        approval, parts = self._waiting.get(key, ""), self.gate.parts
        try:
            held = parts.approvals.held(approval) if approval else ()
        except Exception:  # the gate says what is wrong with the store
            return ""
        return approval if held and held[0].state(parts.now()) != PENDING else ""

    def _scope(self, parent: str) -> Scope:
        if parent not in self._scopes:
            self._scopes[parent] = self._opened(parent)
        return self._scopes[parent]

    def _opened(self, parent: str) -> Scope:
        """The scope of this door under a step. Its place is one that no other process has taken in the same run."""
        run, name = self.gate.run, f"gate of {self.gate.run.agent}"
        source = self._tape.source if self._tape else Live(self.gate.parts.now)
        assert isinstance(source, Live)
        self._tape = Tape(run.id, source, self._logged.writer, run.release)
        for left in reversed(range(_TRIES)):
            for step in self._logged.steps(run.id):
                if (step.parent, step.kind) == (parent, AGENT):
                    source.occurrences.reserve((step.parent, step.kind, step.name), step.occurrence)
            try:
                return self._tape.begin(name, parent=parent)
            except DataError:
                if not left:
                    raise
        raise AssertionError  # the last try has returned or raised


def _stands(answer: Answer) -> str:
    if isinstance(answer, Denied):
        return f"denied at {answer.stage}"
    return "waiting" if isinstance(answer, Waiting) else ""


def _unrecorded(answer: Answer | None, error: Exception) -> Answer:
    why = f"the run could not be recorded: {error}"[:2000]
    if answer is None:
        return Denied(RECORD, why, "Nothing was done. Tell a person that the log is down")
    if isinstance(answer, Done):
        return Denied(RECORD, f"it was done, and {why}", "Never repeat it. Tell a person", is_unknown=True)
    return answer
