import os
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


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.prediction_log import answer_of

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = SQLitePredictionLog(Path(sys.argv[1]))
log.keep([answer_of("small")])
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    log.keep([answer_of(f"large {number}") for number in range(500)])
except DataError as error:
    print(error)
log.keep([answer_of("small again")])
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


def test_a_reader_that_comes_at_any_step_of_a_writer_makes_it_lose_nothing(file):
    log, reader = SQLitePredictionLog(file), SQLitePredictionLog(file)
    reads = 0

    def read(frame, event, called) -> None:
        nonlocal reads
        if event == "c_call":
            sys.setprofile(None)
            reader.find("nobody's")
            reads += 1
            sys.setprofile(read)

    sys.setprofile(read)
    log.keep([answer_of("a")], durable=True)
    log.keep([answer_of("b")])
    sys.setprofile(None)
    assert reads > 20
    assert [found.id for found in reader.answers("flight_delay", WEEK)] == ["a", "b"]


def test_a_file_that_vanished_or_was_replaced_is_opened_anew(file, tmp_path):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a")])
    file.parent.rename(tmp_path / "aside")
    log.keep([answer_of("b")])
    assert [found.id for found in log.answers("flight_delay", WEEK)] == ["b"]
    assert [
        found.id for found in SQLitePredictionLog(tmp_path / "aside" / file.name).answers("flight_delay", WEEK)
    ] == ["a"]


def test_an_index_of_another_program_is_refused_and_left_alone_and_no_answer_is_lost(file):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a")])
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TABLE theirs (x)")
    with pytest.raises(DataError, match="another program"):
        log.find("a")
    file.unlink()
    assert log.find("a") is not None


def test_while_the_index_is_locked_answers_are_kept_and_are_found_once_it_is_free(file):
    log = SQLitePredictionLog(file, timeout_seconds=0.05)
    log.keep([answer_of("a")])
    assert log.find("a") is not None
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        log.keep([answer_of("b")])
        with pytest.raises(DataError, match="locked"):
            log.find("b")
        other.execute("ROLLBACK")
    assert [found.id for found in log.answers("flight_delay", WEEK)] == ["a", "b"]


def test_what_was_taken_in_is_taken_in_once_and_a_file_whose_writer_is_gone_is_removed(file):
    first = SQLitePredictionLog(file)
    first.keep([answer_of("a")])
    reader = SQLitePredictionLog(file)
    assert (reader.find("a") is not None, reader.forget(["a"]), reader.find("a")) == (True, 1, None)
    assert len(list((file.parent / "spool").iterdir())) == 1
    del first
    assert reader.find("a") is None
    assert list((file.parent / "spool").iterdir()) == []


def test_a_frame_that_a_killed_writer_left_unfinished_is_passed_over(file):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a")])
    log.keep([answer_of("b")])
    (spooled,) = (file.parent / "spool").iterdir()
    del log
    os.truncate(spooled, spooled.stat().st_size - 1)
    assert [found.id for found in SQLitePredictionLog(file).answers("flight_delay", WEEK)] == ["a"]


def test_on_a_full_disk_nothing_is_kept_of_an_answer_and_the_next_one_is(file):
    child = subprocess.run([sys.executable, "-c", FULL_DISK, str(file)], capture_output=True, text=True, check=True)
    assert "bytes could be written" in child.stdout
    found = [answer.id for answer in SQLitePredictionLog(file).answers("flight_delay", WEEK)]
    assert found == ["small", "small again"]


def test_an_answer_is_kept_while_others_are_being_read(file):
    log = SQLitePredictionLog(file)
    log.keep([answer_of("a", asked_at=MONDAY), answer_of("b", asked_at=MONDAY + timedelta(hours=1))])
    for found in log.answers("flight_delay", WEEK):
        log.keep([answer_of(f"{found.id}'s", system="desk")])
    assert log.find("b's") is not None
