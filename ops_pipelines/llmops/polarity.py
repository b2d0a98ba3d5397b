"""What a sentence denies, and where two sentences say the opposite of each other.

A denial is a word such as `not` or `without` and the first word of weight after it. Two sentences are opposed where one
denies what the other states, or where one has a word and the other its antonym.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ops_pipelines.llmops.sentences import STOP_WORDS, stem

_DENYING = """
    not never no without cannot neither nor nobody nothing none hardly barely unable fail fails failed refuses
"""
_DENIES = frozenset(_DENYING.split())
_IMPLYING = """
    absent avoid avoids except exclude excluded excludes few forbid forbidden forbids free instead lack lacking lacks less
    little only prevent prevents rarely rather refuse refused seldom stop stopped stops unless unlike
"""
_IMPLIES = frozenset(_IMPLYING.split())
"""Words that deny in other words: a source with one of them may be told with a `not`."""
_NO_PREFIX = ("under", "uni", "unti")
_PRONOUNS = frozenset({"nothing", "nobody", "none"})
_COMPARES = frozenset(["more", "fewer", "less", "later", "earlier", "longer", "sooner", "only", "just"])
"""After `no` or `not` these make no denial: `no more than ten`, `not only`."""
_REACH = 5
_PREFIX = ("un", "non", "dis", "im", "in", "ir", "il")
_PAIRS = """
    increase/decrease increased/decreased increases/decreases increasing/decreasing rise/fall rises/falls rose/fell
    higher/lower highest/lowest above/below before/after more/less most/least maximum/minimum largest/smallest
    bigger/smaller longer/shorter faster/slower older/younger earlier/later earliest/latest always/never
    all/none allow/forbid allows/forbids allowed/forbidden accept/reject accepts/rejects accepted/rejected
    enable/disable enables/disables enabled/disabled include/exclude includes/excludes included/excluded
    start/stop starts/stops started/stopped open/close opens/closes opened/closed open/closed pass/fail passes/fails
    passed/failed true/false win/lose wins/loses won/lost upper/lower north/south northern/southern east/west
    eastern/western left/right cheap/expensive cheaper/dearer hot/cold early/late begin/end begins/ends began/ended
    with/without success/failure safe/unsafe required/optional public/private online/offline
"""
_OPPOSITES: dict[str, set[str]] = {}
for _one, _other in (pair.split("/") for pair in _PAIRS.split()):
    _OPPOSITES.setdefault(_one, set()).add(_other)
    _OPPOSITES.setdefault(_other, set()).add(_one)


@dataclass(frozen=True, slots=True)
class Sayings:
    """The words that a sentence states and those that it denies, without their endings, and all its words as they are."""

    stated: frozenset[str]
    denied: frozenset[str]
    words: frozenset[str]

    @property
    def denies(self) -> bool:
        """Whether anything is denied, in whatever words."""
        return any(is_denial(word) or word in _IMPLIES or _is_negated(word) for word in self.words)


def sayings_of(words: Sequence[str]) -> Sayings:
    """What is stated and denied by the words of a sentence, given in lower case and in order.

    >>> sorted(sayings_of("parking is not paid".split()).denied)
    ['paid']
    """
    denied = dict(_denials(words))
    stated = frozenset(stem(word) for place, word in enumerate(words) if place not in denied)
    return Sayings(stated, frozenset(map(stem, denied.values())), frozenset(words))


def all_sayings(each: Iterable[Sayings]) -> Sayings:
    """What several sentences state and deny together."""
    every = tuple(each)
    return Sayings(
        frozenset().union(*(one.stated for one in every)),
        frozenset().union(*(one.denied for one in every)),
        frozenset().union(*(one.words for one in every)),
    )


def opposition(said: Sayings, source: Sayings) -> Iterator[str]:
    """Why a sentence says the opposite of its source; nothing where it does not."""
    for word in sorted(said.denied & (source.stated - source.denied)):
        yield f"denies {word!r}, which the passage states"
    if said.denied and not source.denies:
        yield f"denies {sorted(said.denied)[0]!r}, and the passage denies nothing"
    for word in sorted((said.stated - said.denied) & (source.denied - source.stated)):
        yield f"states {word!r}, which the passage denies"
    for word in sorted(said.words - source.words):
        for other in sorted(_opposites(word, source.words) - said.words):
            yield f"says {word!r} where the passage says {other!r}"


def _denials(words: Sequence[str]) -> Iterator[tuple[int, str]]:
    for place, word in enumerate(words):
        if not (word in _DENIES or word.endswith("n't")):
            continue
        if word in _PRONOUNS and place and words[place - 1] not in STOP_WORDS:
            yield place - 1, words[place - 1]  # `starts nothing`
            continue
        ahead = words[place + 1 : place + 1 + _REACH]
        if ahead and ahead[0] in _COMPARES:
            continue
        for further, other in enumerate(ahead, place + 1):
            if other not in STOP_WORDS and other not in _DENIES:
                yield further, other
                yield from _also_denied(words, further)
                break


def _also_denied(words: Sequence[str], place: int) -> Iterator[tuple[int, str]]:
    """The word that a denial reaches by an `or`, as in `neither trained nor deployed`."""
    if words[place + 1 : place + 2] and words[place + 1] in ("or", "nor") and len(words) > place + 2:
        yield place + 2, words[place + 2]


def _opposites(word: str, among: frozenset[str]) -> frozenset[str]:
    """The antonyms of a word among others: those of the list, and the word with or without a prefix that denies."""
    found = set(_OPPOSITES.get(word, ())) & among
    if len(word) >= 4:
        found |= {prefix + word for prefix in _PREFIX} & among
    found |= {
        word.removeprefix(prefix) for prefix in _PREFIX if word.startswith(prefix) and len(word) >= len(prefix) + 4
    } & among
    return frozenset(found)


def _is_negated(word: str) -> bool:
    return word.startswith(("un", "non")) and len(word) > 5 and not word.startswith(_NO_PREFIX)


def is_denial(word: str) -> bool:
    """Whether a word denies what comes after it."""
    return re.fullmatch(r"\w+n't", word) is not None or word in _DENIES
