from pathlib import Path

import pytest

from ops_pipelines.adapters.lancedb_index import LanceIndex
from ops_pipelines.llmops.corpus_index import check_sound
from ops_pipelines.testing.corpus_index import CORPUS, TEXTS, CorpusIndexConformance, MemoryCorpusIndex, snapshot_of


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
