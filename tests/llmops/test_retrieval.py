import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops.corpus import chunk_of
from ops_pipelines.llmops.embedding_pin import EmbeddingPinMismatch
from ops_pipelines.llmops.retrieval import DenseRetriever, Fusion, HybridRetriever, documents_in_order, fuse, ranked
from ops_pipelines.testing.corpus_index import MemoryCorpusIndex, snapshot_of
from ops_pipelines.testing.embedders import WordEmbedder
from ops_pipelines.testing.retriever import TEXTS, RetrieverConformance, ScriptedRetriever

A, B, C = (chunk_of(name, 0, name) for name in "abc")


class TestDense(RetrieverConformance):
    @pytest.fixture
    def retriever(self):
        index = MemoryCorpusIndex()
        embedder = WordEmbedder(dims=256)
        return DenseRetriever(index.at(snapshot_of(index, TEXTS, embedder=embedder).digest), embedder)


def test_fused_scores_are_worked_by_hand():
    found = fuse([(ranked([(A, 9), (B, 8)], 2), 1.0), (ranked([(B, 0.9), (C, 0.1)], 2), 0.5)], 3, constant=60)
    assert [(one.chunk.document, one.rank) for one in found] == [("b", 1), ("a", 2), ("c", 3)]
    assert found[0].score == pytest.approx(1 / 62 + 0.5 / 61)


def test_a_dense_list_of_no_weight_changes_nothing():
    by_words, by_vectors = ScriptedRetriever({"q": [A, B]}), ScriptedRetriever({"q": [C]})
    found = HybridRetriever(by_words, by_vectors, Fusion(dense_weight=0)).retrieve("q", 5)
    assert documents_in_order(found) == ("a", "b")


def test_equal_scores_are_in_the_order_of_their_ids():
    first, second = sorted((A, B), key=lambda chunk: chunk.id)
    assert [one.chunk for one in ranked([(second, 1), (first, 1)], 2)] == [first, second]


@pytest.mark.parametrize("other", [{"dims": 16}, {"seed": 1}, {"claims": "other"}])
def test_a_query_of_another_embedder_is_refused_whether_or_not_its_size_fits(other):
    index = MemoryCorpusIndex()
    indexed = index.at(snapshot_of(index, TEXTS).digest)
    with pytest.raises(
        EmbeddingPinMismatch, match="Embedding pin mismatch for corpus 'runbooks': the index was built with"
    ):
        DenseRetriever(indexed, WordEmbedder(**other))


def test_a_weight_below_nought_is_refused():
    with pytest.raises(ConfigError, match="dense_weight"):
        Fusion(dense_weight=-1)
