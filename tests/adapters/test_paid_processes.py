"""One tenant's budget on the disk, drawn on by several processes at once, one of which is killed in the middle of a call."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.llmops.budget import Spent, accounts_of
from ops_pipelines.llmops.cost import nanos
from ops_pipelines.llmops.metered_chat import HOLD
from ops_pipelines.testing.paid_worker import BUDGET, CALLER, MOST, NOON

WORKER = "ops_pipelines.testing.paid_worker"
(ACCOUNT,) = accounts_of([BUDGET], CALLER, NOON)
DAY = Window(NOON, NOON + timedelta(days=1))


def started(home: Path, *words: str) -> "subprocess.Popen[str]":
    """A worker that has said that it is there."""
    command = [sys.executable, "-m", WORKER, str(home), *words]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.long
def test_fifty_callers_of_five_processes_never_take_a_tenant_past_its_budget(tmp_path):
    workers = [started(tmp_path, f"worker-{number}", "10") for number in range(5)]
    made = sum(int(worker.communicate("go\n", timeout=60)[0]) for worker in workers)
    calls = list(SQLiteCallLog(tmp_path / "log" / "calls.db").calls(DAY))
    spent = SQLiteBudgetStore(tmp_path / "log" / "budgets.db").spent(ACCOUNT, NOON)
    assert 7 <= made == len(calls) < 50
    assert nanos(sum((call.usd for call in calls), Decimal(0))) == spent.settled <= ACCOUNT.limit
    assert spent.reserved == 0


def test_what_was_reserved_counts_after_the_kill_of_its_process_in_the_middle_of_a_call(tmp_path):
    worker = started(tmp_path, "killed", "7", "never answers")
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate(timeout=60)
    store = SQLiteBudgetStore(tmp_path / "log" / "budgets.db")
    assert store.spent(ACCOUNT, NOON) == Spent(0, 7 * MOST)
    until = NOON + timedelta(hours=1)
    assert isinstance(store.reserve("next", [ACCOUNT], MOST, at=NOON, until=until), Blocked)
    assert store.spent(ACCOUNT, NOON + HOLD) == Spent()
