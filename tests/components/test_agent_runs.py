"""The days of agents: compacted from the logs, judged, and compacted again where something came late."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.memory import Change, MemoryScope
from ops_pipelines.agentops.run_quality import COST, LENGTH, QUALITY
from ops_pipelines.agentops.run_state import DONE
from ops_pipelines.agentops.run_tables import DECISIONS, EFFECTS, MEMORY, STEPS
from ops_pipelines.components.agent_log import agent_log_defs, due_days, make_day
from ops_pipelines.components.agent_runs import make_runs
from ops_pipelines.components.house import furnish
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.testing.clock import FixedClock

from .agent_project import Desk

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview

DAY, NEXT, THIRD = "2026-03-02", "2026-03-03", "2026-03-04"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOMORROW = FixedClock(NOON + timedelta(days=1))


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path).later(FixedClock(NOON)).released()
    find_project.cache_clear()


def compact(desk: Desk, *parts: str, day: str = DAY) -> dict:
    """What was made of a day, and is kept where it was accepted, by part."""
    made = {part: make_day(part, desk.platform, day) for part in parts}
    for part, product in made.items():
        desk.keep(f"agent_runs/{part}", product, day)
    return made


def test_a_day_has_a_row_for_each_step_decision_and_effect_of_its_runs(desk):
    ran = desk.ran()
    made = compact(desk, STEPS, DECISIONS, EFFECTS)
    steps = desk.platform.runs.steps(ran.run)
    assert made[STEPS].table.num_rows == len(steps)
    assert made[DECISIONS].table.num_rows == len(desk.platform.decisions.decisions(ran.run))
    assert set(made[EFFECTS].table.column("state").to_pylist()) == {"done"}


def test_changes_of_every_tenants_memory_are_rows_of_their_day(desk):
    for tenant in ("acme", "globex"):
        change = Change("k", 1, "refunds", "user", NOON)
        desk.platform.memory.append(MemoryScope(tenant), [change])
    assert compact(desk, MEMORY)[MEMORY].table.column("scope").to_pylist() == ["acme", "globex"]


def test_a_day_that_is_compacted_again_is_the_same(desk):
    desk.ran()
    first, again = (compact(desk, STEPS)[STEPS] for _ in range(2))
    assert (again.digest, again.shown["new in this run"]) == (first.digest, 0)


def test_what_comes_late_goes_to_the_day_on_which_its_run_began(desk):
    waiting = desk.ran(granted=None)
    compact(desk, STEPS, DECISIONS, EFFECTS)
    later = desk.later(TOMORROW)
    assert due_days(later.platform, ["refunds"], TOMORROW.now) == {}
    later.answer(waiting)
    due = [key.to_user_string() for key in due_days(later.platform, ["refunds", "other"], TOMORROW.now)[DAY]]
    assert due == ["agent_runs/steps", "refunds/runs"]
    made = compact(later, STEPS)[STEPS]
    assert made.table.num_rows == len(desk.platform.runs.steps(waiting.run))
    assert set(made.table.column("started").cast("date32").to_pylist()) == {NOON.date(), TOMORROW.now.date()}


def test_a_day_without_anything_is_not_evaluated(desk):
    assert isinstance(make_day(STEPS, desk.platform, NEXT).verdict, NotEvaluated)
    assert isinstance(make_runs("refunds", desk.platform, NEXT, desk.agent().days.rule()).verdict, NotEvaluated)


def test_a_log_that_tells_another_thing_of_a_row_is_refused(desk):
    desk.ran()
    product = compact(desk, STEPS)[STEPS]
    column = product.table.column_names.index("name")
    other = product.table.set_column(column, "name", [["another"] * product.table.num_rows])
    desk.keep("agent_runs/steps", product, DAY, table=other)
    assert isinstance(make_day(STEPS, desk.platform, DAY).verdict, Blocked)


def test_each_run_is_a_row_with_what_it_came_to_and_what_was_held_back(desk):
    desk.ran()
    desk.ran("B18", granted=False)
    compact(desk, STEPS, EFFECTS)
    made = make_runs("refunds", desk.platform, DAY, desk.agent(days={"least": 2}).days.rule())
    rows = sorted(made.table.to_pylist(), key=lambda row: row["denied"])
    assert [(row["state"], row["asked"], row["denied"], row["unknown"]) for row in rows] == [
        (DONE, 1, 0, 0),
        (DONE, 1, 1, 0),
    ]
    assert all(isinstance(made.findings[name], Passed) for name in (QUALITY, COST, LENGTH))


def test_an_effect_of_which_nobody_knows_is_a_finding_until_somebody_has_found_out(desk):
    ran = desk.ran()
    intent = Intent("k", "note", "{}", ran.run, "r")
    desk.platform.effects.start(intent, at=NOON, until=NOON + timedelta(minutes=1))
    later = desk.later(TOMORROW)
    compact(later, STEPS, EFFECTS)
    found = make_runs("refunds", later.platform, DAY, desk.agent().days.rule()).findings[QUALITY]
    assert "nobody knows what came of 1 effects" in reasons_of(found)[0]


def test_paths_that_are_longer_than_they_may_be_are_a_finding(desk):
    desk.ran()
    compact(desk, STEPS)
    rule = desk.agent(days={"least": 1, "steps_p90": 3}).days.rule()
    assert "nine of ten runs" in reasons_of(make_runs("refunds", desk.platform, DAY, rule).findings[LENGTH])[0]


def test_the_schedule_asks_for_each_day_that_is_over_and_lacks_something(desk):
    desk.ran()
    defs = furnish(agent_log_defs([]), desk.platform)
    with dg.build_schedule_context(
        scheduled_execution_time=TOMORROW.now,
        resources={"platform": desk.platform},
        repository_def=defs.get_repository_def(),
    ) as context:
        found = defs.resolve_schedule_def("agent_runs").evaluate_tick(context)
    assert [request.partition_key for request in found.run_requests] == [DAY]


@pytest.mark.long
def test_one_run_of_dagster_compacts_all_that_a_day_has(desk):
    desk.ran()
    keys = due_days(desk.platform, ["refunds"], TOMORROW.now)[DAY]
    job = desk.defs().resolve_job_def("compact_agent_runs")
    done = job.execute_in_process(partition_key=DAY, asset_selection=keys)
    found = {f"{one.asset_key.path[-1]}.{one.check_name}": one.passed for one in done.get_asset_check_evaluations()}
    assert (found["steps.is_complete"], found["runs.is_complete"], "memory.is_complete" in found) == (True, True, False)
    assert desk.platform.lake.good("refunds/runs", DAY).facts["releases"] == [desk.live()]
