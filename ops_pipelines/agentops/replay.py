"""A run again, from its recording and nothing else: the same program takes the same turns, and nothing outside is touched.

What a program asks is looked up by its place and by what it asks: of several steps of one kind and name under one parent
the first that asked the same and was not given yet answers. So calls that ran in parallel may come in another order now.
Run it under `adapters.nothing_live`, which refuses sockets and processes to a program that goes outside by another way.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ops_pipelines.agentops.notes import FORK, JOINED, NOTES, notes_in
from ops_pipelines.agentops.recording import Act, Answer, Asked, Outcome, Scope, StepFailed, Tape
from ops_pipelines.agentops.run_log import AGENT, DECISION, Entry, Recording, Step, Tally, has_own_id
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError, OpsError
from ops_pipelines.core.fingerprint import digest_json, short

Program = Callable[[Scope], Any]
"""An agent: what it does with its scope. It must not go outside by any other way."""


class ReplayDiverged(OpsError):
    """The program asked for what its recording does not hold: it is another program by now, or reads the outside."""


class RecordedSteps:
    """The steps of a recording by their place, each given once, whichever thread asks."""

    def __init__(self, recording: Recording, steps: Sequence[Step]) -> None:
        self.recording = recording
        self._lock, self._not_given = threading.Condition(), len(steps)
        edited = edited_in(recording)
        self._left: dict[tuple[Any, ...], list[Step]] = {}
        for step in steps:
            inputs = edited.get(step.id, step.inputs)
            self._left.setdefault((step.parent, step.kind, step.name, inputs), []).append(step)

    def take(self, asked: Asked) -> Step | None:
        """The first step of this place that asked the same and was not given yet; None where there is none."""
        with self._lock:
            steps = self._left.get((*asked.group, asked.inputs))
            if not steps:
                return None
            self._not_given -= 1
            if not self._not_given:
                self._lock.notify_all()
            return steps.pop(0)

    def are_given(self, *, within_seconds: float) -> bool:
        """Whether all steps were given, or are within some time: a program asks for them in other threads, too."""
        with self._lock:
            return self._lock.wait_for(lambda: not self._not_given, timeout=within_seconds)

    def left(self) -> tuple[Step, ...]:
        """The steps that were not given yet."""
        with self._lock:
            return tuple(step for steps in self._left.values() for step in steps)

    def answer(self, step: Step, asked: Asked) -> Answer:
        """What was recorded; DataError where it was shortened."""
        value = self.recording.value(step.outputs)
        outcome = Outcome(value, step.tokens, step.nanos, step.memory_version, step.links, step.decision)
        instead = () if step.inputs == asked.inputs else (self.recording.value(step.inputs),)
        return Answer(step.occurrence, outcome, step.started, step.ended, failed=bool(step.error), instead=instead)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The Source that answers from a recording only."""

    recorded: RecordedSteps

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer:  # noqa: ARG002  (nothing is done)
        """The recorded answer; ReplayDiverged where there is none."""
        step = self.recorded.take(asked)
        if step is None:
            raise diverged(asked, self.recorded)
        return self.recorded.answer(step, asked)


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run that was replayed: its steps in the order in which they came now, and what the program returned.

    `digest` is that of the replay; where it is the recording's own (`identical`) the program did exactly the same.
    """

    steps: tuple[Step, ...]
    digest: str
    recorded: str
    result: Any

    @property
    def identical(self) -> bool:
        """Whether everything came as it was recorded, and nothing is missing."""
        return self.digest == self.recorded


def replay(recording: Recording, program: Program, *, writer: Writer | None = None) -> Replayed:
    """A program run again on its recording. `writer` is the one that wrote it: what is asked is compared as it was kept.

    ReplayDiverged where the program asks for what was not recorded, DataError where a payload that it needs was shortened
    or the recording holds no step. A program that asks for less ends with another digest. A failure that the program let
    through when it was recorded is let through again, and is no error of the replay: `result` is that StepFailed.
    """
    kept: list[Step] = []
    writing = replace(writer or UNREDACTED, keep=collecting(kept))
    result = replay_into(writing, recording, program)
    return Replayed(tuple(kept), digest_run(kept), digest_run(played_in(recording)), result)


def replay_into(writer: Writer, recording: Recording, program: Program) -> Any:
    """What a program returns on its recording, while a writer keeps its steps; errors as `replay`."""
    first = first_of(recording)
    tape = Tape(recording.run, Recorded(RecordedSteps(recording, played_in(recording))), writer, first.release)
    return run_program(program, tape.begin(first.agent, recording.value(first.inputs), parent=first.parent))


def digest_run(steps: Sequence[Step]) -> str:
    """One digest over what some steps did, whatever order parallel ones came in and whenever it was."""
    return digest_json(sorted(_did(step) for step in steps))


def first_of(recording: Recording) -> Step:
    """The step with which the run's first agent began; DataError where there is none."""
    for step in recording.steps:
        if step.kind == AGENT and has_own_id(step):
            return step
    raise DataError(
        f"The run {recording.run!r} has no step with which an agent began",
        expected="a run that was recorded by this project's own recorder",
        action="Look at it with `ops agent show`; a run that was imported can be looked at and compared, not replayed",
        run=recording.run,
    )


def begun_with(recording: Recording) -> Step:
    """The step whose input is what the run was to do: that of its first agent, or its first at all where none is ours.

    A fork begins with a note of itself, which is not what it was to do. IndexError for a run without a step.
    """
    agents = (step for step in recording.steps if step.kind == AGENT and has_own_id(step))
    return next(agents, None) or recording.steps[0]


def played_in(recording: Recording) -> tuple[Step, ...]:
    """The steps that the program itself took: without what the run notes of itself, and what others did for it.

    Another process that works for the run has its steps there, too, and spans may come from anywhere.
    """
    if not any(step.kind == AGENT and has_own_id(step) for step in recording.steps):
        return tuple(step for step in recording.steps if not _is_note(step))
    first = first_of(recording)
    others = _of_others(recording, first)
    own = (step for step in recording.steps if step.release == first.release and step.id not in others)
    return tuple(step for step in own if not _is_note(step) and has_own_id(step))


def _of_others(recording: Recording, first: Step) -> set[str]:
    """The steps of processes that joined a run, by their ids; none where the run itself began so."""
    found = set[str]()
    for step in recording.steps if first.decision != JOINED else ():
        if (step.kind == AGENT and step.decision == JOINED) or step.parent in found:
            found.add(step.id)
    return found


def as_played(recording: Recording) -> Recording:
    """The recording with those steps alone: what two runs are compared by."""
    return replace(recording, steps=played_in(recording))


def _is_note(step: Step) -> bool:
    return step.kind == DECISION and step.name in NOTES


def fork_note(recording: Recording) -> Mapping[str, Any]:
    """What a run says of the one that it is a fork of: `of`, `at`, `edited`, and what its maker noted; empty for no fork."""
    notes = notes_in(recording.steps, FORK)
    note: Any = recording.value(notes[-1].inputs) if notes else {}
    return dict(note)


def edited_in(recording: Recording) -> Mapping[str, str]:
    """What the program itself asked at the steps that were edited in a fork: the digest of its inputs by the step's id."""
    return dict(fork_note(recording).get("edited", {}))


def run_program(program: Program, scope: Scope) -> Any:
    """What a program returned, or the StepFailed that it let through."""
    try:
        return program(scope)
    except StepFailed as failed:
        return failed


UNREDACTED = Writer(lambda entries: Tally(len(entries)))
"""Keeps nothing and takes nothing out: for recordings that were written without a Redactor."""


def collecting(kept: list[Step]) -> Callable[[Sequence[Entry]], Tally]:
    """A place for entries that holds their steps in memory."""

    def keep(entries: Sequence[Entry]) -> Tally:
        kept.extend(entry.step for entry in entries)
        return Tally(len(entries))

    return keep


def diverged(asked: Asked, recorded: RecordedSteps) -> ReplayDiverged:
    """The error for something that was not recorded, which says what was recorded in its place."""
    others = [step for step in recorded.left() if (step.parent, step.kind) == (asked.parent, asked.kind)]
    same = [step for step in others if step.name == asked.name]
    instead = "it was asked for something else there" if same else _instead(others)
    return ReplayDiverged(
        f"The program asks for {asked.kind} {asked.name!r} with inputs {short(asked.inputs) or 'that are empty'}, which was "
        f"not recorded: {instead}",
        expected="the program that was recorded, going outside by its scope only",
        action="Compare the code with that of the run's release; to try a change, fork the run instead",
        kind=asked.kind,
        name=asked.name,
    )


def _instead(others: Sequence[Step]) -> str:
    names = sorted({step.name for step in others})
    return (
        f"the steps of that kind that are left there are {', '.join(names)}" if names else "none of that kind is left"
    )


def _did(step: Step) -> list[Any]:
    place = [step.parent, step.kind, step.name, step.occurrence, step.agent]
    return [*place, step.inputs, step.outputs, step.decision, step.error, step.memory_version, list(step.links)]
