import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.mlops.retraining_log import Request, TrainingStep
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import RequestCost, Spending, cost_of, spending

NOW, WEEK = datetime(2013, 3, 4, tzinfo=UTC), timedelta(weeks=1)


def request(key: str = "a", *, weeks_ago: float = 1) -> Request:
    return Request(key, "desk", "2013-02-25", NOW - weeks_ago * WEEK, "it is old", "ada", NOW)


def step(
    run: str, cost: float | None, *, part: str = "checkpoint", of: str = "a", is_good: bool = True
) -> TrainingStep:
    return TrainingStep(of, "desk", run, part, NOW, cost, is_good=is_good)


def run(name: str, cost: float | None, *, of: str = "a") -> list[TrainingStep]:
    """A checkpoint's step that ended at a cost, or was killed where there is none."""
    begun = step(name, None, of=of)
    return [begun] if cost is None else [begun, step(name, cost, of=of)]


def spent(*costs: float | None) -> Spending:
    """What was spent on one request whose runs cost so much; None is a run that was killed."""
    steps = [row for number, cost in enumerate(costs) for row in run(f"r{number}", cost)]
    return spending([request()], steps, after=NOW - 26 * WEEK, by=NOW)


def test_a_request_costs_what_the_steps_of_all_its_runs_cost() -> None:
    data = [step("r1", None, part="training_set"), step("r1", 0.5, part="training_set")]
    cost = cost_of(request(), [*data, *run("r1", 2.0), *run("r2", 4.0), *run("r3", 9.0, of="another")])
    assert (cost.cpu_seconds, cost.unknown_runs, len(cost.runs)) == (6.5, 0, 2)
    assert cost.usd(0.36) == pytest.approx(6.5 / 3600 * 0.36)


def test_a_run_that_failed_cost_what_it_cost() -> None:
    cost = cost_of(request(), [step("r1", None), step("r1", 3.0, is_good=False)])
    assert (cost.cpu_seconds, cost.unknown_runs, cost.runs[0].is_good) == (3.0, 0, False)


def test_a_run_that_was_killed_has_an_unknown_cost_and_no_price() -> None:
    cost = cost_of(request(), [*run("r1", None), *run("r2", 4.0)])
    assert (cost.cpu_seconds, cost.unknown_runs) == (4.0, 1)
    assert cost.usd(0.36) is None


def test_without_a_price_of_an_hour_the_price_is_unknown_and_not_zero() -> None:
    assert cost_of(request(), run("r1", 4.0)).usd(None) is None
    assert cost_of(request(), run("r1", 4.0)).usd(0.0) == 0.0
    assert RequestCost().usd(0.36) == 0.0


def test_an_unknown_run_spends_as_much_as_the_dearest_known_one() -> None:
    assert spent(2.0, None, 5.0).reserved == 12.0
    assert spent(2.0, None, 5.0).left(20.0) == 8.0
    assert spent(2.0, None, 5.0).left(None) is None


def test_where_no_cost_is_known_an_unknown_run_spends_the_whole_budget() -> None:
    assert math.isinf(spent(None).reserved)
    assert spent(None).left(1e9) == 0.0
    assert spent(None).why_not_another(1e9) == "1 run of unknown cost, and no run's cost is known"


def test_the_next_run_has_to_fit_into_what_is_left() -> None:
    assert spent(4.0).why_not_another(8.0) is None
    assert spent(4.0).why_not_another(7.9) == "4.0 are spent, and the next run may cost 4.0"
    assert spent(4.0, None).why_not_another(11.0) == (
        "8.0 are spent, 1 run of unknown cost counted as the dearest, and the next run may cost 4.0"
    )


def test_the_first_run_fits_into_any_budget_and_nothing_is_held_back_without_one() -> None:
    assert spent().why_not_another(0.001) is None
    assert spent(1e9, None).why_not_another(None) is None


def test_only_what_was_asked_for_within_the_weeks_counts() -> None:
    rows = [request("old", weeks_ago=26), request("young", weeks_ago=25.9), request("later", weeks_ago=-1)]
    steps = [row for each in rows for row in run(each.key, 3.0, of=each.key)]
    found = spending(rows, steps, after=NOW - 26 * WEEK, by=NOW)
    assert (found.requests, found.cpu_seconds) == (1, 3.0)


@given(st.lists(st.none() | st.floats(0.01, 100), max_size=8), st.floats(1, 500))
def test_no_run_that_fits_brings_what_counts_beyond_the_budget(costs: list[float | None], budget: float) -> None:
    """Whatever is killed or ends: a run that costs no more than the dearest one before keeps the budget."""
    before = spent(*costs)
    if before.why_not_another(budget) is None and before.dearest_run is not None:
        assert spent(*costs, before.dearest_run).reserved <= budget * (1 + 1e-9)
        assert spent(*costs, None).reserved <= budget * (1 + 1e-9)
    assert before.reserved >= before.cpu_seconds


def test_a_step_survives_json() -> None:
    for each in (step("r1", None), step("r1", 0.0), step("r1", 2.5, is_good=False)):
        assert TrainingStep.from_json(json.loads(canonical_json(each.to_json()))) == each


@pytest.mark.parametrize(
    ("setting", "value"), [("budget_cpu_seconds", 0), ("budget_cpu_seconds", -1.0), ("price_per_cpu_hour_usd", -0.1)]
)
def test_a_budget_of_nothing_and_a_negative_price_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"{setting} under `retraining` is"):
        RetrainingRule(**{setting: value})
