"""The fake of `llmops.retrieval.Retriever`, and the conformance suite that the fake and every retriever run.

A team that writes a retriever of its own subclasses the suite and gives it a fixture named `retriever` over `CHUNKS`.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from ops_pipelines.llmops.corpus import Chunk, Document
from ops_pipelines.llmops.retrieval import Retrieved, Retriever, ranked

TEXTS = {
    "drift": "When the drift alarm of a model fires, look at the columns that moved.",
    "rollback": "To roll back, name the release that was live before; no training is needed.",
    "features": "Stale features are seen by their age, and the feed has probably stopped.",
    "weather": "Snow delays flights at all three airports.",
}
DOCUMENTS = tuple(Document(name, "folder", text) for name, text in TEXTS.items())


class ScriptedRetriever:
    """A Retriever for tests: it finds, for each query, the chunks that it was told to find, the best first."""

    def __init__(self, answers: Mapping[str, Sequence[Chunk]]) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def retrieve(self, query: str, k: int) -> Sequence[Retrieved]:
        self.asked.append(query)
        found = self._answers.get(query, ())
        return ranked([(chunk, 1 / place) for place, chunk in enumerate(found, 1)], k)


class RetrieverConformance:
    """What every Retriever guarantees, as tests of the fixture `retriever` over `DOCUMENTS`."""

    def test_what_the_query_is_about_comes_first(self, retriever: Retriever) -> None:
        assert retriever.retrieve("roll back", 3)[0].chunk.document == "rollback"
        assert retriever.retrieve("stale features", 3)[0].chunk.document == "features"

    def test_ranks_count_from_one_and_scores_fall(self, retriever: Retriever) -> None:
        found = retriever.retrieve("the drift alarm of stale features", 4)
        assert [one.rank for one in found] == list(range(1, len(found) + 1))
        assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)

    def test_no_more_than_are_asked_for(self, retriever: Retriever) -> None:
        assert [len(retriever.retrieve("stale features", k)) for k in (0, 1)] == [0, 1]

    def test_each_chunk_once_and_as_the_snapshot_holds_it(self, retriever: Retriever) -> None:
        found = retriever.retrieve("drift features roll back", 10)
        assert len({one.chunk.id for one in found}) == len(found)
        assert all(TEXTS[one.chunk.document] == one.chunk.text for one in found)

    def test_a_blank_query_finds_nothing(self, retriever: Retriever) -> None:
        assert [list(retriever.retrieve(query, 5)) for query in ("", " \n")] == [[], []]

    def test_the_same_query_is_answered_alike(self, retriever: Retriever) -> None:
        assert retriever.retrieve("drift", 4) == retriever.retrieve("drift", 4)

    def test_all_who_ask_first_at_once_are_answered_alike(self, retriever: Retriever) -> None:
        begin = Barrier(8)

        def asked(_: int) -> Sequence[Retrieved]:
            begin.wait()
            return retriever.retrieve("stale features", 4)

        with ThreadPoolExecutor(8) as threads:
            first, *others = threads.map(asked, range(8))
        assert first
        assert all(list(other) == list(first) for other in others)
