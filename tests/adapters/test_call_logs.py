import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.call_log import WEEK, CallLogConformance, MemoryCallLog, call_of

KEEPER = """
import os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.testing.call_log import call_of

SQLiteCallLog(Path(sys.argv[1])).keep([call_of("a")])
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestMemoryCallLog(CallLogConformance):
    @pytest.fixture
    def log(self) -> MemoryCallLog:
        return MemoryCallLog()


class TestSQLiteCallLog(CallLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteCallLog:
        return SQLiteCallLog(tmp_path / "log" / "calls.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "calls.db"


def test_reading_makes_no_file(file):
    log = SQLiteCallLog(file)
    assert (log.find("a"), list(log.calls(WEEK)), log.forget(["a"])) == (None, [], 0)
    assert not file.parent.exists()


def test_a_kept_call_survives_the_kill_of_its_process(file):
    file.parent.mkdir()
    assert subprocess.run([sys.executable, "-c", KEEPER, str(file)], check=False).returncode == -9
    assert SQLiteCallLog(file).find("a") == call_of("a")


def test_a_home_that_was_moved_away_is_not_made_anew(tmp_path):
    log = SQLiteCallLog(tmp_path / "home" / "log" / "calls.db")
    with pytest.raises(DataError, match="Bring the home back"):
        log.keep([call_of("a")])
    assert not (tmp_path / "home").exists()
