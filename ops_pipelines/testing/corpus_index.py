"""The fake of `llmops.corpus_index.CorpusIndex`, and the conformance suite that the fake and every adapter run.

A team that writes an index of its own subclasses the suite and gives it a fixture named `index`, of the corpus `CORPUS`:

    class TestOurIndex(CorpusIndexConformance):
        @pytest.fixture
        def index(self, tmp_path):
            return OurIndex(tmp_path, CORPUS)
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock
from typing import TYPE_CHECKING

import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.chunking import Chunker
from ops_pipelines.llmops.corpus import Chunk, Document, Snapshot
from ops_pipelines.llmops.corpus_index import (
    CorpusIndex,
    SnapshotConflict,
    Update,
    check_base,
    check_sound,
    latest_of,
    plan_snapshot,
    take_snapshot,
)
from ops_pipelines.llmops.embedding_pin import Embedder, EmbeddingPinMismatch
from ops_pipelines.llmops.retrieval import DenseRetriever
from ops_pipelines.testing.embedders import WordEmbedder

if TYPE_CHECKING:
    import numpy as np

CORPUS = "runbooks"
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
TEXTS = {"drift": "what to do when drift alarms", "it's": "quotes 'and' \"more\" ☂", "rollback": "how to roll back"}


class MemoryCorpusIndex:
    """A CorpusIndex that forgets with its process."""

    def __init__(self, corpus: str = CORPUS) -> None:
        self._corpus, self._lock = corpus, Lock()
        self._taken: list[str] = []
        self._written: dict[str, datetime] = {}
        self._kept: dict[str, MemorySnapshot] = {}

    def taken(self) -> Sequence[str]:
        return list(self._taken)

    def at(self, digest: str) -> "MemorySnapshot":
        if digest not in self._kept:
            raise DataError(
                f"Corpus {self._corpus!r} has no snapshot {digest}", expected="one that was taken", action="See `taken`"
            )
        return self._kept[digest]

    def keep(self, snapshot: Snapshot, update: Update, *, base: str | None) -> None:
        with self._lock:
            check_base(self._corpus, self._taken, base)
            before = self._kept[base].rows if base and not update.starts_anew else {}
            rows = {name: row for name, row in before.items() if name not in update.removed}
            rows |= {chunk.id: (chunk, row) for chunk, row in zip(update.added, update.vectors, strict=True)}
            known = self._kept.get(snapshot.digest)
            self._written[snapshot.digest] = datetime.now(UTC)
            self._kept[snapshot.digest] = MemorySnapshot(snapshot, known.rows if known else rows)
            if snapshot.digest != base:
                self._taken.append(snapshot.digest)

    def drop(self, digest: str, *, before: datetime) -> bool:
        with self._lock:
            if digest not in self._kept or digest == self._taken[-1] or self._written[digest] >= before:
                return False
            del self._kept[digest]
            self._taken = [taken for taken in self._taken if taken != digest]
            return True


class MemorySnapshot:
    """One snapshot with the vector of each chunk."""

    def __init__(self, snapshot: Snapshot, rows: "Mapping[str, tuple[Chunk, np.ndarray]]") -> None:
        self.snapshot, self.rows = snapshot, rows

    def chunks(self) -> Sequence[Chunk]:
        return sorted((chunk for chunk, _ in self.rows.values()), key=lambda chunk: (chunk.document, chunk.position))

    def nearest(self, vector: "np.ndarray", k: int) -> Sequence[tuple[Chunk, float]]:
        if vector.shape != (self.snapshot.pin.dims,):
            raise DataError(
                f"A vector of the shape {vector.shape}",
                expected=f"{self.snapshot.pin.dims} dimensions",
                action="Mend it",
            )
        found = [(chunk, float(row @ vector)) for chunk, row in self.rows.values()]
        return sorted(found, key=lambda one: (-one[1], one[0].id))[: max(k, 0)]


def snapshot_of(
    index: CorpusIndex,
    texts: Mapping[str, str],
    *,
    embedder: Embedder | None = None,
    at: datetime = MONDAY,
    re_embed: bool = False,
) -> Snapshot:
    """The next snapshot of documents with these texts, by id, planned on top of the latest one and taken."""
    embedder = embedder or WordEmbedder()
    documents = [Document(name, "folder", text) for name, text in texts.items()]
    planned = plan_snapshot(
        CORPUS, latest_of(index), documents, chunker=Chunker(), pin=embedder.pin(), as_of=at, re_embed=re_embed
    )
    return take_snapshot(index, planned, embedder)


def answer(index: CorpusIndex, snapshot: Snapshot, query: str, *, embedder: Embedder | None = None) -> list[str]:
    """The texts that a snapshot finds for a query, the nearest first."""
    found = DenseRetriever(index.at(snapshot.digest), embedder or WordEmbedder()).retrieve(query, 10)
    return [one.chunk.text for one in found]


class CorpusIndexConformance:
    """What every CorpusIndex guarantees, as tests of the fixture `index`."""

    def test_nothing_was_taken_and_nothing_is_there_at_first(self, index: CorpusIndex) -> None:
        assert list(index.taken()) == []
        with pytest.raises(DataError, match="no snapshot"):
            index.at("0" * 64)

    def test_what_was_kept_comes_back_unchanged(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, TEXTS, at=MONDAY + timedelta(microseconds=7))
        assert list(index.taken()) == [snapshot.digest]
        assert index.at(snapshot.digest).snapshot == snapshot
        chunks = index.at(snapshot.digest).chunks()
        assert {chunk.document: chunk.text for chunk in chunks} == TEXTS
        assert [chunk.document for chunk in chunks] == sorted(TEXTS)

    def test_the_nearest_come_first_with_their_inner_products(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, TEXTS)
        (vector,) = WordEmbedder().embed(["how to roll back"])
        (first, score), (_, second) = index.at(snapshot.digest).nearest(vector, 2)
        assert (first.document, round(score, 4)) == ("rollback", 1.0)
        assert second < score

    def test_equal_ones_are_in_the_order_of_their_ids(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, {f"copy-{number}": "the same words" for number in range(30)})
        (vector,) = WordEmbedder().embed(["words"])
        found = [chunk.id for chunk, _ in index.at(snapshot.digest).nearest(vector, 7)]
        assert found == sorted(index.at(snapshot.digest).snapshot.chunk_ids)[:7]

    def test_a_vector_of_another_size_is_refused(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, TEXTS)
        (vector,) = WordEmbedder(dims=16).embed(["roll"])
        with pytest.raises(DataError, match=r"\(16,\)"):
            index.at(snapshot.digest).nearest(vector, 1)

    def test_no_more_than_there_is_and_nothing_for_nought(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, TEXTS)
        (vector,) = WordEmbedder().embed(["roll"])
        found = index.at(snapshot.digest)
        assert (len(found.nearest(vector, 99)), len(found.nearest(vector, 0))) == (3, 0)

    def test_only_changed_documents_are_embedded_again(self, index: CorpusIndex) -> None:
        snapshot_of(index, TEXTS)
        embedder = WordEmbedder()
        snapshot_of(index, {**TEXTS, "drift": "drift has new words", "new": "a new one"}, embedder=embedder)
        assert sorted(embedder.embedded) == ["a new one", "drift has new words"]

    def test_what_was_deleted_shortened_or_replaced_is_found_no_more(self, index: CorpusIndex) -> None:
        snapshot_of(index, {**TEXTS, "long": "begin and a secret end"})
        after = snapshot_of(index, {"drift": "another text under a used id", "it's": TEXTS["it's"], "long": "begin"})
        everything = answer(index, after, "what to do when drift alarms how to roll back begin and a secret end")
        assert sorted({chunk.text for chunk in index.at(after.digest).chunks()}) == sorted(
            ["another text under a used id", TEXTS["it's"], "begin"]
        )
        assert not {"how to roll back", "what to do when drift alarms", "begin and a secret end"} & set(everything)
        assert {(stone.document, stone.why) for stone in after.tombstones} == {
            ("drift", "changed"), ("long", "changed"), ("rollback", "removed")
        }  # fmt: skip

    def test_an_old_snapshot_answers_as_before(self, index: CorpusIndex) -> None:
        first = snapshot_of(index, TEXTS)
        before = index.at(first.digest).nearest(WordEmbedder().embed(["roll back drift"])[0], 10)
        snapshot_of(index, {"other": "nothing is as it was"})
        snapshot_of(index, {"other": "and again"})
        assert index.at(first.digest).nearest(WordEmbedder().embed(["roll back drift"])[0], 10) == before

    def test_what_comes_back_is_the_snapshot_that_it_was(self, index: CorpusIndex) -> None:
        first, other = snapshot_of(index, TEXTS), snapshot_of(index, {"drift": TEXTS["drift"]})
        again = snapshot_of(index, TEXTS)
        assert again.digest == first.digest != other.digest
        assert list(index.taken()) == [first.digest, other.digest, first.digest]
        last = snapshot_of(index, {**TEXTS, "more": "more words"})
        check_sound(index.at(last.digest))
        check_sound(index.at(first.digest))

    def test_an_unchanged_snapshot_has_a_later_instant_and_is_not_listed_twice(self, index: CorpusIndex) -> None:
        snapshot_of(index, TEXTS)
        again = snapshot_of(index, TEXTS, at=MONDAY + timedelta(days=1))
        assert list(index.taken()) == [again.digest]
        assert index.at(again.digest).snapshot.as_of == MONDAY + timedelta(days=1)

    def test_what_is_dropped_is_gone_and_every_other_snapshot_answers_as_before(self, index: CorpusIndex) -> None:
        kept = [snapshot_of(index, texts) for texts in (TEXTS, {"drift": "drift"}, {**TEXTS, "more": "more words"})]
        assert index.drop(kept[1].digest, before=LATER)
        assert list(index.taken()) == [kept[0].digest, kept[2].digest]
        with pytest.raises(DataError, match="no snapshot"):
            index.at(kept[1].digest)
        assert index.drop(kept[0].digest, before=LATER)
        check_sound(index.at(kept[2].digest))
        assert answer(index, kept[2], "roll back")[0] == "how to roll back"

    def test_the_next_snapshot_stands_on_the_latest_whatever_was_dropped(self, index: CorpusIndex) -> None:
        first, second = snapshot_of(index, TEXTS), snapshot_of(index, {"drift": "drift"})
        index.drop(first.digest, before=LATER)
        third = snapshot_of(index, {"drift": "drift", "more": "more words"})
        again = snapshot_of(index, TEXTS)
        assert list(index.taken()) == [second.digest, third.digest, again.digest]
        for snapshot in (second, third, again):
            check_sound(index.at(snapshot.digest))

    def test_neither_the_latest_nor_a_young_nor_a_strange_snapshot_is_dropped(self, index: CorpusIndex) -> None:
        first, latest = snapshot_of(index, TEXTS), snapshot_of(index, {"drift": "drift"})
        assert not index.drop(latest.digest, before=LATER)
        assert not index.drop(first.digest, before=datetime.now(UTC) - timedelta(hours=1))
        assert not index.drop("ab" * 32, before=LATER)
        assert list(index.taken()) == [first.digest, latest.digest]

    def test_the_last_snapshot_of_another_embedder_goes_with_its_vectors(self, index: CorpusIndex) -> None:
        first, wider = snapshot_of(index, TEXTS), WordEmbedder(dims=48)
        second = snapshot_of(index, TEXTS, embedder=wider, re_embed=True)
        assert index.drop(first.digest, before=LATER)
        assert answer(index, second, "roll back", embedder=wider)[0] == "how to roll back"
        back = snapshot_of(index, TEXTS, re_embed=True)
        assert answer(index, back, "roll back")[0] == "how to roll back"

    def test_a_document_without_a_word_has_no_chunk(self, index: CorpusIndex) -> None:
        snapshot = snapshot_of(index, {"blank": " \n ", "drift": "drift"})
        assert snapshot.documents["blank"].chunks == ()
        check_sound(index.at(snapshot.digest))

    def test_of_two_taken_from_one_base_the_second_is_told(self, index: CorpusIndex) -> None:
        first = snapshot_of(index, TEXTS)
        plans = [_planned(index, {"drift": text}) for text in ("one", "two")]
        kept = take_snapshot(index, plans[0], WordEmbedder())
        with pytest.raises(SnapshotConflict, match="taken meanwhile"):
            take_snapshot(index, plans[1], WordEmbedder())
        assert list(index.taken()) == [first.digest, kept.digest]
        check_sound(index.at(kept.digest))

    def test_of_threads_that_snapshot_at_once_one_does(self, index: CorpusIndex) -> None:
        first = snapshot_of(index, TEXTS)
        plans = [_planned(index, {"drift": f"version {number}"}) for number in range(4)]
        start = Barrier(4)

        def attempt(number: int) -> str | None:
            start.wait()
            try:
                return take_snapshot(index, plans[number], WordEmbedder()).digest
            except SnapshotConflict:
                return None

        with ThreadPoolExecutor(4) as pool:
            (winner,) = [digest for digest in pool.map(attempt, range(4)) if digest]
        assert list(index.taken()) == [first.digest, winner]
        check_sound(index.at(winner))

    def test_a_snapshot_whose_embedding_fails_leaves_everything_as_it_was(self, index: CorpusIndex) -> None:
        first = snapshot_of(index, TEXTS)
        with pytest.raises(EmbeddingPinMismatch, match="shape"):
            take_snapshot(index, _planned(index, {"drift": "new"}), _Broken())
        assert list(index.taken()) == [first.digest]
        assert answer(index, first, "roll back")[0] == "how to roll back"

    @pytest.mark.parametrize("other", [{"dims": 16}, {"seed": 1}], ids=["another size", "same size, another space"])
    def test_another_embedder_is_refused_and_the_old_snapshot_is_intact(self, index: CorpusIndex, other: dict) -> None:  # type: ignore[type-arg]
        first = snapshot_of(index, TEXTS)
        with pytest.raises(EmbeddingPinMismatch, match="re_embed: "):
            snapshot_of(index, TEXTS, embedder=WordEmbedder(**other))
        assert list(index.taken()) == [first.digest]
        assert answer(index, first, "roll back")[0] == "how to roll back"

    def test_another_embedder_that_is_asked_for_lies_beside_the_old_one(self, index: CorpusIndex) -> None:
        first, wider = snapshot_of(index, TEXTS), WordEmbedder(dims=48)
        second = snapshot_of(index, TEXTS, embedder=wider, re_embed=True)
        assert answer(index, second, "roll back", embedder=wider)[0] == "how to roll back"
        assert answer(index, first, "roll back")[0] == "how to roll back"
        back = snapshot_of(index, {"drift": "anew"}, re_embed=True)
        check_sound(index.at(back.digest))
        check_sound(index.at(first.digest))


def _planned(index: CorpusIndex, texts: Mapping[str, str]):  # type: ignore[no-untyped-def]
    documents = [Document(name, "folder", text) for name, text in texts.items()]
    pin = WordEmbedder().pin()
    return plan_snapshot(CORPUS, latest_of(index), documents, chunker=Chunker(), pin=pin, as_of=MONDAY)


class _Broken(WordEmbedder):
    """An embedder that shows its pin and then gives vectors of another size."""

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        return super().embed(texts)[:, :-1]
