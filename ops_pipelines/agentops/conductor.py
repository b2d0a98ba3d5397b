"""A run from its beginning to its end, over as many processes as it takes: started, suspended, resumed, replayed.

A run that waits for a person, or whose process died, is resumed by its program once more: what is recorded is told again and
not done again, and from there on it goes on live.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.fork import Effects
from ops_pipelines.agentops.memory import MemoryStore
from ops_pipelines.agentops.notes import FAILURE, RESULT, RESUMED, STARTED, UNTRUSTED, WAITS, notebook
from ops_pipelines.agentops.recording import Act, Answer, Asked, Live, Pending, Scope, Tape
from ops_pipelines.agentops.replay import Program, RecordedSteps, first_of, fork_note, played_in
from ops_pipelines.agentops.run_control import Halt, RunControl, Suspended
from ops_pipelines.agentops.run_log import AGENT, Entry, Recording, Tally, step_id
from ops_pipelines.agentops.run_state import DONE, FAILED, WAITING, NotResumable, Ran, is_untrusted, waited_in, waits_of
from ops_pipelines.agentops.session import Session
from ops_pipelines.agentops.step_writer import NotKept, Writer
from ops_pipelines.agentops.tool_call import Waiting
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.pointer import PRODUCTION

Acting = Callable[[Session], Any]
"""An agent's program: what it does with its session, and returns as plain JSON."""


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
        tape = Tape(run, Live(self.now), self.opening(run, parent=parent), self.release)
        said = "" if trusted else UNTRUSTED
        notes = notebook(tape, self.agent, self.first_step(parent), self.now)
        scope = tape.begin(self.agent, task, parent=parent, decision=said)
        return self._conducted(scope, self.gate_of(run, self.now()), RunControl(), notes, trusted=trusted)

    def first_step(self, parent: str = "") -> str:
        """The id of the step with which the agent begins in a run, under the step of another process where one is named."""
        return step_id(parent, AGENT, self.writer.word(self.agent), 0)

    def opening(self, run: str, *, parent: str = "") -> Writer:
        """What writes a new run: with what it keeps first it notes who starts it, in one commit.

        So a run whose process died is never gone on with as somebody else's, or elsewhere.
        """
        noted: list[Entry] = []

        def note(entries: Sequence[Entry]) -> Tally:
            noted.extend(entries)
            return Tally(len(entries))

        def keep(entries: Sequence[Entry]) -> Tally:
            whole, noted[:] = [*entries, *noted], []
            return self.writer.keep(whole)

        tape = Tape(run, Live(self.now), replace(self.writer, keep=note), self.release)
        self._note_who(notebook(tape, self.agent, self.first_step(parent), self.now))
        return replace(self.writer, keep=keep)

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
        control = RunControl(
            is_fork=bool(fork_note(recording)),
            is_where_it_was=lambda: going.recorded.are_given(within_seconds=self.others_seconds),
        )
        gate = self.gate_of(recording.run, first.started + waited_in(recording, self.now()))
        gate.resumed = True
        return self._conducted(scope, gate, control, notes, trusted=not is_untrusted(recording))

    def replayed(self, recording: Recording | None = None) -> Program:
        """The program as it is replayed: it reaches nothing, and says the same of its end as it did.

        With the recording a run that waits comes to the same call, and waits there again.
        """
        notes = waits_of(recording) if recording else ()
        waits = {note["call"]: Waiting(note["approval"], note["reason"]) for note in notes}

        def program(scope: Scope) -> Any:
            session = Session(scope, None, settings=self.settings, control=RunControl(waits=waits), memory=self.memory)
            return self._ended(scope, session).to_json()

        return program

    def forked(self, run: str, gate: Gate, *, trusted: bool = True) -> Program:
        """The program as it is forked into a new run: its new steps go through this gate, and `opening` writes them."""

        def program(scope: Scope) -> Any:
            notes = notebook(Tape(run, Live(self.now), self.writer, self.release), self.agent, scope.step, self.now)
            return self._conducted(scope, gate, RunControl(is_fork=True), notes, trusted=trusted).to_json()

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

    def _conducted(self, scope: Scope, gate: Gate, control: RunControl, notes: Scope, *, trusted: bool) -> Ran:
        session = Session(scope, gate, settings=self.settings, control=control, memory=self.memory)
        session.hear(json.dumps(scope.task, ensure_ascii=False), source="task", trusted=trusted)
        ran = self._ended(scope, session)
        for waits in control.waiting:
            notes.decide(WAITS, waits.to_json())
        return ran

    def _ended(self, scope: Scope, session: Session) -> Ran:
        """What the program comes to, noted as the run's last step; a run that was halted has not come to anything."""
        result, failure = self._came_to(session)
        halted = session.control.halted
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
            session.control.close()


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
