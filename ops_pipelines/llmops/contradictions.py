"""What a place in a passage holds against a claim: a fact that it lacks or has otherwise, a statement that it denies."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ops_pipelines.llmops.claims import EMPTY, Claim
from ops_pipelines.llmops.facts import CODE, NAME, SPAN, Fact, is_held
from ops_pipelines.llmops.polarity import all_sayings, opposition
from ops_pipelines.llmops.sentences import STOP_WORDS

_AUXILIARIES = "is was are were has had have can could will would did does do may might must should"
_VERBS = frozenset(_AUXILIARIES.split())
"""What tells that a sentence's first word is its subject."""


@dataclass(frozen=True, slots=True)
class Place:
    """Some claims of a passage in a row, and of the whole passage the words and the text, in which a name may stand."""

    claims: tuple[Claim, ...]
    parts: frozenset[str]
    around: frozenset[str]
    spoken: str


def contradictions(claim: Claim, place: Place) -> Iterator[str]:
    """Why a place does not support a claim, whatever words they share; nothing where it does."""
    held = [fact for one in place.claims for fact in one.facts]
    units: dict[tuple[str, str], set[str]] = {}
    for other in held:
        units.setdefault((other.kind, other.value), set()).add(other.unit)
    for fact in claim.facts:
        if not _is_there(fact, place, units):
            where = "passage" if fact.kind in (NAME, CODE) else "place that supports it"
            yield f"the {fact.kind} {fact.shown!r} is not in the {where}"
    for subject in _leading(claim):
        if claim.words[1:2] and claim.words[1] in _VERBS and not _holds_name(subject.value, place):
            yield f"the subject {subject.shown!r} is not in the passage"
    nearest = max(place.claims, key=lambda one: len(set(one.stems) & set(claim.stems)))
    yield from opposition(claim.sayings, all_sayings(one.sayings for one in place.claims))
    yield from _exchanged(claim, nearest)


def _is_there(fact: Fact, place: Place, units: dict[tuple[str, str], set[str]]) -> bool:
    """Whether a place holds a fact; a name and code may stand anywhere in its passage."""
    if fact.kind == NAME:
        return _holds_name(fact.value, place)
    if fact.kind == CODE:
        return f" {fact.value} " in place.spoken
    if fact.kind == SPAN and not any(kind == SPAN for kind, _ in units):
        return True  # `a day` may be `daily`; only another span speaks against it
    return _has_unit(fact.unit, units.get((fact.kind, fact.value), set()))


def _has_unit(unit: str, held: Collection[str]) -> bool:
    """Whether a value is held with a unit; where one side has none, the value is enough, and a percentage needs its mark."""
    return bool(held) and (not unit or unit in held or ("" in held and unit != "%"))


def _holds_name(name: str, place: Place) -> bool:
    """Whether a name stands in the passage as it is, in parts, or as a form of a word (`American`, `America`)."""
    if is_held(name, place.around):
        return True
    if len(name) < 3 or not name.isalpha():
        return False
    initials = "".join(word[0] for one in place.claims for word in one.words)
    return name in initials or any(_same_root(name, word) for word in place.around)


def _same_root(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 4


def _exchanged(claim: Claim, source: Claim) -> Iterator[str]:
    """Facts that stand where the source, between the same two words, has another one of their kind."""
    after: dict[str, dict[tuple[str, str], Fact]] = {}
    for fact in (fact for fact in source.facts if fact.kind != CODE):
        left, right = _beside(source, fact.place)
        after.setdefault(right, {})[(left, fact.value)] = fact
    for fact in (fact for fact in (*claim.facts, *_leading(claim)) if fact.kind != CODE):
        left, right = _beside(claim, fact.place)
        there = [one for (before, _), one in after.get(right, {}).items() if before == left or fact.place == 0]
        others = [one for one in there if one.kind == fact.kind]
        if others and not any(fact.agrees_with(one) for one in others):
            yield f"{fact.shown!r} stands where the passage has {others[0].shown!r}"


def _leading(claim: Claim) -> Iterator[Fact]:
    """The first word of a sentence as the name that it may be: there, a capital says nothing."""
    if claim.texts[0].istitle() and claim.words[0] not in STOP_WORDS and claim.stems[0] not in EMPTY:
        yield Fact(NAME, claim.words[0], claim.texts[0])


def _beside(claim: Claim, place: int) -> tuple[str, str]:
    """The words before and after a place; the ends of a sentence are marks of their own."""
    before, after = claim.stems[max(place - 1, 0) : place], claim.stems[place + 1 : place + 2]
    return before[0] if before else "<", after[0] if after else ">"
