"""The one way to a tool: validate -> provenance -> policy -> loop and budget -> approve -> execute once -> record.

A fault of any stage denies: a policy that is broken, a store that is down, a log that is locked. What the gate decided is
written down before a tool with an effect is run, and the effect itself before it is done.

    gate = Gate(parts, Run("run-1", "oncall", digest), breaker=Breaker(LoopRule(), now), purse=Purse("run-1", Decimal(1)))
    gate.hear("Refund order A17, 12 dollars")
    match gate.call("refund", {"order": "A17", "amount_cents": 1200}):
        case Done(result): ...
        case Waiting(approval): ...       # later: gate.call("refund", the same, approval=approval)
        case Denied(stage, reason, do): ...

What is judged is what is run: arguments are read once into canonical JSON, and the tool is given what that says. The gate
protects from an agent's mistakes and from what strangers write, and not from hostile code in its own process.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from threading import Lock
from typing import Any

from ops_pipelines.agentops.approval import PENDING, Binding, Held, Request
from ops_pipelines.agentops.breaker import Breaker
from ops_pipelines.agentops.call_facts import cents_of, kinds_of, plain_arguments, told_of
from ops_pipelines.agentops.call_under_way import Begun, Call
from ops_pipelines.agentops.claims import claims_of
from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.effect_answer import answer_of, outcome_of, unknown_answer
from ops_pipelines.agentops.effects import DONE, NOT_DONE, UNKNOWN, Entry, Intent
from ops_pipelines.agentops.freeze import frozen_by
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.gate_refusal import ASK_A_PERSON, Refused, broke, deny, let_pass
from ops_pipelines.agentops.policy import ALLOW, ASK, Situation
from ops_pipelines.agentops.provenance import MOST_HEARD, TAINTED, UNSEEN, USER, Heard, Traced, suspects
from ops_pipelines.agentops.spend import Purse, settle
from ops_pipelines.agentops.taken_up import IsSame, left_behind, request_of, take_up
from ops_pipelines.agentops.tool_call import (
    APPROVE,
    BUDGET,
    EXECUTE,
    LOOP,
    POLICY,
    PROVENANCE,
    RECORD,
    VALIDATE,
    Answer,
    Denied,
    Done,
    Waiting,
)
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.agentops.tool_run import Ran, run_tool
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes

ALLOWED, DENIED, WAITING = "allowed", "denied", "waiting"
"""What is logged of a call; one of which nobody knows is `unknown`."""


class Gate:
    """The gate of one run; safe from several threads. Agents that work for it have gates made by `child`.

    Set `resumed` where the run goes on, and nobody else is at work on it: a named call that it made before is then taken up
    as it was made, with what a person has said to it since.
    """

    def __init__(self, parts: Parts, run: Run, *, breaker: Breaker, purse: Purse, heard: Heard | None = None) -> None:
        self.parts, self.run, self.breaker, self.purse = parts, run, breaker, purse
        self._heard, self._lock = heard or Heard(), Lock()
        self._asking = Lock()  # held while a request is committed, and no reader waits for that
        self.resumed = False
        self._times: dict[str, int] = {}
        self._asked: dict[str, str] = {}
        self._children: list[Gate] = []

    def hear(self, text: str, *, source: str = USER, trusted: bool = True) -> None:
        """Read what the user or the operator says, or with trusted=False what strangers do."""
        with self._lock:
            self._heard.add(text, source=source, trusted=trusted)
        if trusted:
            self.breaker.told(text)

    def child(self, run: Run, *, limit_usd: Decimal | None = None) -> "Gate":
        """The gate of an agent that this one hands work to: it shares the breaker and the purse, and trusts no words of its
        parent but what is said to it by `hear`.
        """
        handed = replace(run, depth=self.run.depth + 1, started_by=self.run.started_by or self.run.agent)
        gate = Gate(self.parts, handed, breaker=self.breaker, purse=self.purse.child(run.id, limit_usd))
        gate.resumed = self.resumed
        self._children.append(gate)
        return gate

    @property
    def tainted_by(self) -> tuple[str, ...]:
        """What was heard that strangers could write, here or by who works for it, by source; empty where nothing was."""
        with self._lock:
            own = self._heard.tainted_by
        return tuple(dict.fromkeys((*own, *(one for child in self._children for one in child.tainted_by))))

    def vouches(self, value: Any) -> bool:
        """Whether every word of a value was heard from the user, the operator or a trusted tool."""
        with self._lock:
            return self._heard.vouches(value)

    @property
    def characters(self) -> int:
        """How many characters were heard, which are held in memory."""
        with self._lock:
            return self._heard.characters

    def recall(self, tool: str, arguments: Mapping[str, Any], answer: Answer) -> None:
        """Take in what came of a call that is not made again, since its run goes on from what was recorded."""
        known, failed = self.parts.registry.get(tool), isinstance(answer, Denied)
        shown = answer.reason if isinstance(answer, Denied) else canonical_json(answer.to_json().get("result")).decode()
        if not isinstance(answer, Denied) or answer.quotes:
            with self._lock:
                trusted = bool(known and known.trusted) and not failed
                self._heard.add(shown, source=tool, trusted=trusted, said=arguments)
        self.breaker.admit(self.parts.now())
        self.breaker.record(self.run.id, tool, arguments, shown, failed=failed)

    def call(
        self, tool: str, arguments: Any, *, call_id: str = "", approval: str = "", is_same: IsSame = lambda _: True
    ) -> Answer:
        """What comes of a call; it never raises.

        `call_id` names the step and is the same when the agent is resumed: a step that was done is not done again, and its
        result is returned. Without one it is the tool, the arguments and how often this gate has been asked for them.
        `approval` is that of a call that waited, which has to be made again to the byte. `is_same` says whether arguments
        that were kept are those of this call.
        """
        begun = self.begin(tool, arguments, call_id=call_id, approval=approval, is_same=is_same)
        limits = self.parts.limits
        if not isinstance(begun, Begun):
            return begun
        try:
            ran = run_tool(begun.run, seconds=limits.tool_seconds, most_bytes=limits.result_bytes, late=begun.late)
        except Exception as error:  # no thread can be had
            ran = Ran(error=error)
        return self.end(begun, ran)

    def begin(
        self, tool: str, arguments: Any, *, call_id: str = "", approval: str = "", is_same: IsSame = lambda _: True
    ) -> Begun | Answer:
        """The first half of a call, for whoever runs the tool in another way: what is to be run now, or what came of it.

        An effect is written down as started, and counts as unknown until `end` is told.
        """
        call: Call | None = None
        try:
            call = Call(self.parts.new_id(), str(tool), self.parts.now(), call_id, approval)
            return self._through(call, arguments, is_same)
        except Refused as refused:
            answer: Answer = refused.answer
        except Exception as error:  # whatever broke, nothing more may be done
            answer = broke(RECORD, error)
        return answer if call is None else self._kept(call, answer)

    def end(self, begun: Begun, ran: Ran) -> Answer:
        """The second half of a call: what the agent is given for what the tool came to; it never raises."""
        tool, call = begun.tool, begun.call
        try:
            answer = self._ended(tool, call, ran) if tool.has_effect else self._read(tool, call, ran)
        except Exception as error:
            answer = unknown_answer(call.tool, str(error))
        return self._kept(call, answer)

    def _through(self, call: Call, arguments: Any, is_same: IsSame) -> Begun:
        if self.resumed and call.name:
            given, told = arguments, self._answer_of
            arguments = self._stage(APPROVE, lambda: take_up(self.parts, self.run.id, call, given, is_same, told))
        tool = self._stage(VALIDATE, lambda: self._validated(call, arguments))
        traced = self._stage(PROVENANCE, lambda: self._traced(tool, call))
        self._stage(POLICY, lambda: self._decided(tool, call, traced))
        self._stage(LOOP, lambda: self._admit(call))
        self._stage(APPROVE, lambda: self._ask_where_wanted(tool, call, traced))
        self._stage(BUDGET, lambda: self._reserve(call))
        self._stage(APPROVE, lambda: self._use_approval(tool, call))
        self._stage(RECORD, lambda: self._log(call, ALLOWED, "", call.why_allowed, durable=tool.has_effect))
        return self._started(tool, call)

    def _admit(self, call: Call) -> None:
        if self._heard.characters > MOST_HEARD:
            raise deny(LOOP, f"the run has read {self._heard.characters:,} characters already", ASK_A_PERSON)
        let_pass(LOOP, self.breaker.admit(call.at), ASK_A_PERSON)

    def _stage(self, stage: str, judge: Callable[[], Any]) -> Any:
        """What a stage finds; a fault of it denies."""
        try:
            return judge()
        except Refused:
            raise
        except Exception as error:
            raise Refused(broke(stage, error)) from error

    def _validated(self, call: Call, arguments: Any) -> Tool:
        try:
            content = canonical_json(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise deny(VALIDATE, f"the arguments are no JSON: {error}", "Give a JSON object") from error
        if len(content) > self.parts.limits.argument_bytes:
            raise deny(VALIDATE, f"the arguments have {len(content):,} bytes", "Give less at once")
        call.arguments = json.loads(content)  # what is judged is what is done, whoever changes the arguments meanwhile
        problems = self.parts.registry.problems(call.tool, call.arguments)
        tool = self.parts.registry.get(call.tool)
        if problems or tool is None:
            raise deny(VALIDATE, "; ".join(problems), "Correct the call, and make it again", can_retry=True)
        call.text = content.decode()
        call.key = f"{self.run.id}/{call.name}" if call.name else self._key_of(call)
        return tool

    def _key_of(self, call: Call) -> str:
        """The key of a call that names no step: the same again after a crash, and another for each repetition."""
        if call.approval:
            return f"{self.run.id}/approval/{call.approval}"
        name = f"{self.run.id}/{call.tool}/{digest_bytes(call.text.encode())}"
        with self._lock:
            self._times[name] = self._times.get(name, 0) + 1
            return f"{name}/{self._times[name]}"

    def _traced(self, tool: Tool, call: Call) -> tuple[Traced, ...]:
        claims, is_tainted = claims_of(tool.schema, call.arguments), bool(self.tainted_by)
        with self._lock:
            found = suspects(self._heard.trace(claims))
            call.situation = Situation(
                agent=self.run.agent,
                tenant=self.run.tenant,
                environment=self.run.environment,
                depth=self.run.depth,
                arguments=plain_arguments(call.arguments),
                amount_cents=cents_of(claims),
                unseen=kinds_of(found, UNSEEN),
                tainted=kinds_of(found, TAINTED),
                run_is_tainted=is_tainted,
                freezes=frozen_by(self.parts.policy.freezes, call.at),
            )
        return found

    def _decided(self, tool: Tool, call: Call, traced: Sequence[Traced]) -> None:
        if call.situation is None:
            raise deny(PROVENANCE, "where the arguments come from was not found out", ASK_A_PERSON)
        call.decision = self.parts.policy.decide(tool, call.situation)
        if call.decision.outcome in (ALLOW, ASK):
            return
        facts = {"policies": list(call.decision.by), "suspects": [one.to_json() for one in traced]}
        stage = PROVENANCE if traced and not call.decision.errors else POLICY
        raise Refused(Denied(stage, f"{tool.name} {call.decision.reason}{told_of(traced)}", ASK_A_PERSON, facts=facts))

    def _ask_where_wanted(self, tool: Tool, call: Call, traced: Sequence[Traced]) -> None:
        if call.decision is None or call.decision.outcome != ASK or call.approval:
            return
        self._refuse_what_was_started(tool, call)
        reason, binding = f"{tool.name} {call.decision.reason}{told_of(traced)}", self._binding(tool, call)
        with self._asking:
            new, last = self._asked_before(call, binding)
            if last is not None and last.state(call.at) == PENDING and last.request.binding == binding:
                raise Refused(Waiting(last.request.id, reason))
            until = call.at + self.parts.limits.approval
            asks = (new, self.run.agent, tool.name, binding, reason)
            self.parts.approvals.ask(Request(*asks, call.at, until, started_by=self.run.started_by))
            self._asked[binding.digest] = new
        raise Refused(Waiting(new, reason))

    def _asked_before(self, call: Call, binding: Binding) -> tuple[str, Held | None]:
        """The id of the next request for a call, and the last one that was made for it."""
        if call.name:
            return request_of(self.parts.approvals, self.run.id, call.name)
        asked = self._asked.get(binding.digest, "")
        return call.id, self.parts.approvals.held(asked)[0] if asked else None

    def _refuse_what_was_started(self, tool: Tool, call: Call) -> None:
        """A named step that was started before the agent was resumed needs nobody's yes to tell what came of it."""
        for entry in self.parts.journal.entries(call.key) if tool.has_effect and call.name else ():
            raise Refused(self._answer_of(tool, call, entry))

    def _use_approval(self, tool: Tool, call: Call) -> None:
        """A yes is used where one is wanted, and one that is shown without need is used up all the same."""
        if call.decision is None or (call.decision.outcome != ASK and not call.approval):
            return
        found = self.parts.approvals.consume(call.approval, self._binding(tool, call).digest, at=call.at)
        do = "Go on without it" if self.resumed else "Make the call without an approval, so that it is asked for"
        let_pass(APPROVE, found, do)
        again = self.parts.policy.decide(tool, call.situation or Situation(""), approved=True)
        if again.outcome != ALLOW:
            raise deny(POLICY, f"{tool.name} {again.reason}", ASK_A_PERSON)

    def _binding(self, tool: Tool, call: Call) -> Binding:
        return Binding(tool.digest, call.text, self.run.id, self.run.release, self.parts.policy.digest)

    def _reserve(self, call: Call) -> None:
        most = self.parts.prices.get(call.tool)
        if most is not None:
            found = self.purse.reserve(self.parts.budgets, call.id, most, at=call.at)
            let_pass(BUDGET, found, "Finish with what you have, or ask a person for more")
            call.reserved = True

    def _started(self, tool: Tool, call: Call) -> Begun:
        function = self.parts.functions.get(call.tool)
        if function is None:
            raise deny(EXECUTE, f"nothing does the tool {call.tool!r} here", ASK_A_PERSON)
        if tool.has_effect:
            self._stage(EXECUTE, lambda: self._begin(tool, call))
        late, call.has_run = self._late(call) if tool.has_effect else lambda _: None, True
        return Begun(tool, call, self._intent(call), function, json.loads(call.text), late)

    def _begin(self, tool: Tool, call: Call) -> None:
        """Write down that it is started now, or refuse with what came of it before."""
        limits = self.parts.limits
        intent = self._intent(call)
        now = self.parts.now()
        found = self.parts.journal.start(intent, at=now, until=now + timedelta(seconds=limits.tool_seconds))
        if found is not None:
            raise Refused(self._answer_of(tool, call, found))

    def _intent(self, call: Call) -> Intent:
        return Intent(call.key, call.tool, call.text, self.run.id, self.run.release, call.approval, call.exact)

    def _answer_of(self, tool: Tool, call: Call, entry: Entry) -> Answer:
        """What came of a step that was started before; a result of then is heard as one of now."""
        if self.resumed:
            entry = left_behind(self.parts.journal, entry, self.parts.now())
        answer = answer_of(entry, self._intent(call), self.parts.now())
        if isinstance(answer, Done):
            self._hear_result(tool, call, json.dumps(answer.result, ensure_ascii=False))
        return answer

    def _ended(self, tool: Tool, call: Call, ran: Ran) -> Answer:
        outcome = outcome_of(ran)
        try:
            self.parts.journal.end(call.key, outcome, at=self.parts.now())
        except Exception as error:  # whatever broke, it is not known any more that nothing was done
            return unknown_answer(call.tool, f"it came to {outcome.state!r}, which cannot be written down: {error}")
        if outcome.state == DONE:
            return self._read(tool, call, ran)
        if outcome.state == NOT_DONE:
            do = "Look into why, before you try again"
            return Denied(EXECUTE, outcome.result, do, can_retry=True, quotes=True)
        return unknown_answer(call.tool, outcome.result, quotes=ran.error is not None)

    def _late(self, call: Call) -> Callable[[Ran], None]:
        def keep(ran: Ran) -> None:
            with suppress(OpsError):  # then it stays unknown
                self.parts.journal.end(call.key, outcome_of(ran), at=self.parts.now())

        return keep

    def _read(self, tool: Tool, call: Call, ran: Ran) -> Answer:
        if not ran.in_time:
            seconds = self.parts.limits.tool_seconds
            return Denied(
                EXECUTE, f"{tool.name} has not answered within {seconds:g} s", "Go on without it", can_retry=True
            )
        if ran.error is not None:
            text = f"{type(ran.error).__name__}: {ran.error}"[:2000]
            do = "Correct the call, or go on without it"
            return Denied(EXECUTE, f"{tool.name} failed: {text}", do, can_retry=True, quotes=True)
        self._hear_result(tool, call, ran.text)
        return Done(json.loads(ran.text), truncated=ran.truncated)

    def _hear_result(self, tool: Tool, call: Call, text: str) -> None:
        with self._lock:
            call.result = text
            self._heard.add(text, source=tool.name, trusted=tool.trusted, said=call.arguments)

    def _kept(self, call: Call, answer: Answer) -> Answer:
        """The answer once it is recorded; one that cannot be recorded is told as such, and what was done stays done."""
        try:
            if isinstance(answer, Denied) and answer.quotes:
                self.hear(answer.reason, source=call.tool, trusted=False)
            if not isinstance(answer, Waiting):
                shown = answer.reason if isinstance(answer, Denied) else call.result
                self.breaker.record(self.run.id, call.tool, call.arguments, shown, failed=isinstance(answer, Denied))
            if call.reserved:
                cost = None if call.has_run else Decimal(0)
                settle(self.parts.budgets, call.id, cost, at=self.parts.now())
            if not isinstance(answer, Done):
                what = WAITING if isinstance(answer, Waiting) else UNKNOWN if answer.is_unknown else DENIED
                stage = APPROVE if isinstance(answer, Waiting) else answer.stage
                self._log(call, what, stage, answer.reason, durable=isinstance(answer, Waiting))
        except Exception as error:
            return answer if isinstance(answer, Done | Denied) else broke(RECORD, error)
        return answer

    def _log(self, call: Call, what: str, stage: str, reason: str, *, durable: bool) -> None:
        run, situation = self.run, call.situation
        context = situation.to_context(approved=bool(call.approval)) if situation else {}
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in context.items()}
        logged = Logged(
            id=call.id,
            run=run.id,
            agent=run.agent,
            release=run.release,
            policy=self.parts.policy.digest,
            tool=call.tool,
            arguments=call.text,
            what=what,
            stage=stage,
            reason=reason,
            at=call.at,
            situation=plain,
        )
        self.parts.log.keep(logged, durable=durable)
