from pathlib import Path

import pytest

from ops_pipelines.adapters.redactors import secrets_out_of
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.testing.decision_log import DecisionLogConformance, MemoryDecisionLog


class TestMemoryDecisionLog(DecisionLogConformance):
    @pytest.fixture
    def log(self) -> MemoryDecisionLog:
        return MemoryDecisionLog()


class TestSQLiteDecisionLog(DecisionLogConformance):
    @pytest.fixture
    def log(self, tmp_path: Path) -> SQLiteDecisionLog:
        return SQLiteDecisionLog(tmp_path / "log" / "decisions.db", secrets=secrets_out_of(tmp_path))
