import pytest

from ops_pipelines.adapters.bm25_retriever import BM25Retriever
from ops_pipelines.adapters.embedders import HashingEmbedder
from ops_pipelines.llmops.corpus import chunk_of
from ops_pipelines.llmops.retrieval import DenseRetriever, HybridRetriever
from ops_pipelines.testing.corpus_index import MemoryCorpusIndex, snapshot_of
from ops_pipelines.testing.retriever import TEXTS, RetrieverConformance, ScriptedRetriever


@pytest.fixture(scope="module")
def indexed():
    index = MemoryCorpusIndex()
    return index.at(snapshot_of(index, TEXTS, embedder=HashingEmbedder()).digest)


class TestBM25(RetrieverConformance):
    @pytest.fixture
    def retriever(self, indexed):
        return BM25Retriever(indexed)

    @pytest.mark.parametrize("query", ["zebra", "the of and", "?!", "☂"])
    def test_a_query_that_shares_no_word_finds_nothing(self, retriever, query):
        assert list(retriever.retrieve(query, 5)) == []


class TestDense(RetrieverConformance):
    @pytest.fixture
    def retriever(self, indexed):
        return DenseRetriever(indexed, HashingEmbedder())


class TestHybrid(RetrieverConformance):
    @pytest.fixture
    def retriever(self, indexed):
        return HybridRetriever(BM25Retriever(indexed), DenseRetriever(indexed, HashingEmbedder()))


class TestScripted(RetrieverConformance):
    @pytest.fixture
    def retriever(self):
        chunks = {name: chunk_of(name, 0, text) for name, text in TEXTS.items()}
        queries = {"roll back": "rollback", "stale features": "features", "drift": "drift"}
        everything = {
            "the drift alarm of stale features": list(chunks.values()),
            "drift features roll back": chunks.values(),
        }
        return ScriptedRetriever({query: [chunks[name]] for query, name in queries.items()} | everything)


def test_a_corpus_without_a_word_finds_nothing_by_words():
    index = MemoryCorpusIndex()
    empty = index.at(snapshot_of(index, {"marks": "?! ..."}).digest)
    assert list(BM25Retriever(empty).retrieve("drift", 5)) == []
