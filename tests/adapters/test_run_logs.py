import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.trace_graph import trace_graph
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.agent_program import record
from ops_pipelines.testing.run_following import FollowedRunLogConformance
from ops_pipelines.testing.run_log import RUN, WEEK, MemoryRunLog, entry_of

WRITER = """
import sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.testing.run_log import entry_of

log = SQLiteRunLog(Path(sys.argv[1]))
for number in range(100_000):
    log.append([entry_of(occurrence=number, outputs=number)])
    print(number, flush=True)
"""


class TestMemoryRunLog(FollowedRunLogConformance):
    @pytest.fixture
    def log(self) -> MemoryRunLog:
        return MemoryRunLog()


class TestSQLiteRunLog(FollowedRunLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteRunLog:
        return SQLiteRunLog(tmp_path / "log" / "runs.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log" / "runs.db"


def test_reading_makes_no_file(file):
    log = SQLiteRunLog(file)
    assert (log.steps(RUN), log.runs(WEEK), log.payload("x")) == ((), (), None)
    assert not file.parent.exists()


@pytest.mark.parametrize("after", [1, 40, 200])
def test_kill_minus_nine_loses_no_step_that_was_acknowledged(file, after):
    file.parent.mkdir()
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True)
    for _ in range(after):
        child.stdout.readline()
    child.kill()
    acknowledged = after + len(child.communicate(timeout=60)[0].split())
    log = SQLiteRunLog(file)
    kept = log.steps(RUN)
    assert len(kept) in (acknowledged, acknowledged + 1)
    assert [log.payload(step.outputs).value() for step in kept] == list(range(len(kept)))
    assert log.runs(WEEK)[0].steps == len(kept)


def test_a_home_that_was_moved_away_is_not_made_anew(tmp_path):
    with pytest.raises(DataError, match="Bring the home back"):
        SQLiteRunLog(tmp_path / "home" / "log" / "runs.db").append([entry_of()])
    assert not (tmp_path / "home").exists()


def test_a_log_that_is_locked_says_so_and_keeps_nothing(file):
    log = SQLiteRunLog(file, timeout_seconds=0.05)
    log.append([entry_of("first")])
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match="locked"):
        log.append([entry_of("second")])
    holder.close()
    assert [step.name for step in log.steps(RUN)] == ["first"]


AGENT = """
import os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.testing.agent_program import record

def program(scope):
    reader = scope.inside("reader", {"read": "runbooks"})
    reader.tool("search", {}, lambda: "found")
    reader.tool("open", {}, lambda: os.kill(os.getpid(), signal.SIGKILL))

record(program, SQLiteRunLog(Path(sys.argv[1])).append)
"""


def test_a_run_that_was_killed_in_the_middle_is_still_one_graph_without_an_orphan(file):
    file.parent.mkdir()
    assert subprocess.run([sys.executable, "-c", AGENT, str(file)], check=False).returncode == -9
    steps = SQLiteRunLog(file).steps(RUN)
    assert [step.name for step in steps] == ["oncall", "reader", "search"]
    assert trace_graph(steps).is_whole


def test_an_agent_whose_log_is_locked_stops_before_it_acts(file):
    effects = []
    log = SQLiteRunLog(file, timeout_seconds=0.05)
    log.append([entry_of(run="b" * 32)])
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DataError, match="locked"):
        record(lambda scope: scope.tool("notify", {}, lambda: effects.append(1)), log.append)
    holder.close()
    assert effects == []


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.agent_program import record

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
effects = []

def program(scope):
    while True:
        scope.tool("notify", {"letter": len(effects)}, lambda: effects.append(1) or "x" * 5_000)

try:
    record(program, SQLiteRunLog(Path(sys.argv[1])).append)
except DataError as error:
    print(len(effects), "cannot be used" in str(error))
"""


def test_on_a_full_disk_the_agent_stops_and_all_that_was_acknowledged_is_kept(file):
    file.parent.mkdir()
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(file)], capture_output=True, text=True, check=True)
    effects, said = done.stdout.split()
    assert said == "True"
    kept = [step for step in SQLiteRunLog(file).steps(RUN) if step.name == "notify"]
    assert len(kept) == int(effects) - 1 > 10


def test_however_much_a_sender_says_that_it_used_the_run_is_kept_on(file):
    log = SQLiteRunLog(file)
    for batch in range(3):
        entries = [entry_of(occurrence=600 * batch + number, tokens=2**53, nanos=2**53) for number in range(600)]
        assert log.append(entries).accepted == 600
    assert log.append([entry_of("last", tokens=7)]).accepted == 1
