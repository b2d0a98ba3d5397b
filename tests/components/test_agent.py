"""An agent from its files to its release, through its assets."""

from collections.abc import Iterator

import pytest

from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.recorded_runs import keep_run
from ops_pipelines.core.verdict import Blocked, reasons_of
from ops_pipelines.testing.refund_agent import POLICY

from .agent_project import TASKS, Desk, failed_checks

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path)
    find_project.cache_clear()


def test_it_is_put_together_evaluated_gated_and_live(desk):
    result = desk.made()
    assert failed_checks(result) == {}
    release = desk.platform.release("refunds", desk.live())
    assert set(release.manifest.behaviour) == {"agent", "code", "tools", "policy", "budgets"}
    assert set(release.latest.verdict.evidence) >= {"evaluation", "good enough", "backtest", "replays"}
