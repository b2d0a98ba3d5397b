"""What an agent's program is given: its task, its settings, and the only ways to its tools, its models and its memory.

Each thing that it asks for becomes a step, and each tool call goes through the gate. A call that waits for a person suspends
the program: nothing of that call is kept but the approval, and when the run is resumed the program comes to the same call
again. So a program is written as if a person's yes came at once:

    def program(session: Session) -> dict:
        report = session.tool("drift_report", system="flight_delay")
        if isinstance(report, Denied): ...
        return {"done": session.tool("roll_back", system="flight_delay", to=report.result["before"])}

A program whose steps come from a recording is told what was recorded, and its gate takes in what that brought.
"""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from ops_pipelines.agentops.provenance import OPERATOR
from ops_pipelines.agentops.recording import Act, Outcome, Scope
from ops_pipelines.agentops.replay import NOTES
from ops_pipelines.agentops.run_log import MODEL
from ops_pipelines.agentops.spend import settle
from ops_pipelines.agentops.tool_call import Denied, Done, Waiting, answer_from_json
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import ConfigError, NotAllowed
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of
from ops_pipelines.llmops.cost import from_nanos


class Suspended(BaseException):
    """A call waits for a person. It is no Exception, so that no program and no step takes it for a failure."""

    def __init__(self, call: str, tool: str, arguments: Mapping[str, Any], waiting: Waiting) -> None:
        self.call, self.tool, self.arguments, self.waiting = call, tool, arguments, waiting
        super().__init__(f"{tool} waits for the approval {waiting.approval}")

    def to_json(self) -> dict[str, Any]:
        """What is noted of it."""
        told = {"approval": self.waiting.approval, "reason": self.waiting.reason}
        return {"call": self.call, "tool": self.tool, "arguments": dict(self.arguments), **told}


class RunStopped(NotAllowed):
    """A model may not be asked: the run's breaker has opened, or its budget is spent."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What has become of calls that waited, by their names in the run.

    `answered` holds the approval of each call that somebody has answered, or that has expired, with the arguments that it
    is bound to; `pending` the approval of each that still waits.
    """

    answered: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    pending: Mapping[str, str] = field(default_factory=dict)


class _Names:
    """Names calls so that the same call of a resumed run has the same name, whatever order parallel ones come in."""

    def __init__(self) -> None:
        self._lock, self._times = threading.Lock(), dict[str, int]()

    def of(self, scope: Scope, tool: str, arguments: Mapping[str, Any]) -> str:
        place = f"{scope.step}/{tool}/{scope.kept_as(arguments)[:16]}"
        with self._lock:
            self._times[place] = self._times.get(place, 0) + 1
            return f"{place}/{self._times[place]}"


class Session:
    """What a program goes outside by. Without a gate it is a replay, and nothing outside is reached at all."""

    def __init__(
        self,
        scope: Scope,
        gate: Gate | None,
        *,
        settings: Mapping[str, Any] | None = None,
        answers: Answers | None = None,
    ) -> None:
        self.scope, self.settings = scope, settings or {}
        self._gate, self._answers, self._names = gate, answers or Answers(), _Names()
        if gate:
            gate.hear(_text(self.settings), source=OPERATOR)

    @property
    def task(self) -> Any:
        """What the agent was asked to do, as it was kept."""
        return self.scope.task

    @property
    def run(self) -> str:
        """The id of the run."""
        return self.scope.run

    def hear(self, text: str, *, source: str, trusted: bool) -> None:
        """Read a text, which is trusted or was written by strangers."""
        if self._gate:
            self._gate.hear(text, source=source, trusted=trusted)

    def tool(self, name: str, /, **arguments: Any) -> Done | Denied:
        """What comes of a call: its result, or why it was denied and what to do. It never raises for what the gate says."""
        acted = False
        call = self._names.of(self.scope, name, arguments)

        def act() -> Any:
            nonlocal acted
            acted = True
            return self._called(call, name, arguments)

        answer = answer_from_json(self.scope.tool(name, arguments, act))
        assert not isinstance(answer, Waiting)
        if self._gate and not acted:
            self._gate.recall(name, arguments, answer)
        return answer

    def model(self, name: str, request: Any, act: Act) -> Any:
        """A model's answer, paid from the run's purse; let the act return an Outcome with its tokens and its cost.

        StepFailed where it raises, and where the run was stopped or has spent its budget.
        """
        return self.scope.model(name, request, lambda: self._paid(name, request, act))

    async def model_async(self, name: str, request: Any, act: Callable[[], Awaitable[Any]]) -> Any:
        """The same where the act has to be awaited."""

        async def paid() -> Any:
            reserved = self._reserve(name)
            try:
                found = await act()
            except BaseException:
                self._settle(name, request, reserved, None)
                raise
            self._settle(name, request, reserved, found)
            return found

        return await self.scope.call_async(MODEL, name, request, paid)

    def memory(self, name: str, query: Any, act: Act) -> Any:
        """What a memory holds; see Scope."""
        return self.scope.memory(name, query, act)

    def message(self, receiver: str, message: Any, act: Act) -> Any:
        """What another agent answers; see Scope."""
        return self.scope.message(receiver, message, act)

    def now(self, clock: Callable[[], datetime]) -> datetime:
        """The instant that a clock shows."""
        return self.scope.now(clock)

    def random(self, name: str, draw: Act) -> Any:
        """What was drawn."""
        return self.scope.random(name, draw)

    def decide(self, name: str, value: Any) -> None:
        """Note what the agent decided; ConfigError for a name by which runs note something of themselves."""
        if name in NOTES:
            raise ConfigError(
                f"A decision cannot be called {name!r}", expected="another name", action=f"Not {', '.join(NOTES)}"
            )
        self.scope.decide(name, value)

    def inside(self, agent: str, task: Any = None, *, limit_usd: Decimal | None = None) -> "Session":
        """The session of an agent that this one hands a task to: it shares the purse and the breaker, and no trust."""
        scope = self.scope.inside(agent, task)
        gate = self._gate
        if gate:
            handed = replace(gate.run, id=f"{gate.run.id}/{scope.step}", agent=agent)
            gate = gate.child(handed, limit_usd=limit_usd)
            gate.hear(_text(task))
        return Session(scope, gate, settings=self.settings, answers=self._answers)

    def _called(self, call: str, name: str, arguments: Mapping[str, Any]) -> Any:
        if self._gate is None:
            return Denied("execute", "this is a replay, and it does nothing", "Run it live").to_json()
        if call in self._answers.pending:
            waiting = Waiting(self._answers.pending[call], "nobody has answered yet")
            raise Suspended(call, name, arguments, waiting)
        # What a recording gives back has no secrets any more: the call that was approved is made as it was approved.
        approval, exact = self._answers.answered.get(call, ("", arguments))
        answer = self._gate.call(name, exact, call_id=call, approval=approval)
        if isinstance(answer, Waiting):
            raise Suspended(call, name, arguments, answer)
        stands = f"denied at {answer.stage}" if isinstance(answer, Denied) else ""
        return Outcome(answer.to_json(), decision=stands)

    def _paid(self, name: str, request: Any, act: Act) -> Any:
        reserved = self._reserve(name)
        found: Any = None
        try:
            found = act()
        finally:
            self._settle(name, request, reserved, found)
        return found

    def _reserve(self, name: str) -> str:
        """Admit a call of a model and set aside the most that it can cost; the id of the reservation, empty for none."""
        gate = self._gate
        if gate is None:
            return ""
        parts, at = gate.parts, gate.parts.now()
        _check(name, gate.breaker.admit(at))
        most = parts.prices.get(f"model:{name}")
        if most is None:
            return ""
        reservation = parts.new_id()
        _check(name, gate.purse.reserve(parts.budgets, reservation, most, at=at))
        return reservation

    def _settle(self, name: str, request: Any, reserved: str, found: Any) -> None:
        gate = self._gate
        if gate is None:
            return
        known = found if isinstance(found, Outcome) else Outcome(found)
        if reserved:
            usd = None if known.nanos is None else from_nanos(known.nanos)
            settle(gate.parts.budgets, reserved, usd, at=gate.parts.now())
        shown, asked = _text(known.value), {"request": _text(request)}
        gate.breaker.record(gate.run.id, f"model:{name}", asked, shown, failed=found is None)


def _check(name: str, found: Verdict) -> None:
    if not isinstance(found, Passed):
        raise RunStopped(
            f"The model {name!r} is not asked: {'; '.join(reasons_of(found))}",
            expected="a run within its steps, its time and its budget",
            action="Finish with what there is, or ask a person for more",
        )


def _text(value: Any) -> str:
    return canonical_json(value).decode()
