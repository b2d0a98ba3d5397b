import subprocess
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.sqlite_memory import SQLiteMemoryStore
from ops_pipelines.testing.memory_store import AGENT, MemoryMemoryStore, MemoryStoreConformance, change_of

WRITER = """
import os, signal, sys
from pathlib import Path
from ops_pipelines.adapters.sqlite_memory import SQLiteMemoryStore
from ops_pipelines.testing.memory_store import AGENT, change_of

SQLiteMemoryStore(Path(sys.argv[1])).append(AGENT, [change_of("a", 1)])
os.kill(os.getpid(), signal.SIGKILL)
"""


class TestMemoryMemoryStore(MemoryStoreConformance):
    @pytest.fixture
    def store(self) -> MemoryMemoryStore:
        return MemoryMemoryStore()


class TestSQLiteMemoryStore(MemoryStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> SQLiteMemoryStore:
        return SQLiteMemoryStore(tmp_path / "log" / "memory.db")


def test_reading_makes_no_file(tmp_path):
    store = SQLiteMemoryStore(tmp_path / "log" / "memory.db")
    assert (store.changes(AGENT), store.scopes("acme")) == ((), ())
    assert not (tmp_path / "log").exists()


def test_a_change_survives_the_kill_of_its_process(tmp_path):
    file = tmp_path / "memory.db"
    assert subprocess.run([sys.executable, "-c", WRITER, str(file)], check=False).returncode == -9
    assert SQLiteMemoryStore(file).changes(AGENT) == (change_of("a", 1),)
