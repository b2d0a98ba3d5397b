import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.budget import Spent
from ops_pipelines.testing.budget_store import ACCOUNT, LATER, NOON, BudgetStoreConformance, MemoryBudgetStore, reserved

CALLERS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.budget_store import NOON, reserved

store, name = SQLiteBudgetStore(Path(sys.argv[1])), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()

def call(number):
    made = isinstance(reserved(store, f"{name}-{number}", 7), Passed)
    if made and number % 2:
        store.settle(f"{name}-{number}", 7, at=NOON)
    return made

with ThreadPoolExecutor(10) as pool:
    print(sum(pool.map(call, range(10))))
"""
KILLED = """
import sys, time
from pathlib import Path
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.testing.budget_store import reserved

reserved(SQLiteBudgetStore(Path(sys.argv[1])), "a", 60)
print("reserved", flush=True)
time.sleep(60)
"""


class TestMemoryBudgetStore(BudgetStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryBudgetStore:
        return MemoryBudgetStore()


class TestSQLiteBudgetStore(BudgetStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteBudgetStore:
        return SQLiteBudgetStore(tmp_path / "log" / "budgets.db")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "budgets.db"


def started(code: str, *words: str) -> "subprocess.Popen[str]":
    """A child process that has said its first word."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


def test_fifty_callers_of_five_processes_never_reserve_more_than_there_is(file):
    children = [started(CALLERS, str(file), str(number)) for number in range(5)]
    made = sum(int(child.communicate("go\n", timeout=60)[0]) for child in children)
    assert (made, SQLiteBudgetStore(file).spent(ACCOUNT, NOON).total) == (14, 98)


def test_a_reservation_survives_the_kill_of_its_process_until_it_expires(file):
    child = started(KILLED, str(file))
    os.kill(child.pid, signal.SIGKILL)
    child.communicate(timeout=60)
    store = SQLiteBudgetStore(file)
    assert store.spent(ACCOUNT, NOON) == Spent(0, 60)
    assert isinstance(reserved(store, "b", 41), Blocked)
    assert isinstance(reserved(store, "c", 100, at=LATER), Passed)


def test_settled_reservations_of_long_ago_are_forgotten_and_what_they_cost_is_not(file):
    from datetime import timedelta

    store = SQLiteBudgetStore(file)
    for number in range(3):
        reserved(store, str(number), 10)
        store.settle(str(number), 10, at=NOON)
    reserved(store, "last", 10)
    store.settle("last", 10, at=LATER + timedelta(days=8))
    assert store.spent(ACCOUNT, NOON) == Spent(40, 0)
    assert isinstance(reserved(store, "0", 10), Passed)
