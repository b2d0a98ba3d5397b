"""Whose call it is: one gate and one recording for each run that comes through the door."""

from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from uuid import uuid4

from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.agentops.gate_async import has_effect, to_its_end
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.provenance import OPERATOR
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.tool_call import Answer, Denied
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.apps.tool_gateway.admission import Admission, DoorRule
from ops_pipelines.apps.tool_gateway.asked import Asked
from ops_pipelines.apps.tool_gateway.callers import Caller, PrincipalOf, caller_of, nobody
from ops_pipelines.apps.tool_gateway.carried import Serve
from ops_pipelines.apps.tool_gateway.gated_run import GatedRun
from ops_pipelines.apps.tool_gateway.remembered import Remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms calls are let in.

    `all_usd` is the most that the runs of this process may cost together, so that a client that begins a new run for each
    call spends no more. `operator_text` is heard as trusted in every run. `hears_user` lets a client pass on a user's
    words, in `_meta` under `ops/user`. A run that is not heard of for `idle_seconds` is forgotten, and so are the oldest
    where more than `most_runs` are known, or more than `most_characters` were read in all of them. `started_by` is whose
    token serves them, who approves none of their calls; where a client sends a principal's token, that principal is. What
    a client without a trace does is no one task: once that has had its steps or its time by `rule`, its next call begins
    another run.
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
    most_characters: int = 200_000_000
    started_by: str = ""
    door: DoorRule = field(default_factory=DoorRule)


class Sessions:
    """The runs that are under way, by what tells their clients apart; all in one event loop."""

    def __init__(self, parts: Parts, terms: Terms, logged: RunLogged, *, principal_of: PrincipalOf = nobody) -> None:
        self.parts, self.terms = parts, terms
        self._principal_of, self._door = principal_of, Admission(terms.door)
        self._joined = JoinedRuns(logged, parts.now, release=terms.release)
        self._purse = Purse(f"gateway/{uuid4().hex}", terms.all_usd)
        self._runs: Remembered[GatedRun] = Remembered(terms.most_runs, terms.most_characters)

    async def call(self, asked: Asked, serve: Serve | None = None) -> Answer:
        """What comes of a call; one with an effect goes on to its end where whoever asked has gone.

        A call that waits for its turn is given up with its client: nothing of it was begun.
        """
        effect = has_effect(self.parts, asked.tool)
        caller = caller_of(asked, self._principal_of, unnamed=self.terms.door.unnamed, has_effect=effect)
        refused = caller if isinstance(caller, Denied) else await self._door.enter(caller.client)
        if isinstance(caller, Denied) or refused:
            return refused or caller
        called = self._let_in(asked, caller, serve)
        return await (to_its_end(called) if effect else called)

    @property
    def remembered(self) -> int:
        """How many runs are remembered."""
        return len(self._runs)

    def hear(self, asked: Asked, text: str, *, source: str) -> None:
        """Take in what strangers may have written, in the run that a request belongs to: what occurs in it is tainted."""
        caller = caller_of(asked, self._principal_of, unnamed=self.terms.door.unnamed, has_effect=False)
        if isinstance(caller, Caller) and caller.run:
            self._run_of(asked, caller).gate.hear(text, source=source, trusted=False)

    async def _let_in(self, asked: Asked, caller: Caller, serve: Serve | None) -> Answer:
        try:
            run = self._run_of(asked, caller)
            answer = await run.call(asked, serve)
            self._runs.weigh(caller.run, run)
            return answer
        finally:
            self._door.leave(caller.client)

    def _run_of(self, asked: Asked, caller: Caller) -> GatedRun:
        if not caller.run:
            return self._begun(uuid4().hex, caller)
        now, run = monotonic(), self._runs.get(caller.run)
        is_over = run is not None and not asked.trace and run.gate.breaker.is_spent(self.parts.now())
        if run is None or is_over or now - run.used_at > self.terms.idle_seconds:
            run = self._begun(asked.trace.run if asked.trace else uuid4().hex, caller)
        run.used_at = now
        self._runs.keep(caller.run, run)
        return run

    def _begun(self, run: str, caller: Caller) -> GatedRun:
        terms, parts = self.terms, self.parts
        began_by = caller.principal if caller.principal not in ("", terms.agent) else terms.started_by
        who = Run(run, terms.agent, terms.release, terms.tenant, terms.environment, started_by=began_by)
        purse = self._purse.child(run, terms.run_usd)
        gate = Gate(parts, who, breaker=Breaker(terms.rule, parts.now()), purse=purse)
        if terms.operator_text:
            gate.hear(terms.operator_text, source=OPERATOR)
        return GatedRun(gate, self._joined, client=caller.client, hears_user=terms.hears_user)
