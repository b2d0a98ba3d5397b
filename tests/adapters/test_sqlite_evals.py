import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.core.errors import DataError
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.testing.answerer import ScriptedAnswerer
from ops_pipelines.testing.eval_cache import EvalCacheConformance, MemoryEvalCache
from ops_pipelines.testing.evaluation_log import EvaluationLogConformance, MemoryEvaluationLog

CASES = [Case(f"c{number}", f"Question {number}?", ANSWERABLE) for number in range(40)]
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_evals import SQLiteEvals
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.run import run_evaluation
from ops_pipelines.testing.answerer import ScriptedAnswerer

cases = [Case(f"c{number}", f"Question {number}?", ANSWERABLE) for number in range(40)]

def die_at_twenty(done, total):
    if done >= 20:
        os.kill(os.getpid(), signal.SIGKILL)

cache = SQLiteEvals(Path(sys.argv[1]))
asyncio.run(run_evaluation(
    ScriptedAnswerer(seconds=0.001), cases, [], cache=cache, concurrency=2, progress=die_at_twenty
))
"""


class TestMemoryEvalCache(EvalCacheConformance):
    @pytest.fixture
    def cache(self) -> MemoryEvalCache:
        return MemoryEvalCache()


class TestMemoryEvaluationLog(EvaluationLogConformance):
    @pytest.fixture
    def log(self) -> MemoryEvaluationLog:
        return MemoryEvaluationLog()


class TestSQLiteEvals(EvalCacheConformance, EvaluationLogConformance):
    @pytest.fixture
    def evals(self, tmp_path: Path) -> SQLiteEvals:
        return SQLiteEvals(tmp_path / "log" / "evals.db")

    @pytest.fixture
    def cache(self, evals: SQLiteEvals) -> SQLiteEvals:
        return evals

    @pytest.fixture
    def log(self, evals: SQLiteEvals) -> SQLiteEvals:
        return evals


def test_reading_makes_no_file(tmp_path):
    evals = SQLiteEvals(tmp_path / "log" / "evals.db")
    assert (evals.get_many(["a"]), list(evals.evaluations()), evals.labels()) == ({}, [], ())
    assert not evals.path.parent.exists()


def test_a_home_that_was_moved_away_is_not_made_anew(tmp_path):
    with pytest.raises(DataError, match="Bring the home back"):
        SQLiteEvals(tmp_path / "home" / "log" / "evals.db").put_many({"a": "b"})
    assert not (tmp_path / "home").exists()


def test_a_run_that_was_killed_goes_on_where_it_ended(tmp_path):
    file = tmp_path / "log" / "evals.db"
    assert subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False).returncode == -9
    run = asyncio.run(run_evaluation(ScriptedAnswerer(), CASES, [], cache=SQLiteEvals(file)))
    assert run.cached >= 20
    assert run.asked == 40 - run.cached
