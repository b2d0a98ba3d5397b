"""What is found for a question: chunks with a score and a rank, by their words, by their vectors, or by both.

Scores of different retrievers cannot be compared and their ranks can, so the hybrid fuses ranks (Cormack, Clarke and
Büttcher, "Reciprocal rank fusion", SIGIR 2009).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ops_pipelines.core.errors import check_settings
from ops_pipelines.llmops.corpus import Chunk
from ops_pipelines.llmops.corpus_index import IndexedSnapshot, embed_checked
from ops_pipelines.llmops.embedding_pin import Embedder, check_pin

LEXICAL, DENSE, HYBRID = "lexical", "dense", "hybrid"
MODES = (LEXICAL, DENSE, HYBRID)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A chunk that was found; ranks count from 1, and a score means something within one answer only."""

    chunk: Chunk
    score: float
    rank: int


class Retriever(Protocol):
    """Finds chunks of one snapshot."""

    def retrieve(self, query: str, k: int) -> Sequence[Retrieved]:
        """At most `k` chunks, the best first; none for a blank query or where nothing has to do with it."""
        ...


@dataclass(frozen=True, slots=True)
class Fusion:
    """How a hybrid weighs its two lists against each other: by `1 / (constant + rank)`, the dense list times its weight.

    The default embedder sees spelling and no meaning, so that its list weighs less than the words'. An embedder that
    was trained on sentences deserves a weight of 1. `depth` is how far down each list is read.
    """

    dense_weight: float = 0.3
    constant: int = 60
    depth: int = 100

    def __post_init__(self) -> None:
        check_settings(
            self,
            "fusion",
            dense_weight=(self.dense_weight >= 0, "0 or more"),
            constant=(self.constant > 0, "more than 0"),
            depth=(self.depth > 0, "more than 0"),
        )


class DenseRetriever:
    """Finds the chunks whose vectors lie nearest to the query's; EmbeddingPinMismatch for another embedder."""

    def __init__(self, indexed: IndexedSnapshot, embedder: Embedder) -> None:
        self._indexed, self._embedder = indexed, embedder
        self._pin = indexed.snapshot.pin
        check_pin(indexed.snapshot.corpus, self._pin, embedder.pin(), asks="query")

    def retrieve(self, query: str, k: int) -> Sequence[Retrieved]:
        """The `k` nearest chunks that have anything in common with the query."""
        if not query.strip():
            return ()
        (vector,) = embed_checked(self._pin, self._embedder, [query])
        return ranked([found for found in self._indexed.nearest(vector, k) if found[1] > 0], k)


class HybridRetriever:
    """Fuses what is found by words and by vectors."""

    def __init__(self, lexical: Retriever, dense: Retriever, fusion: Fusion | None = None) -> None:
        self._lexical, self._dense, self._fusion = lexical, dense, fusion or Fusion()

    def retrieve(self, query: str, k: int) -> Sequence[Retrieved]:
        """The `k` chunks of the highest fused rank."""
        depth = max(k, self._fusion.depth)
        by_words, by_vectors = (found.retrieve(query, depth) for found in (self._lexical, self._dense))
        return fuse([(by_words, 1.0), (by_vectors, self._fusion.dense_weight)], k, constant=self._fusion.constant)


def fuse(lists: Sequence[tuple[Sequence[Retrieved], float]], k: int, *, constant: int = 60) -> tuple[Retrieved, ...]:
    """The `k` best of several lists, each with its weight, by reciprocal rank."""
    scores: dict[str, float] = defaultdict(float)
    chunks: dict[str, Chunk] = {}
    for found, weight in lists:
        for one in found:
            scores[one.chunk.id] += weight / (constant + one.rank)
            chunks[one.chunk.id] = one.chunk
    return ranked([(chunks[name], score) for name, score in scores.items() if score > 0], k)


def ranked(found: Sequence[tuple[Chunk, float]], k: int) -> tuple[Retrieved, ...]:
    """Chunks with their scores in order; equal scores in the order of their ids, so that an answer can be repeated."""
    best = sorted(found, key=lambda one: (-one[1], one[0].id))[: max(k, 0)]
    return tuple(Retrieved(chunk, float(score), rank) for rank, (chunk, score) in enumerate(best, 1))


def documents_in_order(found: Sequence[Retrieved]) -> tuple[str, ...]:
    """The ids of the documents that were found, each once, at the place of its best chunk."""
    return tuple(dict.fromkeys(one.chunk.document for one in found))
