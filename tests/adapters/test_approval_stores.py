import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.agentops.approval import Request
from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.testing.approval_store import (
    BINDING,
    NOON,
    ApprovalStoreConformance,
    MemoryApprovalStore,
    granted_by,
    request_of,
)

RESUMING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.approval_store import BINDING, NOON

store = SQLiteApprovalStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
with ThreadPoolExecutor(10) as pool:
    found = list(pool.map(lambda _: store.consume("a", BINDING.digest, at=NOON), range(10)))
print(sum(isinstance(one, Passed) for one in found))
"""


class TestMemoryApprovalStore(ApprovalStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryApprovalStore:
        return MemoryApprovalStore()


class TestSQLiteApprovalStore(ApprovalStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteApprovalStore:
        return SQLiteApprovalStore(tmp_path / "log" / "approvals.db", secrets=secrets_out_of(tmp_path))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "approvals.db"


def started(file: Path) -> "subprocess.Popen[str]":
    """A process that is about to resume ten times."""
    child = subprocess.Popen(
        [sys.executable, "-c", RESUMING, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


def test_of_fifty_who_resume_in_five_processes_one_is_let_through(file):
    store = SQLiteApprovalStore(file)
    store.ask(request_of("a"))
    store.answer("a", granted_by("anna"))
    children = [started(file) for _ in range(5)]
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert sum(int(child.communicate(timeout=60)[0]) for child in children) == 1


def test_a_store_that_is_gone_lets_nothing_through(file):
    assert isinstance(SQLiteApprovalStore(file).consume("a", BINDING.digest, at=NOON), Blocked)
    assert SQLiteApprovalStore(file).held() == ()


def test_a_store_that_is_no_database_is_an_error_and_never_an_approval(file):
    file.write_text("no database, and long enough to be taken for one" * 100)
    with pytest.raises(DataError, match="approval store"):
        SQLiteApprovalStore(file).consume("a", BINDING.digest, at=NOON)


@pytest.mark.parametrize(("requester", "after"), [("oncall", timedelta(0)), (" ", timedelta(hours=1))])
def test_a_request_of_nobody_or_that_has_expired_cannot_be_made(requester, after):
    with pytest.raises(ConfigError, match="expired"):
        Request("a", requester, "refund", BINDING, "", NOON, NOON + after)
