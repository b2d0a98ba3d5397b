"""How good a retrieval is against judgements: recall, normalised discounted cumulative gain, reciprocal rank.

Judgements are gains by document or chunk id: 0 or absent is not relevant, and more is better. A question of which nothing
is relevant has no measure, and None says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean

Gains = Mapping[str, float]


def recall_at(found: Sequence[str], gains: Gains, k: int) -> float | None:
    """The share of the relevant that is among the first `k`.

    >>> recall_at(["a", "b", "c"], {"a": 1, "c": 2, "d": 0}, 2)
    0.5
    """
    relevant = {name for name, gain in gains.items() if gain > 0}
    return len(relevant & set(found[:k])) / len(relevant) if relevant else None


def ndcg_at(found: Sequence[str], gains: Gains, k: int) -> float | None:
    """The discounted gain of the first `k` as a share of the best possible one (Järvelin and Kekäläinen, 2002).

    Gains count as they are, discounted by log2(rank + 1).
    """
    best = _discounted(sorted((gain for gain in gains.values() if gain > 0), reverse=True)[:k])
    return _discounted([max(gains.get(name, 0.0), 0.0) for name in found[:k]]) / best if best else None


def reciprocal_rank(found: Sequence[str], gains: Gains) -> float | None:
    """One over the rank of the first relevant one; 0 where none was found.

    >>> reciprocal_rank(["b", "a"], {"a": 1})
    0.5
    """
    if not any(gain > 0 for gain in gains.values()):
        return None
    return next((1 / rank for rank, name in enumerate(found, 1) if gains.get(name, 0) > 0), 0.0)


@dataclass(frozen=True, slots=True)
class RetrievalQuality:
    """The means over the questions of which something is relevant; None where there is no such question."""

    questions: int
    recall: float | None
    ndcg: float | None
    mrr: float | None


def measure_retrieval(
    found: Mapping[str, Sequence[str]], gains: Mapping[str, Gains], *, k: int = 10
) -> RetrievalQuality:
    """The quality of what was found for each question, by its id; a question that found nothing counts as 0."""
    asked = [question for question, judged in gains.items() if any(gain > 0 for gain in judged.values())]
    if not asked:
        return RetrievalQuality(0, None, None, None)
    pairs = [(found.get(question, ()), gains[question]) for question in asked]
    return RetrievalQuality(
        questions=len(asked),
        recall=fmean(recall_at(ids, judged, k) or 0.0 for ids, judged in pairs),
        ndcg=fmean(ndcg_at(ids, judged, k) or 0.0 for ids, judged in pairs),
        mrr=fmean(reciprocal_rank(ids, judged) or 0.0 for ids, judged in pairs),
    )


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, 1))
