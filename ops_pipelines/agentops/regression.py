"""Whether other code would take the turns that were recorded: each recorded run is replayed with it, and nothing is touched.

A run that comes out as it was recorded is `same`. Of any other the first difference is found, with its cause, also where
the program asks for what its recording does not hold and cannot go on.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ops_pipelines.agentops.divergence import CODE, Divergence, first_divergence
from ops_pipelines.agentops.payload import Payload, plain
from ops_pipelines.agentops.recording import Act, Answer, Asked, Tape
from ops_pipelines.agentops.replay import (
    Program,
    RecordedSteps,
    ReplayDiverged,
    digest_run,
    diverged,
    first_of,
    played_in,
    run_program,
)
from ops_pipelines.agentops.run_log import Entry, Recording, Step, Tally, step_id
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError, check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Regressed:
    """A recorded run beside its replay: where it parts, None where it does not; `problem` where it could not be replayed."""

    run: str
    divergence: Divergence | None = None
    problem: str = ""

    @property
    def same(self) -> bool:
        """Whether everything came as it was recorded."""
        return self.divergence is None and not self.problem

    @property
    def words(self) -> str:
        """What differs, for people; empty where nothing does."""
        return self.divergence.sentence if self.divergence else self.problem

    def to_row(self) -> dict[str, Any]:
        """The run as a row of plain values."""
        parted = self.divergence
        found = {"at": parted.at if parted else None, "cause": parted.cause if parted else ""}
        return {"run": self.run, "same": self.same, **found, "words": self.words}


@dataclass(frozen=True, slots=True)
class RegressionRule:
    """How many recorded runs there have to be before their replays say anything; 0 asks for none."""

    least: int = 0

    def __post_init__(self) -> None:
        check_settings(self, "replays", least=(self.least >= 0, "a number from 0"))


def regress(recording: Recording, program: Program, *, writer: Writer, release: str, as_far: bool = False) -> Regressed:
    """A recorded run beside its replay with a program that is of a release. `writer` redacts as the recording was.

    `as_far` holds a run that has not ended against its replay as far as it came: what that does then is no difference.
    Nothing is kept. An error of the program itself is what it did, and no error here.
    """
    replayed = _Replaying(recording)
    try:
        replayed.go(program, writer, release)
    except DataError as error:
        return Regressed(recording.run, problem=error.wrong)
    parted = replayed.parted()
    return Regressed(recording.run, None if as_far and parted and parted.first is None else parted)


def judge_regression(found: Sequence[Regressed], rule: RegressionRule) -> Verdict:
    """Passed where every run came out as recorded; NotEvaluated for too few, and for one that could not be replayed."""
    evidence = {"runs": len(found), "same": sum(one.same for one in found)}
    if len(found) < rule.least:
        return NotEvaluated(f"{len(found)} recorded runs are fewer than {rule.least}", evidence)
    others = [one for one in found if one.divergence]
    if others:
        told = [f"{one.run} would run otherwise: {one.words}" for one in others[:_SHOWN]]
        more = [f"and {len(others) - _SHOWN} more of {len(found)} runs"] if others[_SHOWN:] else []
        return Blocked((*told, *more), evidence)
    unread = [one for one in found if one.problem]
    if unread:
        return NotEvaluated(f"{len(unread)} runs could not be replayed, the first {unread[0].run}: {unread[0].problem}")
    return Passed(evidence)


@dataclass
class _Replaying:
    """The Source that answers from a recording, and remembers what came and the first thing that was not recorded."""

    recording: Recording
    entries: list[Entry] = field(default_factory=list)
    missed: tuple[Asked, Any] | None = None

    def __post_init__(self) -> None:
        self.played = played_in(self.recording)
        self._recorded = RecordedSteps(self.recording, self.played)

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer:  # noqa: ARG002  (nothing is done)
        """The recorded answer; ReplayDiverged where there is none, and ever after."""
        step = None if self.missed else self._recorded.take(asked)
        if step is None:
            self.missed = self.missed or (asked, arguments)
            raise diverged(asked, self._recorded)
        return self._recorded.answer(step, asked)

    def go(self, program: Program, writer: Writer, release: str) -> None:
        """Replay it, as far as it goes."""
        first = first_of(self.recording)
        tape = Tape(self.recording.run, self, replace(writer, keep=self._keep), release)
        self._writer = tape.writer
        with suppress(ReplayDiverged):  # what was asked is remembered
            run_program(program, tape.begin(first.agent, self.recording.value(first.inputs), parent=first.parent))

    def parted(self) -> Divergence | None:
        """Where the replay parts from the recording."""
        steps = tuple(entry.step for entry in self.entries)
        if self.missed is None and digest_run(steps) == digest_run(self.played):
            return None
        payloads: dict[str, Payload] = {one.digest: one for entry in self.entries for one in entry.payloads}
        if self.missed:
            step, asked = self._step(steps, *self.missed)
            steps, payloads = (*steps, step), payloads | ({asked.digest: asked} if asked else {})
        found = first_divergence(self.recording, Recording(self.recording.run, steps, payloads))
        return found or Divergence(len(steps), None, None, CODE, "it notes something else of its steps")

    def _keep(self, entries: Sequence[Entry]) -> Tally:
        self.entries.extend(entries)
        return Tally(len(entries))

    def _step(self, steps: Sequence[Step], asked: Asked, arguments: Any) -> tuple[Step, Payload | None]:
        """What was asked and not recorded, as the step that it would have been."""
        count = sum((step.parent, step.kind, step.name) == asked.group for step in steps)
        last = steps[-1] if steps else self.played[0]
        made = replace(
            last,
            id=step_id(*asked.group, count),
            parent=asked.parent,
            kind=asked.kind,
            name=asked.name,
            occurrence=count,
            inputs=asked.inputs,
            outputs="",
            decision="",
            error="",
        )
        return made, self._writer.payload(plain(arguments))
