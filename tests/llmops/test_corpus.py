from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.chunking import Chunker
from ops_pipelines.llmops.corpus import Document, ReconcileRule, Snapshot, compare, contents_of, judge_changes
from ops_pipelines.llmops.corpus_index import check_sound, plan_snapshot
from ops_pipelines.llmops.embedding_pin import EmbeddingPinMismatch
from ops_pipelines.testing.corpus_index import CORPUS, MONDAY, MemoryCorpusIndex, snapshot_of
from ops_pipelines.testing.embedders import WordEmbedder

TEXT = st.text(st.sampled_from("ab .\n#☂"), max_size=400)
STATES = st.dictionaries(st.sampled_from("abcde"), st.sampled_from(["one", "two two", "three"]), min_size=1, max_size=5)


def plan(documents, before=None, **more):
    settings = {"chunker": Chunker(), "pin": WordEmbedder().pin(), "as_of": MONDAY} | more
    return plan_snapshot(CORPUS, before, documents, **settings)


@given(TEXT, st.integers(40, 90))
def test_every_chunk_stands_in_its_document_where_it_says_and_nothing_is_lost(text, limit):
    chunks = Chunker(limit).chunks(Document("d", "folder", text))
    assert all(text[chunk.position :].startswith(chunk.text) for chunk in chunks)
    assert all(0 < len(chunk.text) <= limit for chunk in chunks)
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(text.split())


def test_headings_begin_a_chunk_and_a_long_section_is_cut_between_paragraphs():
    text = "# One\n\n" + "a first paragraph. " * 3 + "\n\n" + "a second one. " * 3 + "\n\n## Two\n\nshort"
    heads = [chunk.text.split()[0] + chunk.text.split()[1] for chunk in Chunker(80).chunks(Document("d", "f", text))]
    assert heads == ["#One", "asecond", "##Two"]


def test_a_chunk_under_a_used_document_id_has_another_id():
    one, other = (Chunker().chunks(Document("d", "folder", text))[0] for text in ("one", "other"))
    assert one.id != other.id


def test_a_chunker_of_tiny_pieces_is_refused():
    with pytest.raises(ConfigError, match="max_chars"):
        Chunker(5)


def test_two_documents_of_one_id_are_refused_and_both_sources_named():
    with pytest.raises(DataError, match="'d', from one and two"):
        contents_of([Document("d", "one", "text"), Document("d", "two", "text")])


def test_the_digest_is_of_the_content_and_not_of_when_or_in_which_order():
    documents = [Document("a", "folder", "one"), Document("b", "folder", "two")]
    first, second = plan(documents).snapshot, plan(documents[::-1], as_of=MONDAY + timedelta(days=1)).snapshot
    assert first.digest == second.digest == digest_bytes(first.content)


@pytest.mark.parametrize(
    ("documents", "more"),
    [
        ([Document("a", "folder", "two")], {}),
        ([Document("a", "folder", "one", {"title": "One"})], {}),
        ([Document("b", "folder", "one")], {}),
        ([Document("a", "folder", "one")], {"chunker": Chunker(500)}),
        ([Document("a", "folder", "one")], {"pin": WordEmbedder(seed=1).pin()}),
    ],
    ids=["text", "metadata", "id", "chunker", "embedder"],
)
def test_the_digest_changes_with(documents, more):
    assert plan(documents, **more).snapshot.digest != plan([Document("a", "folder", "one")]).snapshot.digest


def test_a_snapshot_comes_back_from_its_json():
    before = plan([Document("a", "folder", "one"), Document("ü", "folder", "two", {"title": "Two"})]).snapshot
    after = plan([Document("a", "folder", "changed")], before).snapshot
    assert Snapshot.from_json(after.to_json()) == after
    assert [stone.document for stone in after.tombstones] == ["a", "ü"]


@given(st.lists(STATES, min_size=1, max_size=6))
def test_after_any_history_the_index_holds_the_sources_and_nothing_that_has_a_tombstone(states):
    index, embedder = MemoryCorpusIndex(), WordEmbedder(dims=8)
    for state in states:
        snapshot = snapshot_of(index, state, embedder=embedder)
        indexed = index.at(snapshot.digest)
        check_sound(indexed)
        assert {chunk.document: chunk.text for chunk in indexed.chunks()} == state
        held = {(name, entry.digest) for name, entry in snapshot.documents.items()}
        assert not held & {(stone.document, stone.digest) for stone in snapshot.tombstones}


def test_what_comes_back_loses_its_tombstone():
    one, two = [Document("a", "folder", "one")], [Document("a", "folder", "two")]
    first = plan(one).snapshot
    second = plan(two, first).snapshot
    third = plan(one, second).snapshot
    assert [stone.digest for stone in second.tombstones] == [one[0].digest]
    assert [stone.digest for stone in third.tombstones] == [two[0].digest]


def test_another_chunker_is_refused_unless_everything_is_embedded_again():
    documents = [Document("a", "folder", "one")]
    first = plan(documents).snapshot
    with pytest.raises(EmbeddingPinMismatch, match="re_embed: "):
        plan(documents, first, chunker=Chunker(500))
    assert plan(documents, first, chunker=Chunker(500), re_embed=True).starts_anew


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ({}, {}, NotEvaluated),
        ({"a": "1"}, {}, NotEvaluated),
        ({}, {"a": "1"}, Passed),
        ({"a": "1", "b": "1"}, {"a": "2"}, Passed),
        ({"a": "1", "b": "1", "c": "1"}, {"a": "1", "d": "1"}, Blocked),
    ],
)
def test_a_corpus_that_lost_much_or_everything_is_not_passed(before, now, kind):
    assert isinstance(judge_changes(compare(before, now), ReconcileRule()), kind)


def test_a_share_that_means_nothing_is_refused():
    with pytest.raises(ConfigError, match="max_removed"):
        ReconcileRule(0)


def test_the_instant_is_kept_in_utc():
    snapshot = plan([Document("a", "folder", "one")]).snapshot
    assert Snapshot.from_json(snapshot.to_json()).as_of == datetime(2026, 3, 2, tzinfo=UTC)
