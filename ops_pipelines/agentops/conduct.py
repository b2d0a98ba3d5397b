"""A run from its beginning to its end, over as many processes as it takes: started, suspended, resumed, replayed.

A run that waits for a person, or whose process died, is resumed by its program once more: what is recorded is told again and
not done again, and from there on it goes on live. What a run has come to is read from its steps alone.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.approval import PENDING, ApprovalStore
from ops_pipelines.agentops.recording import Act, Answer, Asked, Live, Pending, Scope, Source, Tape, Writer
from ops_pipelines.agentops.replay import (
    RESUMED,
    WAITS,
    Program,
    RecordedSteps,
    ReplayDiverged,
    first_of,
    played_in,
)
from ops_pipelines.agentops.run_log import DECISION, Recording, Step
from ops_pipelines.agentops.session import Answers, Session, Suspended
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotAllowed, OpsError

DONE, FAILED, WAITING, STOPPED, RUNNING = "done", "failed", "waiting", "stopped", "running"
"""What has become of a run: `stopped` is one that ended without a result, as its process did."""
RESULT, FAILURE = "result", "failure"
"""The names of the decisions with which a run says what it came to."""
PATIENCE = timedelta(minutes=2)
"""A run without a result whose last step is older than this is not running any more."""

Acting = Callable[[Session], Any]
"""An agent's program: what it does with its session, and returns as plain JSON."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run has come to: its result as plain JSON, what went wrong, or what it waits for."""

    run: str
    state: str
    result: Any = None
    error: str = ""
    waits: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The run as plain JSON, without what is empty."""
        told = {"result": self.result, "error": self.error, "waits": dict(self.waits)}
        return {"run": self.run, "state": self.state, **{name: one for name, one in told.items() if one}}


@dataclass(frozen=True, slots=True)
class Conductor:
    """What runs of one agent go by. `gate_of` makes the gate of a run that began at an instant; `now` is the wall clock."""

    agent: str
    release: str
    program: Acting
    settings: Mapping[str, Any]
    gate_of: Callable[[str, datetime], Gate]
    writer: Writer
    now: Callable[[], datetime]

    def start(self, run: str, task: Any, *, parent: str = "", trusted: bool = True) -> Ran:
        """A new run with a task, up to its end or to the first call that waits for a person.

        `trusted` says that the task is the user's word; `parent` is a step of another process. An error of the program is a
        failure of the run, and never raised; what the log cannot keep is.
        """
        tape = Tape(run, Live(self.now), self.writer, self.release)
        scope, gate = tape.begin(self.agent, task, parent=parent), self.gate_of(run, self.now())
        return self._conducted(scope, gate, Answers(), trusted=trusted)

    def resume(self, recording: Recording, answers: Answers, *, by: str, trusted: bool = True) -> Ran:
        """A run that waited or was cut off, from where it stood; NotAllowed where somebody else resumes it by now.

        `by` is a word that no other process uses.
        """
        first = first_of(recording)
        tape = Tape(recording.run, Going.on(recording, self.now), self.writer, first.release)
        scope = tape.begin(first.agent, recording.value(first.inputs), parent=first.parent)
        self._claim(recording, scope, by)
        return self._conducted(scope, self.gate_of(recording.run, first.started), answers, trusted=trusted)

    def replayed(self) -> Program:
        """The program as it is replayed: it reaches nothing, and says the same of its end as it did."""
        return lambda scope: self._ended(scope, Session(scope, None, settings=self.settings)).to_json()

    def forked(self, gate: Gate, *, trusted: bool = True) -> Program:
        """The program as it is forked: its new steps go through this gate."""
        return lambda scope: self._conducted(scope, gate, Answers(), trusted=trusted).to_json()

    def _claim(self, recording: Recording, scope: Scope, by: str) -> None:
        """Of those who resume a run at once one gets it: a step of a place is kept once."""
        past = sum(step.kind == DECISION and step.name == RESUMED for step in recording.steps)
        live = Live(self.now)
        for number in range(past):
            live.occurrences.reserve((scope.step, DECISION, RESUMED), number)
        beside = Tape(recording.run, live, self.writer, first_of(recording).release)
        try:
            Scope(beside, self.agent, scope.step).decide(RESUMED, {"by": by, "at": self.now().isoformat()})
        except OpsError as error:
            raise NotAllowed(
                f"The run {recording.run} is being resumed by somebody else",
                expected="one process that resumes a run",
                action="Wait for it, and look at the run with `ops agent show`",
                run=recording.run,
            ) from error

    def _conducted(self, scope: Scope, gate: Gate, answers: Answers, *, trusted: bool) -> Ran:
        session = Session(scope, gate, settings=self.settings, answers=answers)
        session.hear(json.dumps(scope.task, ensure_ascii=False), source="task", trusted=trusted)
        try:
            return self._ended(scope, session)
        except Suspended as waits:
            noted = waits.to_json()
            scope.decide(WAITS, noted)
            return Ran(scope.run, WAITING, waits=noted)

    def _ended(self, scope: Scope, session: Session) -> Ran:
        """What the program comes to, noted as the run's last step."""
        try:
            result = self.program(session)
        except ReplayDiverged:
            raise
        except OpsError as error:
            return self._failed(scope, error.wrong)
        except Exception as error:  # an agent's own error is an end of its run, and is kept as such
            return self._failed(scope, f"{type(error).__name__}: {error}")
        scope.decide(RESULT, result)
        return Ran(scope.run, DONE, result)

    def _failed(self, scope: Scope, why: str) -> Ran:
        scope.decide(FAILURE, why)
        return Ran(scope.run, FAILED, error=why)


@dataclass(frozen=True, slots=True)
class Going:
    """The Source of a run that goes on: what was recorded is told again, all else is asked outside."""

    recorded: RecordedSteps
    live: Live

    @classmethod
    def on(cls, recording: Recording, now: Callable[[], datetime]) -> Source:
        """The source for a recording."""
        live, steps = Live(now), played_in(recording)
        for step in recording.steps:
            live.occurrences.reserve((step.parent, step.kind, step.name), step.occurrence)
        return cls(RecordedSteps(recording, steps), live)

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        """The recorded answer, or how to get one."""
        if step := self.recorded.take(asked):
            return self.recorded.answer(step, asked)
        return self.live.answer(asked, arguments, act)


def state_of(steps: Sequence[Step], now: datetime) -> str:
    """What has become of the run with some steps (at least one), at an instant of the wall clock."""
    notes = {RESULT: DONE, FAILURE: FAILED, WAITS: WAITING}
    last = next((step for step in reversed(steps) if step.kind == DECISION and step.name in {*notes, RESUMED}), None)
    if last is not None and last.name in notes:
        return notes[last.name]
    newest = max(step.ended for step in steps)
    return RUNNING if utc(now) - utc(newest) < PATIENCE else STOPPED


def waits_of(recording: Recording) -> tuple[Mapping[str, Any], ...]:
    """What a run has noted of the calls for which it waited, the first first."""
    notes = (step for step in recording.steps if step.kind == DECISION and step.name == WAITS)
    return tuple(dict(recording.value(step.inputs)) for step in notes)  # type: ignore[call-overload]


def answers_to(recording: Recording, approvals: ApprovalStore, now: datetime) -> Answers:
    """What has become of the calls for which a run waited."""
    answered: dict[str, tuple[str, Mapping[str, Any]]] = {}
    pending: dict[str, str] = {}
    for note in waits_of(recording):
        for held in approvals.held(note["approval"]):
            if held.state(now) == PENDING:
                pending[note["call"]] = note["approval"]
            else:
                answered[note["call"]] = (note["approval"], json.loads(held.request.binding.arguments))
    return Answers(answered, pending)
