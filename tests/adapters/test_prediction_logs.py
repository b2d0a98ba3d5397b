import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.prediction_log import (
    MONDAY,
    WEEK,
    BreakablePredictionLog,
    MemoryPredictionLog,
    PredictionLogConformance,
    answer_of,
)

KEEPER = """
import sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.testing.prediction_log import answer_of

log = SQLitePredictionLog(Path(sys.argv[1]))
for number in range(200):
    log.keep([answer_of(f"{sys.argv[2]}-{number}")])
"""


class TestMemoryPredictionLog(PredictionLogConformance):
    @pytest.fixture
    def log(self) -> MemoryPredictionLog:
        return MemoryPredictionLog()


class TestBreakablePredictionLog(PredictionLogConformance):
    @pytest.fixture
    def log(self) -> BreakablePredictionLog:
        return BreakablePredictionLog()


class TestSQLitePredictionLog(PredictionLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLitePredictionLog:
        return SQLitePredictionLog(tmp_path / "log" / "predictions.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "predictions.db"


def test_reading_makes_no_file(file):
    log = SQLitePredictionLog(file)
    assert (log.find("a"), list(log.answers("flight_delay", WEEK)), log.forget(["a"])) == (None, [], 0)
    assert not file.parent.exists()


def test_a_home_that_was_moved_away_is_not_made_anew(tmp_path):
    log = SQLitePredictionLog(tmp_path / "home" / "log" / "predictions.db")
    with pytest.raises(DataError, match="Bring the home back"):
        log.keep([answer_of("a")])
    assert not (tmp_path / "home").exists()


def test_processes_that_append_at_once_lose_nothing(file):
    file.parent.mkdir()
    children = [subprocess.Popen([sys.executable, "-c", KEEPER, str(file), name]) for name in "ab"]
    assert [child.wait(60) for child in children] == [0, 0]
    assert len(list(SQLitePredictionLog(file).answers("flight_delay", WEEK))) == 400


def test_a_file_that_vanished_or_was_replaced_is_opened_anew(file, tmp_path):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a")])
    file.parent.rename(tmp_path / "aside")
    log.keep([answer_of("b")])
    assert [found.id for found in log.answers("flight_delay", WEEK)] == ["b"]
    assert [
        found.id for found in SQLitePredictionLog(tmp_path / "aside" / file.name).answers("flight_delay", WEEK)
    ] == ["a"]


def test_a_file_of_another_program_is_refused_and_left_alone(file):
    file.parent.mkdir()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(DataError, match="another program"):
        SQLitePredictionLog(file).keep([answer_of("a")])


def test_a_locked_file_is_an_error_and_written_once_it_is_free(file):
    log = SQLitePredictionLog(file, timeout_seconds=0.05)
    log.keep([answer_of("a")])
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DataError, match="locked"):
            log.keep([answer_of("b")])
        other.execute("ROLLBACK")
    log.keep([answer_of("c")])
    assert [found.id for found in log.answers("flight_delay", WEEK)] == ["a", "c"]


def test_an_answer_is_kept_while_others_are_being_read(file):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a", asked_at=MONDAY), answer_of("b", asked_at=MONDAY + timedelta(hours=1))])
    for found in log.answers("flight_delay", WEEK):
        log.keep([answer_of(f"{found.id}'s", system="desk")])
    assert log.find("b's") is not None
