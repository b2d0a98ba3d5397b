"""When an agent's candidate is put together by itself: once all that it needs is there, be it there before it or not."""

import dagster as dg
import pytest

from ops_pipelines.adapters.project import find_project

from .agent_project import Desk

CANDIDATE = dg.AssetKey(["refunds", "candidate"])
NEEDS = [{"uses": ["x"]}, {"operates": ["x"]}, {"uses": ["x"], "operates": ["y"]}]

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path)
    find_project.cache_clear()


def requested(desk, needs, *, released_at):
    """How many candidates are asked for in each of four ticks, where what it needs is released before one of them."""
    named = [name for names in needs.values() for name in names]
    released = [dg.asset(key=[name, "release"])(_nothing) for name in named]
    defs = dg.Definitions.merge(desk.defs(**needs), dg.Definitions(assets=released))
    with dg.DagsterInstance.ephemeral() as instance:
        cursor, counts = None, []
        for tick in range(4):
            if tick == released_at:
                for name in named:
                    instance.report_runless_asset_event(dg.AssetMaterialization([name, "release"]))
            chosen = dg.AssetSelection.assets(CANDIDATE)
            found = dg.evaluate_automation_conditions(defs, instance, asset_selection=chosen, cursor=cursor)
            cursor = found.cursor
            counts.append(found.get_num_requested(CANDIDATE))
        return counts


def _nothing() -> None: ...


@pytest.mark.parametrize("needs", NEEDS, ids=str)
def test_an_agent_that_comes_after_what_it_needs_is_put_together_once(desk, needs):
    assert requested(desk, needs, released_at=0) == [1, 0, 0, 0]


@pytest.mark.parametrize("needs", NEEDS, ids=str)
def test_an_agent_that_comes_before_what_it_needs_waits_for_it(desk, needs):
    assert requested(desk, needs, released_at=2) == [0, 0, 1, 0]
