"""How far an answer is supported by the passages that it was answered from, sentence by sentence.

For each sentence the place of the passages is found (one to three sentences in a row) that holds most of its words, a word
weighing more, the fewer sentences of the passages have it. Its score is the share of that weight that the place holds, once
of single words and once of neighbouring pairs, and the mean of both. Then come the strict checks, which no share of common
words outweighs: a number, a date or a name that the place does not hold, and a statement that it denies. Each is a reason,
and takes the score below any line.

It compares words and knows no meaning. A true paraphrase in other words scores low, and a false sentence made of the
passage's own words in another order may score high. Only the first `MOST_SENTENCES` of an answer are judged, and what
comes after them is unsupported; of the passages the first `MOST_PASSAGE_CHARS` are read. So the time is bounded.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.as_read import as_read
from ops_pipelines.llmops.facts import NAME, Fact, facts_of, spellings, tokens
from ops_pipelines.llmops.polarity import Sayings, opposition, sayings_of
from ops_pipelines.llmops.refusal import is_refusal
from ops_pipelines.llmops.sentences import split_sentences, stem

LEAST = 0.5
"""The score below which a sentence is unsupported."""
CONTRADICTED = 0.4
"""What is left of a score where a strict check has found something; one that holds no fact of the passages has less."""
MOST_SENTENCES, MOST_PASSAGE_CHARS, MOST_WORDS = 100, 200_000, 60
_WINDOW = 3
_CITATION = re.compile(r"\s*\[[^\[\]\n#]{1,300}#[^\[\]\n#]{1,100}\]")
_MARKS = re.compile(r"[*`]+|^\s*(?:[-+•>]|#{1,6}|\d+[.)])\s+")


@dataclass(frozen=True, slots=True)
class Support:
    """A sentence of an answer with its support, 0 to 1, and what contradicts it or is missing."""

    sentence: str
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Groundedness:
    """The support of a whole answer, 0 to 1: the mean of its sentences' by their words; an empty one has no sentence."""

    score: float
    sentences: tuple[Support, ...]


@dataclass(frozen=True, slots=True)
class _Said:
    """A sentence in the forms in which two are compared. `passage` numbers the passage that it stands in."""

    text: str
    words: tuple[str, ...]
    stems: tuple[str, ...]
    facts: tuple[Fact, ...]
    sayings: Sayings
    passage: int = 0


@dataclass(frozen=True, slots=True)
class _Place:
    """Some sentences of a passage in a row, with all words of the passage, among which a name may stand."""

    sentences: tuple[_Said, ...]
    stems: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    around: frozenset[str]


def groundedness(answer: str, passages: Sequence[str]) -> Groundedness:
    """The support of an answer by passages; without a passage nothing is supported. Citations are no claims."""
    sentences = _said(_CITATION.sub("", as_read(answer[: 2 * MOST_PASSAGE_CHARS])))
    if not sentences:
        return Groundedness(0.0, ())
    places = _places(_known(passages))
    weights = _weights(places)
    found = tuple(_support(one, places, weights) for one in sentences[:MOST_SENTENCES])
    total = sum(len(one.stems) for one in sentences)
    supported = sum(one.score * len(said.stems) for one, said in zip(found, sentences, strict=False))
    return Groundedness(supported / total, (*found, *_unread(sentences)))


def judge_groundedness(answer: str, passages: Sequence[str], *, least: float = LEAST) -> Verdict:
    """Blocked with a reason for each sentence whose support is below `least`; NotEvaluated for an empty answer.

    A sentence that only says that there is no answer, and holds no fact, claims nothing and needs no support.
    """
    found = groundedness(answer, passages)
    if not found.sentences:
        return NotEvaluated("the answer holds no sentence")
    evidence = {"score": round(found.score, 4), "sentences": len(found.sentences)}
    weak = [one for one in found.sentences if one.score < least and not _claims_nothing(one.sentence)]
    reasons = tuple(f"{_shown(one.sentence)}: {'; '.join(one.reasons) or f'support {one.score:.2f}'}" for one in weak)
    return Blocked(reasons[:20], {**evidence, "unsupported": len(weak)}) if reasons else Passed(evidence)


def _claims_nothing(sentence: str) -> bool:
    return is_refusal(sentence) and not facts_of(sentence)


def _said(text: str, passage: int = 0) -> list[_Said]:
    """The sentences of a text, long ones in pieces, without marks of lists and code."""
    plain = "\n".join(_MARKS.sub("", line) for line in text.splitlines())
    pieces = [piece for each in split_sentences(plain) for piece in _pieces(each.text)]
    return [said for piece in pieces if (said := _one(piece, passage)).stems]


def _one(text: str, passage: int) -> _Said:
    found = tuple(token.word for token in tokens(text))
    stems = tuple(stem(word) for word in found)
    return _Said(text, found, stems, facts_of(text), sayings_of(found), passage)


def _pieces(sentence: str) -> Iterator[str]:
    parts = sentence.split()
    yield from (" ".join(parts[at : at + MOST_WORDS]) for at in range(0, len(parts), MOST_WORDS))


def _known(passages: Sequence[str]) -> list[_Said]:
    left, found = MOST_PASSAGE_CHARS, []
    for number, passage in enumerate(passages):
        found += _said(as_read(passage[:left]), number)
        left -= min(len(passage), left)
    return found


def _places(known: Sequence[_Said]) -> list[_Place]:
    """Every row of one to three sentences of a passage, the short ones first."""
    around: dict[int, set[str]] = {}
    for one in known:
        around.setdefault(one.passage, set()).update(*(spellings(word) for word in one.words))
    frozen = {number: frozenset(held) for number, held in around.items()}
    rows = [
        known[at : at + size]
        for size in range(1, _WINDOW + 1)
        for at in range(len(known) - size + 1)
        if known[at].passage == known[at + size - 1].passage
    ]
    return [_place(row, frozen[row[0].passage]) for row in rows]


def _place(row: Sequence[_Said], around: frozenset[str]) -> _Place:
    pairs = frozenset(pair for one in row for pair in pairwise(one.stems))
    return _Place(tuple(row), frozenset(word for one in row for word in one.stems), pairs, around)


def _weights(places: Sequence[_Place]) -> Mapping[str, float]:
    """The weight of each word by the number of sentences that have it, as BM25 has it, with `` for one that none has."""
    single = [place for place in places if len(place.sentences) == 1]
    among = Counter(word for place in single for word in place.stems)
    total = max(len(single), 1)
    # A word that is nowhere weighs as much as one that a single sentence has.
    return {word: math.log(1 + (total - count + 0.5) / (count + 0.5)) for word, count in {**among, "": 1}.items()}


def _support(said: _Said, places: Sequence[_Place], weights: Mapping[str, float]) -> Support:
    place = _best(said, places, weights)
    if place is None:
        return Support(said.text, 0.0, ("no passage holds a word of it",))
    share = (_share_of_words(said, place, weights) + _share_of_pairs(said, place, weights)) / 2
    reasons = tuple(dict.fromkeys(_contradictions(said, place)))
    return Support(said.text, share * CONTRADICTED if reasons else share, reasons)


def _best(said: _Said, places: Sequence[_Place], weights: Mapping[str, float]) -> _Place | None:
    """The place that holds the most of a sentence; of several, the shortest and first."""
    best, most = None, 0.0
    for place in places:
        held = _share_of_words(said, place, weights) + _share_of_pairs(said, place, weights)
        if held > most + 1e-9:
            best, most = place, held
    return best


def _share_of_words(said: _Said, place: _Place, weights: Mapping[str, float]) -> float:
    total = sum(weights.get(word, weights[""]) for word in said.stems)
    return sum(weights[word] for word in said.stems if word in place.stems) / total


def _share_of_pairs(said: _Said, place: _Place, weights: Mapping[str, float]) -> float:
    pairs = tuple(pairwise(said.stems))
    if not pairs:
        return _share_of_words(said, place, weights)
    each = [max(weights.get(one, weights[""]), weights.get(two, weights[""])) for one, two in pairs]
    return sum(weight for pair, weight in zip(pairs, each, strict=True) if pair in place.pairs) / sum(each)


def _contradictions(said: _Said, place: _Place) -> Iterator[str]:
    held = [fact for one in place.sentences for fact in one.facts]
    for fact in said.facts:
        if fact.kind == NAME:
            if not _holds_name(fact.value, place):
                yield f"the name {fact.shown!r} is not in the passage"
        elif not any(fact.agrees_with(other) for other in held):
            yield f"the {fact.kind} {fact.shown!r} is not in the place that supports it"
    nearest = max(place.sentences, key=lambda one: len(set(one.stems) & set(said.stems)))
    yield from opposition(said.sayings, nearest.sayings)
    yield from _exchanged(said, nearest)


def _holds_name(name: str, place: _Place) -> bool:
    """Whether a name stands in the passage as it is, in parts, or as a form of a word (`American`, `America`)."""
    if spellings(name) & place.around:
        return True
    parts = [word for one in place.sentences for word in one.words]
    initials = "".join(word[0] for word in parts)
    return len(name) >= 3 and name.isalpha() and (name in initials or any(_same_root(name, word) for word in place.around))


def _same_root(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= 4 and long.startswith(short) and len(long) - len(short) <= 4


def _exchanged(said: _Said, source: _Said) -> Iterator[str]:
    """Facts that stand where the source, between the same words, has others of their kind."""
    blocks = SequenceMatcher(None, said.stems, source.stems, autojunk=False).get_opcodes()
    for _, begin, end, source_begin, source_end in (block for block in blocks if block[0] == "replace"):
        ours = [fact for fact in said.facts if begin <= fact.place < end]
        theirs = [fact for fact in source.facts if source_begin <= fact.place < source_end]
        for fact in ours:
            others = [other for other in theirs if other.kind == fact.kind]
            if others and end - begin <= 3 and not any(fact.agrees_with(other) for other in others):
                yield f"{fact.shown!r} stands where the passage has {others[0].shown!r}"


def _unread(sentences: Sequence[_Said]) -> tuple[Support, ...]:
    """What is beyond the limit, as one sentence without support."""
    rest = sentences[MOST_SENTENCES:]
    if not rest:
        return ()
    return (Support(rest[0].text, 0.0, (f"{len(rest)} sentences after the first {MOST_SENTENCES} were not judged",)),)


def _shown(sentence: str) -> str:
    return sentence if len(sentence) <= 80 else f"{sentence[:77]}..."
