"""Whether what a tool returned was read right: the value that was needed, and not another one of the same result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops_pipelines.agentops.evaluation.calls import Made
from ops_pipelines.agentops.evaluation.matching import ABSENT, differing, is_same, leaves, value_at
from ops_pipelines.agentops.evaluation.task import Reading

_TELLING = 3
"""A shorter text or number is in many results by chance, and tells nothing of where it was read."""


@dataclass(frozen=True, slots=True)
class Misreading:
    """An argument that is not the value it should be. `source` is the step of whose result it is another value.

    Empty where it was read nowhere; `unread` where nothing had been read by then.
    """

    argument: str
    value: Any
    should: Any
    source: str = ""
    at: str = ""
    unread: bool = False

    @property
    def why(self) -> str:
        """What was misread, in words."""
        if self.unread:
            return f"{self.argument} was not read before"
        found = f" ({self.at} of an earlier result)" if self.source else ""
        return f"{self.argument} is {_shown(self.value)}{found} and should be {self.should!r}"


def broken_reading(call: Made, before: Sequence[Made], readings: Sequence[Reading]) -> Misreading | None:
    """What a call got wrong of the values that it had to read; None where it got them right, or had none to read."""
    mine = [reading for reading in readings if reading.tool == call.tool]
    for argument in dict.fromkeys(reading.argument for reading in mine):
        asked = [reading for reading in mine if reading.argument == argument]
        value, told = value_at(argument, call.arguments), _told(asked, before)
        if any(is_same(value, should) for _, should in told):
            continue
        if not told:
            return Misreading(argument, value, None, unread=True)
        source, should = told[-1]
        at = _place_of(value, source.result)
        return Misreading(argument, value, should, source.step if at else "", at)
    return None


def is_handed_on(reading: Reading, made: Sequence[Made]) -> bool:
    """Whether some call of a run handed on the very value of a reading."""
    return any(
        is_same(value_at(reading.argument, call.arguments), should)
        for at, call in enumerate(made)
        if call.tool == reading.tool
        for _, should in _told([reading], made[:at])
    )


class Shown:
    """What the results of a run showed: each telling value with the calls that returned it, and where in their results."""

    def __init__(self, made: Sequence[Made]) -> None:
        self._made, self._places = made, dict[Any, dict[int, str]]()
        for at, call in enumerate(made):
            for path, value in leaves(call.result) if not call.error else ():
                if _tells(value):
                    self._places.setdefault(value, {}).setdefault(at, path or "all")

    def misread(self, at: int, expected: Mapping[str, Any]) -> Misreading | None:
        """A wrong argument that an earlier result explains: it holds the right value and, elsewhere, the wrong one."""
        for argument, should, value in differing(expected, self._made[at].arguments):
            right, wrong = (self._places.get(one, {}) if _tells(one) else {} for one in (should, value))
            both = [source for source in wrong if source < at and source in right]
            if both:
                source = max(both)
                return Misreading(argument, value, should, self._made[source].step, wrong[source])
        return None


def _told(readings: Sequence[Reading], before: Sequence[Made]) -> list[tuple[Made, Any]]:
    """The values that there were to read, with the calls that returned them, in the order of the calls."""
    found = [
        (call, value_at(reading.value, call.result))
        for call in before
        for reading in readings
        if call.tool == reading.source and not call.error
    ]
    return [(call, value) for call, value in found if value is not ABSENT]


def _place_of(value: Any, result: Any) -> str:
    """Where a result holds a value; empty where it does not."""
    return next((path or "all" for path, one in leaves(result) if is_same(one, value)), "")


def _tells(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) >= _TELLING


def _shown(value: Any) -> str:
    return "absent" if value is ABSENT else repr(value)
