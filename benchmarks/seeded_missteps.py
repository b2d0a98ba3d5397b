"""Runs into which one misstep of a known kind was put at a known place.

A seed takes the calls of a run that went well, all of which count as needed, in any order but that of its effects.
"""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ops_pipelines.agentops.evaluation.matching import leaves
from ops_pipelines.agentops.evaluation.task import Expected, ExpectedCall, Task
from ops_pipelines.agentops.evaluation.task_verdict import (
    MISREAD,
    NEEDLESS,
    OUT_OF_ORDER,
    REPEATED_ERROR,
    WRONG_ACTION,
    WRONG_ARGUMENTS,
    WRONG_TOOL,
)
from ops_pipelines.testing.task_runs import Did

STRANGE = "nobody-ever-said-this"
_TELLING = 3


@dataclass(frozen=True, slots=True)
class Seeded:
    """A run with a misstep of a kind in its call number `at`; `decisive` where it alone keeps the task from success."""

    kind: str
    calls: tuple[Did, ...]
    at: int
    decisive: bool


def needed_of(name: str, calls: Sequence[Did], acts: frozenset[str]) -> tuple[Task, tuple[Did, ...]]:
    """A task that needs each different call of a run that went well, effects in their order, and the run without more."""
    kept: list[Did] = []
    for call in calls:
        if not call.error and all((call.tool, call.arguments) != (one.tool, one.arguments) for one in kept):
            kept.append(call)
    needs = tuple(ExpectedCall(call.tool, call.arguments, str(at)) for at, call in enumerate(kept))
    order = [need.name for need in needs if need.tool in acts]
    return Task(name, {}, Expected(calls=needs, before=tuple(itertools.pairwise(order)))), tuple(kept)


def shuffled_reads(calls: Sequence[Did], acts: frozenset[str], draw: random.Random) -> tuple[Did, ...]:
    """The calls with those that only read in another order, which nobody asked for."""
    reads = [call for call in calls if call.tool not in acts]
    draw.shuffle(reads)
    left = iter(reads)
    return tuple(call if call.tool in acts else next(left) for call in calls)


def seeded(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Iterator[Seeded]:
    """One run with a misstep of each kind for which the calls have a place."""
    for seed in (_wrong_tool, _wrong_arguments, _misread, _early, _needless, _again, _wrong_action):
        found = seed(calls, acts, draw)
        if found:
            yield found


Seed = Callable[[tuple[Did, ...], frozenset[str], random.Random], Seeded | None]


def _with(calls: tuple[Did, ...], at: int, *new: Did, instead: bool = False) -> tuple[Did, ...]:
    return (*calls[:at], *new, *calls[at + instead :])


def _wrong_tool(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded | None:
    places = [at for at, call in enumerate(calls) if call.tool not in acts]
    if not places:
        return None
    at = draw.choice(places)
    other = Did("look_up_the_weather", calls[at].arguments, {"weather": "fine"})
    return Seeded(WRONG_TOOL, _with(calls, at, other, instead=True), at, decisive=True)


def _wrong_arguments(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded | None:  # noqa: ARG001
    places = [(at, path) for at, call in enumerate(calls) for path, _ in leaves(call.arguments) if path]
    if not places:
        return None
    at, path = draw.choice(places)
    return Seeded(WRONG_ARGUMENTS, _edited(calls, at, path, STRANGE), at, decisive=True)


def _misread(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded | None:  # noqa: ARG001
    places = [
        (at, path, other)
        for at, call in enumerate(calls)
        for path, value in leaves(call.arguments)
        if path and _tells(value)
        for earlier in calls[:at]
        for other in _others(value, earlier.result)
    ]
    if not places:
        return None
    at, path, other = draw.choice(places)
    return Seeded(MISREAD, _edited(calls, at, path, other), at, decisive=True)


def _early(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded | None:
    places = [at for at, call in enumerate(calls) if call.tool in acts]
    if len(places) < 2:
        return None
    number = draw.randrange(len(places) - 1)
    first, second = places[number], places[number + 1]
    turned = list(calls)
    turned[first], turned[second] = turned[second], turned[first]
    return Seeded(OUT_OF_ORDER, tuple(turned), first, decisive=True)


def _needless(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded:  # noqa: ARG001
    at = draw.randrange(len(calls) + 1)
    extra = Did("look_up_the_weather", {"at": "JFK"}, {"weather": "fine"})
    return Seeded(NEEDLESS, _with(calls, at, extra), at, decisive=False)


def _again(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded | None:  # noqa: ARG001
    if not calls:
        return None
    at = draw.randrange(len(calls))
    down = replace(calls[at], result=None, error="Error: the desk is closed")
    return Seeded(REPEATED_ERROR, _with(calls, at, down, down), at + 1, decisive=False)


def _wrong_action(calls: tuple[Did, ...], acts: frozenset[str], draw: random.Random) -> Seeded:
    at = draw.randrange(len(calls) + 1)
    unused = sorted(acts - {call.tool for call in calls})
    done = Did(draw.choice(unused), {"reservation_id": STRANGE}, "done")
    return Seeded(WRONG_ACTION, _with(calls, at, done), at, decisive=True)


def _tells(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= _TELLING


def _others(value: str, result: Any) -> Iterator[str]:
    """The other values of a result that holds a value."""
    held = [one for _, one in leaves(result) if _tells(one)]
    if value in held:
        yield from sorted({one for one in held if one != value})


def _edited(calls: tuple[Did, ...], at: int, path: str, value: Any) -> tuple[Did, ...]:
    return _with(
        calls, at, replace(calls[at], arguments=_set(calls[at].arguments, path.split("."), value)), instead=True
    )


def _set(whole: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(whole, list):
        return [_set(one, rest, value) if str(at) == key else one for at, one in enumerate(whole)]
    return {name: _set(one, rest, value) if name == key else one for name, one in whole.items()}
