"""Where an agent has a value from: trusted text, text that strangers could write, or nowhere at all.

Trusted are the user's words, the operator's configuration, and the results of tools that are declared as trusted. Every
other result taints. What is looked for is the value itself, and never how an attack is worded: a hostile page may ask in
any words that money be sent somewhere, but the account that it names does not occur in what the user said.

An agent's own words are no evidence. What it said in a call is not trusted because the tool's answer repeats it: "no
order ZX99 was found" does not make ZX99 an order. A tool that repeats it in another form, or a store that the agent can
write to and that is declared as trusted, gets around that; declare no such store as trusted.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any

from ops_pipelines.agentops.claims import SECRET_VALUE, TARGET, Claim, looks_made_up
from ops_pipelines.agentops.mention import numbers_in, occurs, readable
from ops_pipelines.agentops.payload import names_and_values

TRUSTED, TAINTED, UNSEEN = "trusted", "tainted", "unseen"
USER, OPERATOR = "user", "operator"
MOST_HEARD = 50_000_000
"""Characters that one run may read: each value is looked for in all of them, and they are held in memory."""


@dataclass(frozen=True, slots=True)
class Traced:
    """A claim with where it comes from: `origin`, and the first source that it occurred in (empty for none)."""

    claim: Claim
    origin: str
    source: str = ""

    @property
    def shown(self) -> str | int | float:
        """The value as it may be told and logged: of a secret only that there is one."""
        return "***" if self.claim.kind == SECRET_VALUE else self.claim.value

    def to_json(self) -> dict[str, Any]:
        """The claim as plain JSON."""
        claim = self.claim
        facts = {"where": claim.where, "kind": claim.kind, "value": self.shown}
        return facts | {"origin": self.origin, "source": self.source}


@dataclass(slots=True)
class Heard:
    """What was read in one run, by source. It grows while the run goes on."""

    _trusted: dict[str, list[str]] = field(default_factory=dict)
    _tainted: dict[str, list[str]] = field(default_factory=dict)
    characters: int = 0

    @property
    def tainted_by(self) -> tuple[str, ...]:
        """The sources that strangers could write into, in the order in which they were read."""
        return tuple(self._tainted)

    def add(self, text: str, *, source: str, trusted: bool, said: Mapping[str, Any] | None = None) -> None:
        """Read a text. `said` are the arguments of the call that brought it: what the agent said is no evidence there."""
        text = readable(text).casefold()
        if trusted and said:
            text = self._without(text, said)
        kept = self._trusted if trusted else self._tainted
        kept.setdefault(source, []).append(text)
        self.characters += len(text)

    def trace(self, claims: Sequence[Claim]) -> tuple[Traced, ...]:
        """Where each claim comes from; trusted text is looked at first."""
        numbers = cache(numbers_in) if claims else numbers_in  # of a text, for all amounts of a call
        return tuple(self._traced(claim, numbers) for claim in claims)

    def vouches(self, value: Any) -> bool:
        """Whether every word of a value stands in trusted text."""
        words = {word.casefold() for word in _words(value)}
        return all(self._traced(Claim("", TARGET, word)).origin == TRUSTED for word in words)

    def _traced(self, claim: Claim, numbers: Callable[[str], Set[Decimal]] = numbers_in) -> Traced:
        for origin, kept in ((TRUSTED, self._trusted), (TAINTED, self._tainted)):
            for source, texts in kept.items():
                if any(occurs(claim, text, numbers) for text in texts):
                    return Traced(claim, origin, source)
        return Traced(claim, UNSEEN)

    def _without(self, text: str, said: Mapping[str, Any]) -> str:
        """A text in small letters without what only the agent has said so far."""
        for word in {word.casefold() for word in _words(said) if looks_made_up(word)}:
            if word in text and self._traced(Claim("", TARGET, word)).origin != TRUSTED:
                text = text.replace(word, " ")
        return text


def suspects(traced: Iterable[Traced]) -> tuple[Traced, ...]:
    """The claims that do not come from trusted text."""
    return tuple(one for one in traced if one.origin != TRUSTED)


def _words(value: Any) -> Iterator[str]:
    """The words in a value, its names included, without the marks beside them."""
    for one in names_and_values(value):
        if not isinstance(one, bool | None):
            words = (word.strip(".,;:!?") for word in re.split(r"[\s\"'<>()\[\]{},;*^]+", str(one)))
            yield from filter(None, words)
