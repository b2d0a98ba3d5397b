"""A run from its beginning to its end, over as many processes as it takes: started, suspended, resumed, replayed.

A run that waits for a person, or whose process died, is resumed by its program once more: what is recorded is told again and
not done again, and from there on it goes on live. What a run has come to is read from its steps alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.agentops.course import Course, Halt, Suspended
from ops_pipelines.agentops.fork import Effects
from ops_pipelines.agentops.memory import MemoryStore
from ops_pipelines.agentops.notes import (
    FAILURE,
    HINDERED,
    RESULT,
    RESUMED,
    STARTED,
    TRIED,
    UNTRUSTED,
    WAITS,
    notebook,
    notes_in,
)
from ops_pipelines.agentops.recording import Act, Answer, Asked, Live, NotKept, Pending, Scope, Tape, Writer
from ops_pipelines.agentops.replay import Program, RecordedSteps, first_of, fork_note, played_in
from ops_pipelines.agentops.run_log import DECISION, Recording, Step, has_own_id
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.tool_call import Waiting
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import NotAllowed, OpsError
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.pointer import PRODUCTION

DONE, FAILED, WAITING, STOPPED, RUNNING = "done", "failed", "waiting", "stopped", "running"
"""What has become of a run: `stopped` is one that ended without a result, as its process did."""
PATIENCE = timedelta(minutes=2)
"""A run without a result whose last step is older than this is not running any more."""


class NotResumable(NotAllowed):
    """The run has ended, is running, or is being resumed by somebody else."""


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
    """What runs of one agent go by. `gate_of` makes the gate of a run that began at an instant; `now` is the wall clock.

    In a run that goes on a new effect waits so many seconds for what other threads have to be told again of the recording.
    `started_by` is the principal who starts them, where that is another than the agent's, and `environment` where they act,
    where that is not production: a run notes both, and keeps them.
    """

    agent: str
    release: str
    program: Acting
    settings: Mapping[str, Any]
    gate_of: Callable[[str, datetime], Gate]
    writer: Writer
    now: Callable[[], datetime]
    memory: MemoryStore | None = None
    others_seconds: float = 10.0
    started_by: str = ""
    environment: str = PRODUCTION

    def start(self, run: str, task: Any, *, parent: str = "", trusted: bool = True) -> Ran:
        """A new run with a task, up to its end or to the first call that waits for a person.

        `trusted` says that the task is the user's word; `parent` is a step of another process. An error of the program is a
        failure of the run, and never raised; what the log cannot keep is, and the run can be resumed.
        """
        tape = Tape(run, Live(self.now), self.writer, self.release)
        said = "" if trusted else UNTRUSTED
        scope = tape.begin(self.agent, task, parent=parent, decision=said)
        notes = notebook(tape, self.agent, scope.step, self.now)
        self._note_who(notes)
        return self._conducted(scope, self.gate_of(run, self.now()), Course(), notes, trusted=trusted)

    def resume(self, recording: Recording, *, by: str, effects: Effects | None = None) -> Ran:
        """A run that waited or was cut off, from where it stood; NotResumable where somebody else resumes it by now.

        `by` is a word that no other process uses. Of a fork `effects` are those of its parent, which it does not repeat.
        Nobody else may be at work on the run: a call that was begun and has not ended counts as one of a dead process.
        """
        first = first_of(recording)
        going = Going.on(recording, self.now, effects)
        tape = Tape(recording.run, going, self.writer, first.release)
        notes = notebook(tape, self.agent, first.id, self.now, recording.steps)
        self._claim(recording, notes, by)
        scope = tape.begin(first.agent, recording.value(first.inputs), parent=first.parent, decision=first.decision)
        course = Course(
            is_fork=bool(fork_note(recording)),
            is_where_it_was=lambda: going.recorded.are_given(within_seconds=self.others_seconds),
        )
        gate = self.gate_of(recording.run, first.started + waited_in(recording, self.now()))
        gate.resumed = True
        return self._conducted(scope, gate, course, notes, trusted=not is_untrusted(recording))

    def replayed(self, recording: Recording | None = None) -> Program:
        """The program as it is replayed: it reaches nothing, and says the same of its end as it did.

        With the recording a run that waits comes to the same call, and waits there again.
        """
        notes = waits_of(recording) if recording else ()
        waits = {note["call"]: Waiting(note["approval"], note["reason"]) for note in notes}

        def program(scope: Scope) -> Any:
            session = Session(scope, None, settings=self.settings, course=Course(waits=waits), memory=self.memory)
            return self._ended(scope, session).to_json()

        return program

    def forked(self, run: str, gate: Gate, *, trusted: bool = True) -> Program:
        """The program as it is forked into a new run: its new steps go through this gate."""

        def program(scope: Scope) -> Any:
            notes = notebook(Tape(run, Live(self.now), self.writer, self.release), self.agent, scope.step, self.now)
            self._note_who(notes)
            return self._conducted(scope, gate, Course(is_fork=True), notes, trusted=trusted).to_json()

        return program

    def _note_who(self, notes: Scope) -> None:
        if self.started_by or self.environment != PRODUCTION:
            who = {"by": self.started_by, "digest": digest_json(self.started_by)}
            notes.decide(STARTED, {**who, "environment": self.environment})

    def _claim(self, recording: Recording, notes: Scope, by: str) -> None:
        """Of those who resume a run at once one gets it: a step of a place is kept once."""
        try:
            notes.decide(RESUMED, {"by": by, "at": self.now().isoformat()})
        except NotKept as error:
            raise NotResumable(
                f"The run {recording.run} is being resumed by somebody else",
                expected="one process that resumes a run",
                action="Wait for it, and look at the run with `ops agent show`",
                run=recording.run,
            ) from error

    def _conducted(self, scope: Scope, gate: Gate, course: Course, notes: Scope, *, trusted: bool) -> Ran:
        session = Session(scope, gate, settings=self.settings, course=course, memory=self.memory)
        session.hear(json.dumps(scope.task, ensure_ascii=False), source="task", trusted=trusted)
        ran = self._ended(scope, session)
        for waits in course.waiting:
            notes.decide(WAITS, waits.to_json())
        return ran

    def _ended(self, scope: Scope, session: Session) -> Ran:
        """What the program comes to, noted as the run's last step; a run that was halted has not come to anything."""
        result, failure = self._came_to(session)
        halted = session.course.halted
        if isinstance(halted, Suspended):
            return Ran(scope.run, WAITING, waits=halted.to_json())
        if halted is not None:
            raise halted
        if failure:
            scope.decide(FAILURE, failure)
            return Ran(scope.run, FAILED, error=failure)
        scope.decide(RESULT, result)
        return Ran(scope.run, DONE, result)

    def _came_to(self, session: Session) -> tuple[Any, str]:
        """What the program returns, and how it failed."""
        try:
            return self.program(session), ""
        except (Suspended, Halt):
            return None, ""
        except OpsError as error:
            return None, error.wrong
        except Exception as error:  # an agent's own error is an end of its run, and is kept as such
            return None, f"{type(error).__name__}: {error}"
        finally:
            session.course.close()


@dataclass(frozen=True, slots=True)
class Going:
    """The Source of a run that goes on: what was recorded is told again, all else is asked outside.

    Of a fork `effects` are those of its parent, which are not repeated.
    """

    recorded: RecordedSteps
    live: Live
    effects: Effects | None = None

    @classmethod
    def on(cls, recording: Recording, now: Callable[[], datetime], effects: Effects | None = None) -> "Going":
        """The source for a recording."""
        live, steps = Live(now), played_in(recording)
        for step in recording.steps:
            live.occurrences.reserve((step.parent, step.kind, step.name), step.occurrence)
        return cls(RecordedSteps(recording, steps), live, effects)

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        """The recorded answer, or how to get one."""
        if step := self.recorded.take(asked):
            return self.recorded.answer(step, asked)
        if self.effects and (step := self.effects.take(asked)):
            answer = self.effects.answer(step, asked)
            return replace(answer, occurrence=self.live.occurrences.take(asked.group))
        return self.live.answer(asked, arguments, act)


def state_of(steps: Sequence[Step], now: datetime) -> str:
    """What has become of the run with some steps (at least one), at an instant of the wall clock."""
    notes = {RESULT: DONE, FAILURE: FAILED, WAITS: WAITING}
    noted = notes_in(steps, *notes, RESUMED)
    if noted and noted[-1].name in notes:
        return notes[noted[-1].name]
    return RUNNING if utc(now) - utc(last_written(steps)) < PATIENCE else STOPPED


def last_written(steps: Sequence[Step]) -> datetime:
    """When the process of the run with some steps (at least one) wrote something last."""
    # Spans from elsewhere say what instant they like.
    own = [step.ended for step in steps if has_own_id(step) and not _is_try(step)]
    return max(own or (step.ended for step in steps))


def _is_try(step: Step) -> bool:
    """Whether a step was noted by who would go on with the run, which says nothing of the run's own process."""
    return step.kind == DECISION and step.name in (TRIED, HINDERED)


def waits_of(recording: Recording) -> tuple[Mapping[str, Any], ...]:
    """What a run has noted of the calls for which it waited, the first first."""
    notes = notes_in(recording.steps, WAITS)
    return tuple(dict(recording.value(step.inputs)) for step in notes)  # type: ignore[call-overload]


def waited_in(recording: Recording, now: datetime) -> timedelta:
    """How long a run has waited for people up to now: that is none of the time that it may take."""
    waited, since = timedelta(0), None
    for note in notes_in(recording.steps, WAITS, RESUMED):
        if note.name == WAITS:
            since = since or note.ended
        elif since is not None:
            waited, since = waited + (note.started - since), None
    return waited + (now - since if since is not None else timedelta(0))


def who_started(recording: Recording, names: Iterable[str]) -> str:
    """Which principal of some names started a run; empty where that was the agent's own, or nobody was known.

    A name that is an address is taken out of the log, and known by its digest.
    """
    note = _started(recording)
    return next((name for name in names if digest_json(name) == note.get("digest")), str(note.get("by", "")))


def where_started(recording: Recording) -> str:
    """The environment that a run noted; empty where it acts in production, and where it noted none."""
    return str(_started(recording).get("environment", ""))


def _started(recording: Recording) -> Mapping[str, Any]:
    notes = notes_in(recording.steps, STARTED)
    note: Any = recording.value(notes[0].inputs) if notes else {}
    return dict(note)


def is_untrusted(recording: Recording) -> bool:
    """Whether the task of a run was written by strangers."""
    return first_of(recording).decision == UNTRUSTED
