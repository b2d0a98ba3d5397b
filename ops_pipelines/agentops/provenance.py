"""Where an agent has a value from: trusted text, text that strangers could write, or nowhere at all.

Trusted are the user's words, the operator's configuration, and the results of tools that are declared as trusted. Every
other result taints. What is looked for is the value itself, and never how an attack is worded: a hostile page may ask in
any words that money be sent somewhere, but the account that it names does not occur in what the user said.

An agent's own words are no evidence. What it said in a call is not trusted because the tool's answer repeats it: "no
order ZX99 was found" does not make ZX99 an order. A tool that repeats it in another form, or a store that the agent can
write to and that is declared as trusted, gets around that; declare no such store as trusted.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from ops_pipelines.agentops.claims import CENTS, MONEY_AMOUNT, TARGET, Claim, looks_made_up

TRUSTED, TAINTED, UNSEEN = "trusted", "tainted", "unseen"
USER, OPERATOR = "user", "operator"
_NUMBER = re.compile(r"(?<![\w.])\d[\d,']*(?:\.\d+)?(?!\w)")
_JOINS = "-._@+%:/"
"""What may join two words into one longer address."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A claim with where it comes from: `origin`, and the first source that it occurred in (empty for none)."""

    claim: Claim
    origin: str
    source: str = ""

    def to_json(self) -> dict[str, Any]:
        """The claim as plain JSON."""
        claim = self.claim
        facts = {"where": claim.where, "kind": claim.kind, "value": claim.value}
        return facts | {"origin": self.origin, "source": self.source}


@dataclass(slots=True)
class Heard:
    """What was read in one run, by source. It grows while the run goes on."""

    _trusted: dict[str, list[str]] = field(default_factory=dict)
    _tainted: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_tainted(self) -> bool:
        """Whether anything was read that strangers could write."""
        return bool(self._tainted)

    @property
    def tainted_by(self) -> tuple[str, ...]:
        """The sources that strangers could write into, in the order in which they were read."""
        return tuple(self._tainted)

    def add(self, text: str, *, source: str, trusted: bool, said: Mapping[str, Any] | None = None) -> None:
        """Read a text. `said` are the arguments of the call that brought it: what the agent said is no evidence there."""
        if trusted and said:
            text = self._without(text, said)
        kept = self._trusted if trusted else self._tainted
        kept.setdefault(source, []).append(text.casefold())

    def trace(self, claims: Sequence[Claim]) -> tuple[Traced, ...]:
        """Where each claim comes from; trusted text is looked at first."""
        return tuple(self._traced(claim) for claim in claims)

    def _traced(self, claim: Claim) -> Traced:
        for origin, kept in ((TRUSTED, self._trusted), (TAINTED, self._tainted)):
            for source, texts in kept.items():
                if any(_occurs(claim, text) for text in texts):
                    return Traced(claim, origin, source)
        return Traced(claim, UNSEEN)

    def _without(self, text: str, said: Mapping[str, Any]) -> str:
        """The text without what only the agent has said so far."""
        for word in set(_words(said)):
            if word.casefold() in text.casefold() and self._traced(Claim("", TARGET, word)).origin != TRUSTED:
                text = re.sub(re.escape(word), " ", text, flags=re.IGNORECASE)
        return text


def suspects(traced: Iterable[Traced]) -> tuple[Traced, ...]:
    """The claims that do not come from trusted text."""
    return tuple(one for one in traced if one.origin != TRUSTED)


def _occurs(claim: Claim, text: str) -> bool:
    if claim.kind in (MONEY_AMOUNT, CENTS):
        return bool(_amounts(claim) & _numbers(text))
    value = str(claim.value).casefold()
    if claim.kind == TARGET:
        value = re.sub(r"^(?:https?|ftp)://", "", value).rstrip("/")
    joins = _JOINS if claim.kind == TARGET else "-"
    return any(_stands_alone(text, at, at + len(value), joins) for at in _places(text, value))


def _places(text: str, value: str) -> Iterator[int]:
    at = text.find(value) if value else -1
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _stands_alone(text: str, start: int, end: int, joins: str) -> bool:
    """Whether the text from start to end is no part of a longer word: `evil.com` does not occur in `notevil.com`."""
    before, after = text[max(start - 2, 0) : start][::-1], text[end : end + 2]
    if before[:1] == "/" and text[max(start - 3, 0) : start] == "://":
        before = ""  # an address with its scheme is the same address
    return not _goes_on(before, joins) and not _goes_on(after, joins)


def _goes_on(beside: str, joins: str) -> bool:
    """Whether a word goes on beside a place, nearest character first."""
    if not beside:
        return False
    return _is_word(beside[0]) or (beside[0] in joins and len(beside) > 1 and _is_word(beside[1]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _amounts(claim: Claim) -> set[Decimal]:
    """How an amount may stand in a text: cents may be told as cents, or as money."""
    try:
        amount = Decimal(str(claim.value).replace(",", ""))
    except InvalidOperation:
        return set()
    return {amount, amount / 100} if claim.kind == CENTS else {amount}


def _numbers(text: str) -> set[Decimal]:
    return {Decimal(number.replace(",", "").replace("'", "")) for number in _NUMBER.findall(text)}


def _words(value: Any) -> Iterator[str]:
    """The words in some arguments that an agent must have from somewhere."""
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _words(part)
    elif isinstance(value, list):
        for part in value:
            yield from _words(part)
    elif not isinstance(value, bool | None):
        yield from (word for word in re.split(r"[\s\"'<>()\[\]{},;]+", str(value)) if looks_made_up(word))
