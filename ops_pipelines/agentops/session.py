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

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any

from ops_pipelines.agentops.gate_refusal import broke
from ops_pipelines.agentops.memory import MemoryStore
from ops_pipelines.agentops.notes import ENDS, NOTES, UNTRUSTED
from ops_pipelines.agentops.paid_model import PaidModel
from ops_pipelines.agentops.payload import plain
from ops_pipelines.agentops.provenance import OPERATOR
from ops_pipelines.agentops.recording import Act, Ask, Outcome, Scope, StepFailed
from ops_pipelines.agentops.redaction import is_marked
from ops_pipelines.agentops.replay import ReplayDiverged
from ops_pipelines.agentops.run_control import RunControl, Suspended
from ops_pipelines.agentops.run_log import DENIED_AT, MEMORY_WRITE
from ops_pipelines.agentops.run_memory import OF_AGENT, RunMemory, is_trusted, source_said, values_of
from ops_pipelines.agentops.tool_call import RECORD, Denied, Done, Waiting, answer_from_json
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import ConfigError, NotAllowed, OpsError
from ops_pipelines.core.fingerprint import canonical_json

OWN = (*NOTES, *ENDS)
"""The names by which a run notes something of itself, and no program does."""


class Session:
    """What a program goes outside by. Without a gate it is a replay, and nothing outside is reached at all."""

    def __init__(
        self,
        scope: Scope,
        gate: Gate | None,
        *,
        settings: Mapping[str, Any] | None = None,
        control: RunControl | None = None,
        memory: MemoryStore | None = None,
    ) -> None:
        self.scope, self.settings, self.control = scope, settings or {}, control or RunControl()
        self._gate, self._memory = gate, memory
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
        name, kept = str(name), self.scope.kept_as(arguments)  # a model may call for something that is no name at all
        with self.control.turn(f"{self.scope.step}/{name}/{kept[:16]}") as call, self.control.step():
            told, acted = self._told(call, name, arguments, kept)
        answer = answer_from_json(told)
        assert not isinstance(answer, Waiting)
        return answer if acted else self._heard_again(name, arguments, answer)

    def model(self, name: str, request: Any, ask: Ask) -> Any:
        """What a model answers to a request, paid from the run's purse; let `ask` return an Outcome with tokens and cost.

        `ask` is given the request, which is another one where a fork edits it. StepFailed where it raises, and where the
        run was stopped or has spent its budget.
        """
        asking = PaidModel(self._gate, name, request)
        with self.control.step(), asking.told_again():
            return asking.came(self.scope.model(name, request, partial(asking.paid, ask)))

    async def model_async(self, name: str, request: Any, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        """The same where the answer has to be awaited."""
        asking = PaidModel(self._gate, name, request)
        with self.control.step(), asking.told_again():
            return asking.came(await self.scope.model_async(name, request, partial(asking.paid_async, ask)))

    def memory(self, name: str, query: Any, act: Act) -> Any:
        """What a memory holds; see Scope. The gate takes it for the word of strangers."""
        with self.control.step(), self._hearing(f"memory {name}") as heard:
            return heard(self.scope.memory(name, query, act))

    def recall(self, *, of: str = OF_AGENT) -> Mapping[str, Any]:
        """All that is remembered by key: by the agent and above it by its tenant, `of` the tenant only, or this run too.

        The step names the versions that were read. What comes from strangers taints, as if the agent had read it now.
        """
        with self.control.step():
            found = self.scope.memory("recall", {"of": of}, lambda: self._kept_by().recalled(of))
        for key, one in found.items() if self._gate else ():
            trusted = is_trusted(one["source"], self._trusts)
            self.hear(_text({key: one["value"]}), source=f"memory of {one['source']}", trusted=trusted)
        return values_of(found)

    def remember(self, key: str, value: Any, *, source: str, of: str = OF_AGENT) -> None:
        """Keep a value for later, or forget it with None; `source` is where it is from: `user`, `tool:NAME`, an address.

        What the agent says of the source is believed where each word of the value was heard from somebody trusted.
        StepFailed in a fork: what might have been is not remembered.
        """
        gate = self._gate
        is_own = gate is not None and is_trusted(source, self._trusts) and not gate.vouches(value)
        said = source_said(source, gate.tainted_by if gate else (), is_own=is_own)
        asked = {"of": of, "value": value, "source": source}
        with self.control.turn(f"{self.scope.step}/remember/{key}") as nth:
            name = f"{key} {nth.rpartition('/')[2]}"
            step = self.scope.step_of(MEMORY_WRITE, name)

            def act() -> Any:
                self._check_may_act("remember", key)
                memory, again = self._kept_by(), bool(self._gate and self._gate.resumed)
                return memory.remembered(of, memory.change(key, value, source=said, step=step), again=again)

            with self.control.step():
                self.scope.call(MEMORY_WRITE, name, asked, act)

    def message(self, receiver: str, message: Any, act: Act) -> Any:
        """What another agent answers; see Scope. The gate takes it for the word of strangers.

        StepFailed in a fork, which sends nothing.
        """

        def sent() -> Any:
            self._check_may_act("send a message to", receiver)
            return act()

        with self.control.step(), self._hearing(receiver) as heard:
            return heard(self.scope.message(receiver, message, sent))

    def now(self, clock: Callable[[], datetime]) -> datetime:
        """The instant that a clock shows."""
        with self.control.step():
            return self.scope.now(clock)

    def random(self, name: str, draw: Act) -> Any:
        """What was drawn."""
        with self.control.step():
            return self.scope.random(name, draw)

    def decide(self, name: str, value: Any) -> None:
        """Note what the agent decided; ConfigError for a name by which runs note something of themselves."""
        if name in OWN:
            raise ConfigError(
                f"A decision cannot be called {name!r}", expected="another name", action=f"Not {', '.join(OWN)}"
            )
        with self.control.step():
            self.scope.decide(name, value)

    def inside(self, agent: str, task: Any = None, *, limit_usd: Decimal | None = None) -> "Session":
        """The session of an agent that this one hands a task to: it shares the purse and the breaker, and no trust."""
        gate, tainted = self._gate, self._gate.tainted_by if self._gate else ()
        with self.control.step():
            scope = self.scope.inside(agent, task, decision=UNTRUSTED if tainted else "")
        if gate:
            handed = replace(gate.run, id=f"{gate.run.id}/{scope.step}", agent=agent)
            gate = gate.child(handed, limit_usd=limit_usd)
            gate.hear(_text(scope.task), source="task", trusted=not tainted)
        return Session(scope, gate, settings=self.settings, control=self.control, memory=self._memory)

    @contextmanager
    def _hearing(self, source: str) -> Iterator[Callable[[Any], Any]]:
        """Around what somebody else says: the words that are given to it, and those of a failure, taint the run."""

        def heard(value: Any) -> Any:
            self.hear(_text(value), source=source, trusted=False)
            return value

        try:
            yield heard
        except StepFailed as failed:
            heard(failed.message)
            raise

    def _told(self, call: str, name: str, arguments: Mapping[str, Any], kept: str) -> tuple[Any, bool]:
        """What a call came to as JSON, and whether it was made now."""
        acted = False

        def act() -> Any:
            nonlocal acted
            acted = True
            return self._called(call, name, arguments, kept)

        try:
            return self.scope.tool(name, arguments, act), acted
        except ReplayDiverged:
            if call in self.control.waits:
                raise Suspended(call, name, arguments, self.control.waits[call]) from None
            raise

    def _called(self, call: str, name: str, arguments: Mapping[str, Any], kept: str) -> Any:
        gate = self._gate
        if gate is None:
            return Denied("execute", "this is a replay, and it does nothing", "Run it live").to_json()
        tool = gate.parts.registry.get(name)
        try:
            if tool and tool.has_effect:
                self.control.check_may_act()
                self.scope.check_log()
        except OpsError as error:  # found out before it is done, and not when it cannot be written down any more
            answer: Done | Denied | Waiting = broke(RECORD, error)
        else:
            answer = gate.call(name, arguments, call_id=call, is_same=lambda one: self.scope.kept_as(one) == kept)
        if isinstance(answer, Waiting):
            raise Suspended(call, name, arguments, answer)
        stands = f"{DENIED_AT}{answer.stage}" if isinstance(answer, Denied) else ""
        return Outcome(answer.to_json(), decision=stands)

    def _heard_again(self, name: str, arguments: Mapping[str, Any], answer: Done | Denied) -> Done | Denied:
        """A recorded answer, taken in by the gate. It holds no secrets: what was only read is read again for them."""
        gate = self._gate
        if gate is None:
            return answer
        tool = gate.parts.registry.get(name)
        if tool and not tool.has_effect and is_marked(answer.to_json()) and not is_marked(plain(arguments)):
            again = gate.call(name, arguments)
            kept = self.scope.kept_as
            if isinstance(again, Done) and kept(again.to_json()) == kept(answer.to_json()):
                return again
        gate.recall(name, arguments, answer)
        return answer

    def _kept_by(self) -> RunMemory:
        gate = self._gate
        if self._memory is None or gate is None:
            raise ConfigError(
                "The run has no memory", expected="a memory store", action="Give the Conductor the platform's memory"
            )
        who = gate.run
        return RunMemory(self._memory, who.tenant, who.agent, self.run, self.scope.redactor, gate.parts.now)

    def _trusts(self, name: str) -> bool:
        tool = self._gate.parts.registry.get(name) if self._gate else None
        return bool(tool and tool.trusted)

    def _check_may_act(self, what: str, name: str) -> None:
        self.control.check_may_act()
        if self.control.is_fork:
            raise NotAllowed(
                f"The fork may not {what} {name!r}: it would be a new effect",
                expected="an effect that its run had already",
                action="Begin a run, where it is wanted",
            )


def _text(value: Any) -> str:
    return canonical_json(value).decode()
