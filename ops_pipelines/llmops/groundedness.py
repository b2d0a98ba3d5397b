"""How far an answer is supported by the passages that it was answered from, sentence by sentence.

For each sentence the place of the passages is found (one to three sentences in a row) that holds most of its words. Its score
is the share of its words that the place holds: a word weighs more, the fewer sentences of the passages have it, and a
function word half; `I` and `you` weigh in full, since of them a passage says nothing. Then come the strict checks, which no
share of common words outweighs: a number, a date or a name that the place does not hold, a fact that stands where the
passage has another, and a statement that it denies. Each is a reason, and takes the score below the line.

It compares words and knows no meaning. A true paraphrase in other words scores low, and a false sentence made of the
passage's own words in another order may score high. Only the first `MOST_SENTENCES` of an answer are judged, and what
comes after them, or after `MOST_CHARS`, is unsupported; of the passages as many are read. So the time is bounded.

2026-11-26: neighbouring pairs of words counted, too, at first. On BEGIN-wow that fell below plain token overlap, since a true
short answer keeps the words and not their neighbours, so they went; that file is no clean holdout for this choice.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.as_read import as_read
from ops_pipelines.llmops.claims import FUNCTION_WORDS, Claim, claims_of, parts_of
from ops_pipelines.llmops.contradictions import Place, contradictions
from ops_pipelines.llmops.facts import CODE, NAME, facts_of, spellings
from ops_pipelines.llmops.refusal import is_refusal

LEAST = 0.5
"""The score below which a sentence is unsupported."""
CONTRADICTED = 0.4
"""The share that is left of a score where a strict check has found something."""
MOST_SENTENCES, MOST_CHARS = 100, 100_000
_WINDOW, _NEAREST, _FUNCTION_WORD, _SHOWN = 3, 20, 0.5, 20
_GOES_ON = re.compile(r"\b(?:but|however|although|though|yet|still|instead|because|since|and)\b|[;:]", re.IGNORECASE)
_CITATION = re.compile(r" ?\[[^\[\]\n#]{1,300}#[^\[\]\n#]{1,100}\]")


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


def groundedness(answer: str, passages: Sequence[str]) -> Groundedness:
    """The support of an answer by passages; without a passage nothing is supported. Citations are no claims."""
    read = as_read(answer[: MOST_CHARS + 1])
    sentences = claims_of(_CITATION.sub("", read[:MOST_CHARS]))
    if not sentences:
        return Groundedness(0.0, ())
    known = _known(passages)
    places = _places(known)
    weights = _weights(known)
    found = tuple(_support(one, places, weights) for one in sentences[:MOST_SENTENCES])
    total = sum(len(one.parts) for one in sentences)
    supported = sum(one.score * len(said.parts) for one, said in zip(found, sentences, strict=False))
    unread = [*_unread(sentences), *_beyond(answer if len(answer) > MOST_CHARS else read)]
    return Groundedness(supported / total, (*found, *unread))


def judge_groundedness(answer: str, passages: Sequence[str], *, least: float = LEAST) -> Verdict:
    """Blocked with a reason for each sentence whose support is below `least`; NotEvaluated for an empty answer.

    A sentence that says that there is no answer, and goes on with no `but`, claims nothing and needs no support.
    """
    found = groundedness(answer, passages)
    if not found.sentences:
        return NotEvaluated("the answer holds no sentence")
    evidence = {"score": round(found.score, 4), "sentences": len(found.sentences)}
    weak = [one for one in found.sentences if one.score < least and not _claims_nothing(one.sentence)]
    reasons = tuple(f"{_shown(one.sentence)}: {'; '.join(one.reasons) or f'support {one.score:.2f}'}" for one in weak)
    return Blocked(reasons[:_SHOWN], {**evidence, "unsupported": len(weak)}) if reasons else Passed(evidence)


def _claims_nothing(sentence: str) -> bool:
    stated = [fact for fact in facts_of(sentence) if fact.kind != NAME]
    return is_refusal(sentence) and not stated and not _GOES_ON.search(sentence)


def _known(passages: Sequence[str]) -> list[Claim]:
    left, found = MOST_CHARS, []
    for number, passage in enumerate(passages):
        found += claims_of(as_read(passage[:left])[:left], number)
        left -= min(len(passage), left)
    return found


def _places(known: Sequence[Claim]) -> Mapping[int, tuple[Place, ...]]:
    """For each sentence the rows of one to three sentences of its passage that begin with it, the short ones first."""
    said: dict[int, list[str]] = {}
    for one in known:
        said.setdefault(one.passage, []).extend(one.words)
    around = {number: frozenset().union(*map(spellings, set(words))) for number, words in said.items()}
    spoken = {number: f" {' '.join(words)} " for number, words in said.items()}
    return {at: tuple(_rows(known, at, around[one.passage], spoken[one.passage])) for at, one in enumerate(known)}


def _rows(known: Sequence[Claim], at: int, around: frozenset[str], spoken: str) -> Iterator[Place]:
    for end in range(at + 1, min(at + _WINDOW, len(known)) + 1):
        row = tuple(known[at:end])
        if row[-1].passage == row[0].passage:
            yield Place(row, frozenset(part for one in row for part in one.parts), around, spoken)


def _weights(known: Sequence[Claim]) -> Mapping[str, float]:
    """The weight of each word by the number of sentences that have it, as in BM25; under "" that of one that none has."""
    among = Counter(part for one in known for part in set(one.parts))
    total = max(len(known), 1)
    # A word that is nowhere weighs as much as one that a single sentence has.
    return {word: math.log(1 + (total - count + 0.5) / (count + 0.5)) for word, count in {**among, "": 1}.items()}


def _support(claim: Claim, places: Mapping[int, tuple[Place, ...]], weights: Mapping[str, float]) -> Support:
    numbers = {part for fact in claim.facts if fact.kind not in (NAME, CODE) for part in parts_of(fact.shown.lower())}
    weighed = [(part, _weight(part, weights)) for part in claim.parts]
    found = _found(claim, places, [(part, weight) for part, weight in weighed if part not in numbers] or weighed)
    if not found:
        return Support(claim.text, 0.0, ("no passage holds a word of it",))
    # Of places that hold as much, one that contradicts nothing is enough.
    place, reasons = min(
        ((one, tuple(dict.fromkeys(contradictions(claim, one)))) for one in found), key=lambda it: len(it[1])
    )
    share = _held(place, weighed) / sum(weight for _, weight in weighed)
    return Support(claim.text, share * (CONTRADICTED if reasons else 1), reasons)


def _found(claim: Claim, places: Mapping[int, tuple[Place, ...]], weighed: Sequence[tuple[str, float]]) -> list[Place]:
    """The places that hold the most of a sentence, the shortest of them: what stands around is no support.

    Its numbers and dates do not count here, or the sentence beside would be taken in for its number.
    """
    near = nlargest(
        _NEAREST, places, key=lambda at: (places[at][0].claims[0].text == claim.text, _held(places[at][0], weighed))
    )
    rows = [(place, _held(place, weighed)) for at in _begins(near) for place in places.get(at, ())]
    most = max((held for _, held in rows), default=0.0)
    best = [place for place, held in rows if most and held > most - 1e-9]
    shortest = min((len(place.claims) for place in best), default=0)
    return [place for place in best if len(place.claims) == shortest]


def _held(place: Place, weighed: Sequence[tuple[str, float]]) -> float:
    return sum(weight for part, weight in weighed if part in place.parts)


def _begins(near: Sequence[int]) -> list[int]:
    """The sentences with which a row begins that may hold one of these, in their order."""
    return sorted({at - before for at in near for before in range(_WINDOW)})


def _weight(part: str, weights: Mapping[str, float]) -> float:
    return weights.get(part, weights[""]) * (_FUNCTION_WORD if part in FUNCTION_WORDS else 1)


def _unread(sentences: Sequence[Claim]) -> tuple[Support, ...]:
    """What is beyond the limit, as one sentence without support."""
    rest = sentences[MOST_SENTENCES:]
    if not rest:
        return ()
    return (Support(rest[0].text, 0.0, (f"{len(rest)} sentences after the first {MOST_SENTENCES} were not judged",)),)


def _beyond(text: str) -> tuple[Support, ...]:
    """What an answer says behind the part that is read, as one sentence without support."""
    if len(text) <= MOST_CHARS:
        return ()
    return (Support(text[MOST_CHARS:][:200], 0.0, (f"what comes after {MOST_CHARS:,} characters was not judged",)),)


def _shown(sentence: str) -> str:
    return sentence if len(sentence) <= 80 else f"{sentence[:77]}..."
