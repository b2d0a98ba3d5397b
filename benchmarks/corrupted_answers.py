"""Answers in which a single fact was made wrong: a number, a date, a name, or what is denied.

Each corruption is seeded and changes one place of a supported answer. What is put in stands nowhere in the answer's passage,
so that the result is false to it. An answer that holds no fact of a kind is not corrupted in that kind.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

NUMBER, DATE, NAME, NEGATION = "number", "date", "name", "negation"
_NAMES = "January February March April May June July August September October November December"
_MONTHS = _NAMES.split()
_TRIES = 3
_MONTH = re.compile(rf"\b(?:{'|'.join(_MONTHS)})\b", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
_DIGITS = re.compile(r"(?<![\w.,-])\d{1,3}(?:,\d{3})*(?![\w,-]|\.\d)")
_CAPITALISED = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}\b")
_AUXILIARY = re.compile(r"\b(?:is|are|was|were|can|could|will|has been|have been|may|must|should)\b(?! (?:not|n't))")
_NOT = re.compile(r"\b(?:is|are|was|were|can|could|will|may|must|should)( not)\b")


@dataclass(frozen=True, slots=True)
class Supported:
    """An answer that its passage supports."""

    answer: str
    passage: str


@dataclass(frozen=True, slots=True)
class Corrupted:
    """A supported answer, and the same with one fact of a kind made wrong."""

    kind: str
    before: Supported
    answer: str


def corrupt(supported: Sequence[Supported], *, count: int, seed: int) -> tuple[Corrupted, ...]:
    """So many corruptions, the four kinds in turn as far as there are answers for them; fewer where there are not."""
    draw = random.Random(seed)
    names = sorted({name for one in supported for name in _CAPITALISED.findall(one.passage)})
    waiting = {kind: list(_possible(kind, supported, names, draw)) for kind in _KINDS}
    for corrupted in waiting.values():
        draw.shuffle(corrupted)
    found: list[Corrupted] = []
    while len(found) < count and any(waiting.values()):
        found += [corrupted.pop() for corrupted in waiting.values() if corrupted]
    return tuple(found[:count])


def _possible(
    kind: str, supported: Sequence[Supported], names: Sequence[str], draw: random.Random
) -> Iterator[Corrupted]:
    """A corruption of each answer in which there is something to corrupt, and up to two further ones that differ."""
    for one in supported:
        made = {_KINDS[kind](one, names, draw): None for _ in range(_TRIES)}
        yield from (Corrupted(kind, one, answer) for answer in made if answer and answer != one.answer)


def _replaced(
    one: Supported, pattern: re.Pattern[str], others: Callable[[str], Sequence[str]], draw: random.Random
) -> str:
    """The answer with one match of a pattern exchanged for something that its passage does not hold; empty for none."""
    spots = list(pattern.finditer(one.answer))
    if not spots:
        return ""
    spot = draw.choice(spots)
    left = [other for other in others(spot[0]) if other.lower() not in one.passage.lower()]
    return f"{one.answer[: spot.start()]}{draw.choice(left)}{one.answer[spot.end() :]}" if left else ""


def _number(one: Supported, _: Sequence[str], draw: random.Random) -> str:
    return _replaced(
        one, _DIGITS, lambda held: [str(int(held.replace(",", "")) + more) for more in (1, 2, 7, 30)], draw
    )


def _date(one: Supported, _: Sequence[str], draw: random.Random) -> str:
    pattern = _MONTH if _MONTH.search(one.answer) and draw.random() < 0.5 else _YEAR
    years = lambda held: [str(int(held) + more) for more in (-11, -2, 1, 4)]  # noqa: E731
    return _replaced(one, pattern, years if pattern is _YEAR else lambda _: _MONTHS, draw)


def _name(one: Supported, names: Sequence[str], draw: random.Random) -> str:
    return _replaced(one, _CAPITALISED, lambda _: names, draw)


def _negation(one: Supported, _: Sequence[str], __: random.Random) -> str:
    """The answer with its first auxiliary denied, or with its first denial taken out."""
    denied = _NOT.search(one.answer)
    if denied:
        return one.answer[: denied.start(1)] + one.answer[denied.end(1) :]
    return _AUXILIARY.sub(
        lambda found: f"{found[0].split()[0]} not{found[0][len(found[0].split()[0]) :]}", one.answer, count=1
    )


_KINDS: Mapping[str, Callable[[Supported, Sequence[str], random.Random], str]] = {
    NUMBER: _number,
    DATE: _date,
    NAME: _name,
    NEGATION: _negation,
}
