"""Retrieval by words: BM25 over the chunks of a snapshot, with the library bm25s."""

from collections.abc import Sequence
from threading import Lock
from typing import Any

from ops_pipelines.llmops.corpus import Chunk
from ops_pipelines.llmops.corpus_index import IndexedSnapshot
from ops_pipelines.llmops.retrieval import Retrieved, ranked


class BM25Retriever:
    """Finds the chunks that share words with a query; its index is made in memory when the first question comes."""

    def __init__(self, indexed: IndexedSnapshot) -> None:
        self._indexed = indexed
        self._chunks = tuple(indexed.chunks())
        self._ranker: Any = None
        self._lock = Lock()

    def retrieve(self, query: str, k: int) -> Sequence[Retrieved]:
        """The `k` chunks of the highest score; none that shares no word with the query."""
        words = _words([query])
        if not self._chunks or k < 1 or not words.vocab:
            return ()
        scores = self._scores(words)
        if scores is None:
            return ()
        return ranked(
            [(chunk, float(score)) for chunk, score in zip(self._chunks, scores, strict=True) if score > 0], k
        )

    def _scores(self, words: Any) -> Any:
        """The score of every chunk; None where the chunks hold no word at all."""
        with self._lock:  # of those who ask first at once one makes the index, and nobody sees half of it
            if self._ranker is None:
                self._ranker = _ranker_of(self._chunks)
        asked = [word for word in words.vocab if self._ranker and word in self._ranker.vocab_dict]
        return self._ranker.get_scores(asked) if asked else None


def _ranker_of(chunks: Sequence[Chunk]) -> Any:
    """The index of some chunks; False where they hold no word at all."""
    import bm25s

    tokens = _words([chunk.text for chunk in chunks])
    if not tokens.vocab:
        return False
    ranker = bm25s.BM25()
    ranker.index(tokens, show_progress=False)
    return ranker


def singular(word: str) -> str:
    """An English word without its plural's ending, by the three rules of Harman's S-stemmer ("How effective is suffixing?").

    >>> [singular(word) for word in ("queries", "releases", "columns", "status", "loss", "shoes")]
    ['query', 'release', 'column', 'status', 'loss', 'shoes']
    """
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else f"{word[:-3]}y"
    if word.endswith("es"):
        return word if word.endswith(("aes", "ees", "oes")) else word[:-1]
    return word[:-1] if word.endswith("s") and not word.endswith(("us", "ss")) else word


def _words(texts: Sequence[str]) -> Any:
    """The words of each text in lower case, without the commonest English ones, in the singular."""
    import bm25s

    return bm25s.tokenize(list(texts), stopwords="en", stemmer=_singulars, show_progress=False)


def _singulars(words: Sequence[str]) -> list[str]:
    return [singular(word) for word in words]
