from pathlib import Path

import pytest

from ops_pipelines.adapters.lancedb_index import LanceIndex
from ops_pipelines.llmops.corpus_index import check_sound
from ops_pipelines.testing.corpus_index import (
    CORPUS,
    LATER,
    TEXTS,
    CorpusIndexConformance,
    MemoryCorpusIndex,
    snapshot_of,
)


class TestMemoryCorpusIndex(CorpusIndexConformance):
    @pytest.fixture
    def index(self) -> MemoryCorpusIndex:
        return MemoryCorpusIndex()


class TestLanceIndex(CorpusIndexConformance):
    @pytest.fixture
    def index(self, tmp_path: Path) -> LanceIndex:
        return LanceIndex(tmp_path, CORPUS)


def test_what_was_taken_is_there_for_the_next_process(tmp_path):
    snapshot = snapshot_of(LanceIndex(tmp_path, CORPUS), TEXTS)
    assert LanceIndex(tmp_path, CORPUS).at(snapshot.digest).snapshot == snapshot


def test_rows_that_a_dead_writer_left_behind_are_in_no_later_snapshot(tmp_path):
    index = LanceIndex(tmp_path, CORPUS)
    snapshot_of(index, TEXTS)
    snapshot_of(index, {"drift": "the writer of this one dies before it says so"})
    for part in ("head", "snapshot"):
        (tmp_path / CORPUS / "snapshots" / f"000002.{part}").unlink()
    after = snapshot_of(index, {**TEXTS, "more": "more words"})
    check_sound(index.at(after.digest))
    assert len(index.at(after.digest).chunks()) == 4


def test_dropping_the_oldest_gives_back_what_only_it_held(tmp_path):
    index = LanceIndex(tmp_path, CORPUS)
    many = {f"note-{number}": f"word{number} " * 200 for number in range(60)}
    first, second = snapshot_of(index, many), snapshot_of(index, TEXTS)
    before = sum(file.stat().st_size for file in tmp_path.rglob("*.lance") if file.is_file())
    assert index.drop(first.digest, before=LATER)
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.lance") if file.is_file()) < before / 2
    check_sound(index.at(second.digest))
