"""Scorers of retrieval: whether the documents that hold the answer were found, and how far up.

What a case plants does not count as found.
"""

from collections.abc import Callable

from ops_pipelines.llmops.evals.scorer import Judged, Rule, Score
from ops_pipelines.llmops.retrieval_metrics import Gains, ndcg_at, recall_at

DEPTH = 10


def found_documents(judged: Judged) -> tuple[str, ...]:
    """The documents that were found for a question, each once, in their order; without what its case plants."""
    planted = set(judged.case.also)
    return tuple(dict.fromkeys(each.document for each in judged.prepared.passages if each not in planted))


def _measured(by: Callable[[tuple[str, ...], Gains, int], float | None], judged: Judged) -> Score | None:
    found, wanted = found_documents(judged), judged.case.cites
    value = by(found, dict.fromkeys(wanted, 1.0), DEPTH)
    if value is None:
        return None
    missing = [name for name in wanted if name not in found[:DEPTH]]
    others = f"found before it: {', '.join(found[:DEPTH]) or 'nothing'}"
    return Score(value, "" if value == 1 else f"not found: {', '.join(missing)}" if missing else others)


RETRIEVAL_RECALL = Rule("retrieval_recall", "1", lambda judged: _measured(recall_at, judged))
"""The share of the case's documents among the first 10 that were found; of cases that name some."""
RETRIEVAL_NDCG = Rule("retrieval_ndcg", "1", lambda judged: _measured(ndcg_at, judged))
"""The normalised discounted gain of the first 10 documents; of cases that name some."""
