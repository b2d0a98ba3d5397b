"""What an agent would have done had one thing been otherwise: its run up to a step, an edit there, and live from then on.

What the run did to the outside is not done again: an effect that the fork asks for with the same words is answered from
the recording. Every other effect goes through a gate, which refuses unless one is given. Models are asked anew, and so are
memories and those tools that `is_effect` says only read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.notes import FORK, notebook
from ops_pipelines.agentops.recording import Act, Answer, Asked, Live, Pending, Question, Tape
from ops_pipelines.agentops.replay import (
    Program,
    RecordedSteps,
    ReplayDiverged,
    diverged,
    edited_in,
    first_of,
    fork_note,
    played_in,
    run_program,
)
from ops_pipelines.agentops.run_log import AGENT, EFFECT_KINDS, MODEL, TOOL, Entry, Recording, Step, Tally
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_call import Done, is_answer
from ops_pipelines.core.errors import ConfigError, NotAllowed

EffectGate = Callable[[str, str, Any, Act], Any]
"""Does an effect or refuses it: its kind, its name, its arguments and the act."""


@dataclass(frozen=True, slots=True)
class NewResult:
    """The step comes to this value instead: another tool result, memory or answer of a model. Nothing is asked."""

    value: Any


@dataclass(frozen=True, slots=True)
class NewRequest:
    """The step asks for this instead, and `ask` gets the answer from the outside.

    Without `ask` a model is asked by the program itself, and where an agent began it is another task, and nobody is asked.
    """

    inputs: Any
    ask: Callable[[Any], Any] | None = None


Edit = NewResult | NewRequest


@dataclass(frozen=True, slots=True)
class Forked:
    """A fork: its steps in the order in which they came, of which so many are the run's own, and what came out of it.

    `repeated` are the steps of the parent whose effects the fork asked for again and was answered from the recording.
    """

    run: str
    steps: tuple[Step, ...]
    prefix: int
    repeated: tuple[str, ...]
    result: Any


def refuse(kind: str, name: str, arguments: Any, act: Act) -> Any:  # noqa: ARG001  (the shape of an EffectGate)
    """The EffectGate that lets nothing through."""
    raise NotAllowed(
        f"The fork may not do the {kind} {name!r}: it would be a new effect",
        expected="an effect that the run had already, or a gate that asks for approval",
        action="Give the fork the tool gate, and approve what it asks for",
        name=name,
    )


@dataclass(frozen=True, slots=True)
class ForkSettings:
    """How a fork goes outside: `gate` lets effects through, `is_effect` tells them by kind and name; `now` is the wall
    clock. `noted` is what else the fork notes of itself, for whoever resumes it.
    """

    now: Callable[[], datetime]
    gate: EffectGate = refuse
    is_effect: Callable[[str, str], bool] = lambda kind, name: kind in EFFECT_KINDS  # noqa: ARG005  (the shape)
    noted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Forking:
    """The Source of a fork."""

    prefix: RecordedSteps
    edited: RecordedSteps
    rest: RecordedSteps
    effects: "Effects"
    edit: Edit | None
    settings: ForkSettings
    live: Live
    repeated: list[str] = field(default_factory=list)

    def answer(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        if step := self.prefix.take(asked):
            return self.prefix.answer(step, asked)
        if step := self.edited.take(asked):
            return replace(self._edited(asked, arguments, act), occurrence=step.occurrence)
        if not self.rest.take(asked) and self.prefix.left():
            raise diverged(asked, self.prefix)
        return self._new(asked, arguments, act)

    def _edited(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        aside = Live(self.live.now)
        if isinstance(self.edit, NewRequest):
            inputs = self.edit.inputs
            made = self._gated(asked, inputs, _asking(self.edit, act))
            return replace(aside.answer(asked, inputs, made), instead=(inputs,))
        value = self.edit.value if self.edit else None
        return aside.answer(asked, arguments, lambda: value).ended(value)

    def _new(self, asked: Asked, arguments: Any, act: Act) -> Answer | Pending:
        if step := self.effects.take(asked):
            self.repeated.append(step.id)
            return replace(self.effects.answer(step, asked), occurrence=self.live.occurrences.take(asked.group))
        return self.live.answer(asked, arguments, self._gated(asked, arguments, act))

    def _gated(self, asked: Asked, arguments: Any, act: Act) -> Act:
        if not self.settings.is_effect(asked.kind, asked.name):
            return act
        return lambda: self.settings.gate(asked.kind, asked.name, arguments, act)


def _asking(edit: NewRequest, act: Act) -> Act:
    """What asks for what an edit asks for."""
    ask = edit.ask
    if ask is not None:
        return lambda: ask(edit.inputs)
    return act.about(edit.inputs) if isinstance(act, Question) else act


def step_at(recording: Recording, at: int) -> Step:
    """The step at a place, from 0, as forks count; ConfigError where there is none."""
    check_at(recording, at, is_edited=True)
    return played_in(recording)[at]


def check_at(recording: Recording, at: int, *, is_edited: bool) -> None:
    """ConfigError where a run has no so many steps to keep, or none after them to edit."""
    last = len(played_in(recording)) - is_edited
    if not 0 <= at <= last:
        raise ConfigError(
            f"The run {recording.run[:12]} has no step {at} to {'edit' if is_edited else 'fork at'}",
            expected=f"a number from 0 to {last}",
            action=f"`ops agent show {recording.run[:12]}` numbers them",
            at=at,
        )


def result_of(step: Step, value: Any) -> NewResult:
    """What a step comes to instead: a tool's result as its agent is given it; what a gate says is taken as it is."""
    return NewResult(value if step.kind != TOOL or is_answer(value) else Done(value).to_json())


class Effects:
    """What a run did to the outside, by what was done and wherever: each answers once."""

    def __init__(self, recording: Recording, steps: Sequence[Step]) -> None:
        self._recorded = RecordedSteps(recording, [replace(step, parent="") for step in steps])

    def take(self, asked: Asked) -> Step | None:
        """The step that did what is asked for and was not given yet; None where there is none."""
        return self._recorded.take(replace(asked, parent=""))

    def answer(self, step: Step, asked: Asked) -> Answer:
        """What came of it."""
        return self._recorded.answer(step, asked)


def fork(
    recording: Recording,
    program: Program,
    *,
    at: int,
    run: str,
    writer: Writer,
    settings: ForkSettings,
    edit: Edit | None = None,
    release: str | None = None,
) -> Forked:
    """A run whose first `at` steps are those of a recording, and whose next one is edited; it is kept as `run`.

    ReplayDiverged where the program asks for something else before that step, or ends before it. ConfigError for a step
    that the recording does not have. Redact as the recording was: what is asked is compared as it was kept.
    """
    check_at(recording, at, is_edited=edit is not None)
    played = played_in(recording)
    if isinstance(edit, NewRequest) and edit.ask is None and played[at].kind not in (AGENT, MODEL):
        raise _nobody_asks(played[at])
    first, kept = first_of(recording), list[Step]()
    source = _source(recording, at, edit, settings)
    tape = Tape(run, source, _beside(writer, kept), first.release if release is None else release)
    # First of all: a fork whose process dies must never be taken for a run, which has its effects by itself.
    aside = notebook(replace(tape, writer=writer), first.agent, first.id, settings.now)
    aside.decide(FORK, {**_note(recording, at, edit), **settings.noted})
    scope = tape.begin(first.agent, recording.value(first.inputs), parent=first.parent, decision=first.decision)
    result = run_program(program, scope)
    if left := source.prefix.left():
        raise _ended_early(left[0], at)
    return Forked(run, tuple(kept), at, tuple(source.repeated), result)


def _source(recording: Recording, at: int, edit: Edit | None, settings: ForkSettings) -> _Forking:
    steps, live = played_in(recording), Live(settings.now)
    ours = at + (edit is not None)
    for step in steps[:ours]:
        live.occurrences.reserve((step.parent, step.kind, step.name), step.occurrence)
    return _Forking(
        prefix=RecordedSteps(recording, steps[:at]),
        edited=RecordedSteps(recording, steps[at:ours]),
        rest=RecordedSteps(recording, steps[ours:]),
        effects=Effects(recording, [step for step in steps[ours:] if settings.is_effect(step.kind, step.name)]),
        edit=edit,
        settings=settings,
        live=live,
    )


def _note(recording: Recording, at: int, edit: Edit | None) -> dict[str, Any]:
    """What a fork says of itself: of which run it is, and what the program itself asked where its question was edited."""
    played = played_in(recording)
    before = edited_in(recording)
    edited = {step.id: before[step.id] for step in played[:at] if step.id in before}
    if isinstance(edit, NewRequest) and played[at] != first_of(recording):  # whose task is given, and not asked for
        edited[played[at].id] = before.get(played[at].id, played[at].inputs)
    return {"of": recording.run, "at": at, "own": at + (edit is not None), "edited": edited}


def check_is_whole(recording: Recording, parent: Recording) -> None:
    """NotAllowed for a fork whose process died before it had all that it has from its parent, and its edit.

    Nobody knows the edit any more: it would go on without it, and do anew what its parent did.
    """
    theirs, own = played_in(parent), int(fork_note(recording)["own"])
    has = {step.id for step in recording.steps}
    if missing := [step for step in theirs[:own] if step.id not in has]:
        raise NotAllowed(
            f"The fork {recording.run[:12]} was cut off before the {missing[0].kind} {missing[0].name!r} of its parent",
            expected="a fork that has come to its own steps",
            action=f"Fork {parent.run[:12]} once more",
            run=recording.run,
        )


def effects_left(recording: Recording, parent: Recording, is_effect: Callable[[str, str], bool]) -> Effects:
    """The effects of its parent for which a fork that goes on has not asked yet."""
    theirs, own = played_in(parent), int(fork_note(recording)["own"])
    left = Effects(parent, [step for step in theirs[own:] if is_effect(step.kind, step.name)])
    known = {step.id for step in theirs[:own]}
    for step in played_in(recording):
        if step.id not in known:
            left.take(Asked(step.parent, step.kind, step.name, step.inputs))
    return left


def _beside(writer: Writer, kept: list[Step]) -> Writer:
    ids = set[str]()

    def keep(entries: Sequence[Entry]) -> Tally:
        new = [entry.step for entry in entries if entry.step.id not in ids]
        ids.update(step.id for step in new)
        kept.extend(new)
        return writer.keep(entries)

    return replace(writer, keep=keep)


def _nobody_asks(step: Step) -> ConfigError:
    return ConfigError(
        f"The {step.kind} {step.name!r} is to be asked for something else, and nothing says how",
        expected="a NewRequest with `ask`; without one a model is asked, or an agent given another task",
        action="Say what asks, or give a NewResult",
        step=step.id,
    )


def _ended_early(step: Step, at: int) -> ReplayDiverged:
    return ReplayDiverged(
        f"The program ended before it asked for {step.kind} {step.name!r}, which comes before step {at}",
        expected="the program that was recorded",
        action="Fork at an earlier step, where its code may differ",
        at=at,
    )
