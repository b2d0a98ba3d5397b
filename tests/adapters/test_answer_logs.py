import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.calls_file import CallsFile
from ops_pipelines.adapters.sqlite_answers import SQLiteAnswerLog
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.answer_log import WEEK, AnswerLogConformance, MemoryAnswerLog, answered_of
from ops_pipelines.testing.call_log import call_of

KEEPER = """
import os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_answers import SQLiteAnswerLog
from ops_pipelines.testing.answer_log import answered_of

SQLiteAnswerLog(Path(sys.argv[1])).keep([answered_of("a")])
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestMemoryAnswerLog(AnswerLogConformance):
    @pytest.fixture
    def log(self) -> MemoryAnswerLog:
        return MemoryAnswerLog()


class TestSQLiteAnswerLog(AnswerLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteAnswerLog:
        return SQLiteAnswerLog(tmp_path / "log" / "calls.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "calls.db"


def test_reading_makes_no_file(file):
    log = SQLiteAnswerLog(file)
    assert (log.find("a"), list(log.answers(WEEK)), log.forget(["a"])) == (None, [], 0)
    assert not file.parent.exists()


def test_a_kept_answer_survives_the_kill_of_its_process(file):
    file.parent.mkdir()
    assert subprocess.run([sys.executable, "-c", KEEPER, str(file)], check=False).returncode == -9
    assert SQLiteAnswerLog(file).find("a") == answered_of("a")


def test_a_home_that_was_moved_away_is_not_made_anew(tmp_path):
    log = SQLiteAnswerLog(tmp_path / "home" / "log" / "calls.db")
    with pytest.raises(DataError, match="Bring the home back"):
        log.keep([answered_of("a")])
    assert not (tmp_path / "home").exists()


def test_calls_and_answers_lie_in_one_file_and_neither_sees_the_other(file):
    calls, answers = SQLiteCallLog(file), SQLiteAnswerLog(file)
    calls.keep([call_of("a")])
    answers.keep([answered_of("b")])
    assert (calls.find("b"), answers.find("a")) == (None, None)
    assert calls.forget(["a"]) == 1
    assert answers.find("b") == answered_of("b")


def test_a_file_of_calls_alone_takes_answers_and_loses_no_call(file):
    file.parent.mkdir()
    before = CallsFile(file)
    before.migrations = CallsFile.migrations[:1]
    with before.transaction() as connection:
        columns = "(1, 'a', 's', 'r', '', '', 'p', 'm', 'm', 'q', 1, 'answered', 1, 1, 0, 1, 1.0, 'stop', 't', '{}')"
        connection.execute(f"INSERT INTO calls VALUES {columns}")
    SQLiteAnswerLog(file).keep([answered_of("b")])
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT id FROM calls").fetchall() == [("a",)]
