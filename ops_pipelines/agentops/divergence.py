"""Where two runs part, and why: the first step that differs, and the one cause that explains it.

Steps are set side by side by their place, and parallel ones by what they asked. Texts are compared with the instants and
drawn numbers of each run taken out, so that two runs that differ in nothing but when they ran do not diverge at all.

The cause is what differs where nothing before it did:

    the answer to one request                  model, tool result, memory, or the answer of another agent
    a model's request                          prompt, where its messages differ; model, where only the rest does
    what a tool is asked where a fork was edited    request: the program itself asked the same
    which step comes, or what a tool is asked  code; but clock or random, where those differed before in two runs that are
                                               known to be of one release, so that nothing else is left
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops_pipelines.agentops.replay import as_played, edited_in
from ops_pipelines.agentops.run_log import (
    AGENT,
    CLOCK,
    MEMORY_READ,
    MEMORY_WRITE,
    MESSAGE,
    MODEL,
    RANDOM,
    TOOL,
    Recording,
    Step,
)
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes

PROMPT, MODEL_CHANGED, TOOL_RESULT, MEMORY, CODE = "prompt", "model", "tool result", "memory", "code"
CLOCK_CHANGED, RANDOM_CHANGED, MESSAGE_CHANGED, TASK, REQUEST = "clock", "random", "message", "task", "request"
_OF_ANSWERS = {
    MODEL: MODEL_CHANGED,
    TOOL: TOOL_RESULT,
    MEMORY_READ: MEMORY,
    MEMORY_WRITE: MEMORY,
    MESSAGE: MESSAGE_CHANGED,
}
_DRAWN = frozenset({CLOCK, RANDOM})
_TELLING = 6
"""Letters that something drawn has at least, to be known where it stands in a text: a 7 may stand for anything."""
_SEARCHED = 20
"""So many places of a text are looked at in the time of one search through it, or less."""
_SAID = ("messages", "prompt", "system", "input", "tools")
"""The keys of a request under which its words stand."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first difference: its number among the steps of the first program, the step in each run, and the cause.

    A step is None where that run has none there. `words` say what differs, for people.
    """

    at: int
    first: Step | None
    second: Step | None
    cause: str
    words: str

    @property
    def sentence(self) -> str:
        """Where the runs part and why, in one line."""
        return f"step {self.at}: {self.words} (cause: {self.cause})"


def first_divergence(first: Recording, second: Recording) -> Divergence | None:
    """Where the second run parts from the first, and why; None where they differ in instants and drawn numbers at most.

    It counts what their programs did (`as_played`), and not what runs note of themselves: a fork begins with a note.
    """
    edited = edited_in(first), edited_in(second)
    first, second = as_played(first), as_played(second)
    pairs = _Pairs(first, second, edited)
    for at, step in enumerate(first.steps):
        other = pairs.partner(step)
        if step.kind in _DRAWN and other is not None:
            pairs.note_drawn(step, other)
        elif found := _difference(pairs, at, step, other):
            return found
    extra = pairs.extra_before(None, len(first.steps))
    return _turn_taken(pairs, pairs.place_of(extra), None, extra) if extra else None


def _difference(pairs: "_Pairs", at: int, step: Step, other: Step | None) -> Divergence | None:
    if other is None:
        return _other_turn(pairs, at, step)
    differs = pairs.differ(step.inputs, other.inputs)
    if differs and (extra := pairs.extra_before(other, at)):
        return _turn_taken(pairs, pairs.place_of(extra), step, extra)
    if differs:
        cause = _cause_of_inputs(pairs, step, other)
        return Divergence(at, step, other, cause, f"{_named(step)} is asked for something else")
    if step.kind == AGENT or not (pairs.differ(step.outputs, other.outputs) or step.error != other.error):
        return None
    return Divergence(at, step, other, _OF_ANSWERS.get(step.kind, CODE), f"{_named(step)} answers otherwise")


def _turn_taken(pairs: "_Pairs", at: int, step: Step | None, extra: Step) -> Divergence:
    """The second run does something that the first never did."""
    words = f"only the second run does {_named(extra)}" + (f", before {_named(step)}" if step else "")
    return Divergence(at, step, extra, pairs.structural(), words)


def _other_turn(pairs: "_Pairs", at: int, step: Step) -> Divergence:
    """The second run does not come to this step: it asks another model, or does something else."""
    other = pairs.instead(step)
    asks_another = other is not None and step.kind == other.kind == MODEL and step.name != other.name
    cause = MODEL_CHANGED if asks_another else pairs.structural()
    words = f"the second run does {_named(other)} instead of {_named(step)}" if other else f"{_named(step)} is missing"
    return Divergence(at, step, other, cause, words)


def _cause_of_inputs(pairs: "_Pairs", step: Step, other: Step) -> str:
    if step.kind == AGENT:
        return TASK
    if step.kind != MODEL:
        return REQUEST if pairs.asked_the_same(step, other) else pairs.structural()
    return MODEL_CHANGED if pairs.say_the_same(step.inputs, other.inputs) else PROMPT


def _named(step: Step) -> str:
    return f"{step.kind} {step.name!r} #{step.occurrence}"


def _what(step: Step) -> tuple[str, str, str]:
    return step.parent, step.kind, step.name


class _Pairs:
    """The steps of two runs side by side, and what each run drew and read from its clock so far."""

    def __init__(
        self, first: Recording, second: Recording, edited: tuple[Mapping[str, str], Mapping[str, str]]
    ) -> None:
        self._runs, self._edited = (first, second), edited
        self._drawn, self._draws = (_Drawn(), _Drawn()), 0
        self._known: dict[tuple[int, str], str] = {}
        self._kinds: set[str] = set()
        self._left: dict[tuple[str, str, str], list[Step]] = {}
        for step in second.steps:
            self._left.setdefault(_what(step), []).append(step)
        self._taken: set[str] = set()
        self._places = {(_what(step), step.occurrence) for step in first.steps}
        self._surplus = Counter(map(_what, second.steps)) - Counter(map(_what, first.steps))
        self._order = [step.id for step in second.steps]

    def partner(self, step: Step) -> Step | None:
        """The step of the second run at this place: the one that asked the same, or else the first of them."""
        steps = self._left.get(_what(step), [])
        for at, other in enumerate(steps):
            if not self.differ(step.inputs, other.inputs):
                return self._took(steps.pop(at))
        return self._took(steps.pop(0)) if steps else None

    def note_drawn(self, step: Step, other: Step) -> None:
        """Remember two instants, or two drawn numbers, in order to take them out of what follows."""
        if step.outputs == other.outputs:
            return
        self._known.clear()
        self._kinds.add(step.kind)
        drawn = [canonical_json(self.value(at, one.outputs)).strip(b'"') for at, one in enumerate((step, other))]
        if min(map(len, drawn)) >= _TELLING:
            for known, one in zip(self._drawn, drawn, strict=True):
                known.add(one, self._draws)
            self._draws += 1

    def differ(self, mine: str, theirs: str) -> bool:
        """Whether two payloads differ when what was drawn is taken out of them."""
        if mine == theirs:
            return False
        if not (mine and theirs and self._drawn[0]):
            return True
        return self._told(0, mine) != self._told(1, theirs)

    def value(self, which: int, digest: str) -> Any:
        """A payload of the first (0) or second (1) run as far as it was kept."""
        return self._runs[which].payloads[digest].shown() if digest else None

    def asked_the_same(self, step: Step, other: Step) -> bool:
        """Whether the programs asked the same there, and a person put another request in its place in a fork."""
        mine, theirs = (known.get(one.id, one.inputs) for known, one in zip(self._edited, (step, other), strict=True))
        return mine == theirs

    def say_the_same(self, mine: str, theirs: str) -> bool:
        """Whether two requests to a model differ in other things than their words."""
        requests = self.value(0, mine), self.value(1, theirs)
        if not all(isinstance(request, Mapping) for request in requests):
            return False
        said = [{name: request[name] for name in _SAID if name in request} for request in requests]
        return self._stripped(0, said[0]) == self._stripped(1, said[1])

    def structural(self) -> str:
        """The cause where the program itself took another turn."""
        releases = [{step.release for step in run.steps} for run in self._runs]
        is_one = releases[0] == releases[1] and releases[0] not in (set(), {""})
        if not (is_one and self._kinds):
            return CODE
        return CLOCK_CHANGED if CLOCK in self._kinds else RANDOM_CHANGED

    def instead(self, step: Step) -> Step | None:
        """What the second run does next under the same parent."""
        remaining = (one for one in self._runs[1].steps if one.id not in self._taken)
        return next((one for one in remaining if one.parent == step.parent), None)

    def extra_before(self, step: Step | None, at: int) -> Step | None:
        """The first step that only the second run does, up to one of its own steps; the first run is at its step `at`."""
        for other in self._runs[1].steps:
            if step is not None and other.id == step.id:
                return None
            if other.id not in self._taken and self._is_extra(other, at):
                return other
        return None

    def _is_extra(self, other: Step, at: int) -> bool:
        """Whether the first run never comes to this; a parallel step that it only comes to later is none."""
        if (_what(other), other.occurrence) not in self._places:
            return True
        rest = (one for one in self._runs[0].steps[at:] if _what(one) == _what(other))
        return self._surplus[_what(other)] > 0 and all(self.differ(one.inputs, other.inputs) for one in rest)

    def place_of(self, extra: Step) -> int:
        """Before which step of the first run a step of the second came."""
        before = self._order.index(extra.id)
        return sum(self._order.index(taken) < before for taken in self._taken)

    def _took(self, step: Step) -> Step:
        self._taken.add(step.id)
        return step

    def _told(self, which: int, digest: str) -> str:
        """The digest of a payload without what was drawn; parallel steps are compared with each other again and again."""
        if (which, digest) not in self._known:
            self._known[which, digest] = digest_bytes(self._stripped(which, self.value(which, digest)))
        return self._known[which, digest]

    def _stripped(self, which: int, value: Any) -> bytes:
        content = canonical_json(value)
        for number, drawn in self._drawn[which].found_in(content):
            content = content.replace(drawn, b"[drawn %d]" % number)
        return content


class _Drawn:
    """What a run drew, in order; of thousands those that stand in a text are found without a search for each."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}
        self._lengths: set[int] = set()

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def add(self, drawn: bytes, number: int) -> None:
        """Remember what was drawn; what is drawn again is known by its first number."""
        self._numbers.setdefault(drawn, number)
        self._lengths.add(len(drawn))

    def found_in(self, content: bytes) -> list[tuple[int, bytes]]:
        """What stands in a text, by its number."""
        if len(content) * len(self._lengths) > _SEARCHED * len(self._numbers):
            return sorted((number, drawn) for drawn, number in self._numbers.items() if drawn in content)
        spans = ((at, at + length) for length in self._lengths for at in range(len(content) - length + 1))
        parts = {part for start, end in spans if (part := content[start:end]) in self._numbers}
        return sorted((self._numbers[part], part) for part in parts)
