"""The offline default: a reader that answers with sentences of the retrieved context, and with nothing else.

It is no language model, and is never called one. It picks the sentences whose words the question has, by the weight that
BM25 gives to rare words, quotes them as they stand and cites the passage of each. Where the best passage supports less of
the question than a threshold, it refuses. The same request always has the same answer.

2026-11-26: a term that no passage has weighs as much as one that a single sentence has. Weighed by its rarity alone it
outweighed all others, and a question with one unknown name in it was always refused.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ops_pipelines.core.fingerprint import short
from ops_pipelines.llmops.chat_model import INVALID, ChatError, ChatRequest, Completion, Usage
from ops_pipelines.llmops.passages import Passage, read_passages
from ops_pipelines.llmops.reader_instructions import Instructions, read_instructions, without_instructions
from ops_pipelines.llmops.sentences import content_words, split_sentences, words
from ops_pipelines.llmops.tokens import estimate_input, estimate_tokens

PROVIDER, MODEL = "extractive", "extractive-1"
SUPPORT = 0.5
"""The least share of a question's weight that one place in the context has to hold for the reader to answer."""
_SATURATION, _LENGTH, _NEAR = 1.2, 0.75, 0.3
_ALSO, _MORE = 0.6, 0.3
"""How good a further sentence has to be beside the best one, and one that brings a word of the question that was missing."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A sentence with its place, its own words, and the words around it: its heading and its neighbours."""

    passage: Passage
    place: int
    text: str
    own: Counter[str]
    around: frozenset[str]


class ExtractiveReader:
    """The ChatModel that reads; see above. `seconds` is a clock that tells how long it took; without one it says 0."""

    provider = PROVIDER

    def __init__(self, *, support: float = SUPPORT, seconds: Callable[[], float] = lambda: 0.0) -> None:
        self._support, self._seconds = support, seconds

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer; ChatError (invalid) for another model's name, no question, or a schema that it cannot write."""
        began = self._seconds()
        passages, question, told = _read(request)
        picked = self._pick(passages, question, told, _most_characters(request))
        text = _as_text(picked, told) if request.response_schema is None else _as_json(picked, told, request)
        usage = Usage(estimate_input(request.messages), estimate_tokens(text), is_estimate=True)
        waited = (self._seconds() - began) * 1000
        return Completion(text, MODEL, usage, "stop", waited, id=f"{PROVIDER}/{short(request.digest)}")

    def _pick(
        self, passages: Sequence[Passage], question: str, told: Instructions, most_characters: int
    ) -> list[_Candidate]:
        """The sentences that answer, in the order of the context; none where the context supports too little."""
        candidates = _candidates(passages)
        weights = _weights(question, candidates)
        fitting = [one for one in candidates if _length(one) <= (told.most_words or math.inf)]
        if not weights or not fitting or _supported(fitting, weights) < self._support:
            return []
        return sorted(_chosen(fitting, weights, told, most_characters), key=lambda one: one.place)


def _read(request: ChatRequest) -> tuple[tuple[Passage, ...], str, Instructions]:
    """The passages, the question and the instructions of a request."""
    if request.model != MODEL:
        raise _invalid(f"The reader is asked for the model {request.model!r}", f"{MODEL!r}", f"Pin the model {MODEL}")
    read = [(message.role, *read_passages(message.content)) for message in request.messages]
    said = [rest for role, _, rest in read if role == "user" and rest.strip()]
    if not said:
        raise _invalid("The request asks nothing", "a message of the user with a question", "Add the question")
    question = without_instructions(said[-1].rpartition("Question:")[2])
    told = read_instructions("\n".join(rest for _, _, rest in read))
    return tuple(passage for _, passages, _ in read for passage in passages), question, told


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    found: list[_Candidate] = []
    for passage in passages:
        sentences = split_sentences(passage.text)
        known = [frozenset(_joined(each.text)) for each in sentences]
        for number, sentence in enumerate(sentences):
            near = known[max(number - 1, 0) : number + 2]
            around = frozenset(_joined(sentence.heading)).union(*near)
            found.append(_Candidate(passage, len(found), sentence.text, Counter(_joined(sentence.text)), around))
    return found


def _joined(text: str) -> list[str]:
    """The words of a text and each two neighbours as one, so that `roll back` is found by `rollback`."""
    each = words(text)
    return each + [one + two for one, two in pairwise(each)]


def _weights(question: str, candidates: Sequence[_Candidate]) -> dict[str, float]:
    """How much each word of a question weighs: more, the fewer sentences have it; `rollback` is asked by `roll back`, too."""
    among = Counter(word for one in candidates for word in one.own)
    asked = dict.fromkeys(content_words(question))
    for pair in pairwise(words(question)):
        if "".join(pair) in among and not all(word in among for word in pair):
            asked = dict.fromkeys(word for word in [*asked, "".join(pair)] if word not in pair)
    total = len(candidates)
    counts = {word: max(among[word], 1) for word in asked}
    return {word: math.log(1 + (total - count + 0.5) / (count + 0.5)) for word, count in counts.items()}


def _supported(candidates: Sequence[_Candidate], weights: Mapping[str, float]) -> float:
    """The greatest share of the question's weight that one place holds."""
    return max(sum(weights[word] for word in weights if word in one.around) for one in candidates) / sum(
        weights.values()
    )


def _score(one: _Candidate, weights: Mapping[str, float], average: float) -> float:
    """BM25 of the sentence, and a part of the weight of what only stands around it."""
    norm = _SATURATION * (1 - _LENGTH + _LENGTH * one.own.total() / average)
    own = sum(weights[w] * one.own[w] * (_SATURATION + 1) / (one.own[w] + norm) for w in weights if w in one.own)
    near = sum(weights[word] for word in weights if word in one.around and word not in one.own)
    return own + _NEAR * near if own else 0.0


def _chosen(
    candidates: Sequence[_Candidate], weights: Mapping[str, float], told: Instructions, most_characters: int
) -> list[_Candidate]:
    """The best sentence, and after it those that are nearly as good or bring words of the question that were missing."""
    average = sum(one.own.total() for one in candidates) / len(candidates)
    scores = {one.place: _score(one, weights, average) for one in candidates}
    ranked = sorted(candidates, key=lambda one: (-scores[one.place], one.place))
    chosen: list[_Candidate] = []
    for one in ranked:
        if scores[one.place] == 0 or len(chosen) == told.most_sentences:
            break
        covered = {word for other in chosen for word in other.own}
        brings_more = any(word in one.own and word not in covered for word in weights)
        share = scores[one.place] / scores[chosen[0].place] if chosen else 1.0
        if (
            share >= (_MORE if brings_more else _ALSO)
            and not _repeats(one, chosen)
            and _fits([*chosen, one], told, most_characters)
        ):
            chosen.append(one)
    return chosen


def _repeats(one: _Candidate, chosen: Sequence[_Candidate]) -> bool:
    return any(
        len(one.own.keys() & other.own.keys()) > 0.8 * len(one.own.keys() | other.own.keys()) for other in chosen
    )


def _fits(chosen: Sequence[_Candidate], told: Instructions, most_characters: int) -> bool:
    return sum(map(_length, chosen)) <= (told.most_words or math.inf) and len(_as_text(chosen, told)) <= most_characters


def _length(one: _Candidate) -> int:
    return len(one.text.split())


def _most_characters(request: ChatRequest) -> int:
    """What the request's own limit of tokens leaves room for; the reader stops before it and never in a sentence."""
    limit = request.parameters.get("max_completion_tokens", request.parameters.get("max_tokens"))
    return 4 * int(limit) if limit else 100_000


def _as_text(picked: Sequence[_Candidate], told: Instructions) -> str:
    if not picked:
        return told.refusal
    return " ".join(f"{one.text} {one.passage.citation}" if told.cites else one.text for one in picked)


def _as_json(picked: Sequence[_Candidate], told: Instructions, request: ChatRequest) -> str:
    """The answer in a schema that asks for some of answer, citations and supported; ChatError for any other one."""
    from ops_pipelines.core.fingerprint import canonical_json

    fields: dict[str, Any] = {
        "answer": " ".join(one.text for one in picked) if picked else told.refusal,
        "citations": list(dict.fromkeys(one.passage.citation for one in picked)),
        "supported": bool(picked),
    }
    schema = request.response_schema or {}
    wanted = set(schema.get("required", ())) | set(schema.get("properties", ()))
    if schema.get("type") != "object" or not wanted or not wanted <= fields.keys():
        raise _invalid(
            "The reader cannot write what the response schema asks for",
            f"an object with some of {', '.join(fields)}",
            "Ask for these, or pin a language model",
        )
    return canonical_json({name: fields[name] for name in sorted(wanted)}).decode()


def _invalid(wrong: str, expected: str, action: str) -> ChatError:
    return ChatError(wrong, expected=expected, action=action, kind=INVALID, provider=PROVIDER)
