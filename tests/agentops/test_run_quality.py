from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.agentops.run_quality import (
    COST,
    LENGTH,
    QUALITY,
    QualityRule,
    RunOutcome,
    by_release,
    judge_day,
    outcomes_of,
)
from ops_pipelines.agentops.run_state import DONE, FAILED, WAITING
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.testing.agent_program import Investigation, Outside, record
from ops_pipelines.testing.run_log import MONDAY, RUN, MemoryRunLog

RULE = QualityRule(least=4)


def outcome(number: int, state: str = DONE, **changes) -> RunOutcome:
    plain = {"steps": 10, "tool_calls": 3, "errors": 0, "denied": 0, "asked": 0, "unknown": 0, "tokens": 0}
    made = {"usd": Decimal(0), "seconds": 1.0, **plain, **changes}
    return RunOutcome(f"run-{number}", changes.pop("release", "r1"), MONDAY, state, **made)


def day(*states: str, **changes) -> list[RunOutcome]:
    return [outcome(number, state, **changes) for number, state in enumerate(states)]


def test_a_quiet_day_passes_with_what_its_runs_came_to():
    found = judge_day(day(DONE, DONE, DONE, WAITING), RULE)
    assert {name: type(verdict) for name, verdict in found.items()} == dict.fromkeys((QUALITY, COST, LENGTH), Passed)
    assert found[QUALITY].evidence["waiting"] == 1


def test_a_day_of_failures_says_how_many_and_how_many_may():
    found = judge_day(day(DONE, DONE, FAILED, FAILED), RULE)[QUALITY]
    assert reasons_of(found) == ("2 of 4 runs failed or stopped, and 10% may",)


def test_too_few_runs_are_not_judged_but_one_effect_of_which_nobody_knows_is():
    assert isinstance(judge_day(day(FAILED), RULE)[QUALITY], NotEvaluated)
    assert isinstance(judge_day(day(DONE, unknown=1), RULE)[QUALITY], Blocked)


@pytest.mark.parametrize(("usd", "kind"), [(Decimal("0.5"), Passed), (Decimal(2), Blocked), (None, NotEvaluated)])
def test_a_cost_that_nobody_knows_is_no_cost_that_is_low_enough(usd, kind):
    found = judge_day(day(*[DONE] * 5, usd=usd), QualityRule(usd_p90=1, least=4))[COST]
    assert isinstance(found, kind)


def test_each_release_has_a_row_of_its_own():
    rows = by_release([*day(DONE, FAILED), outcome(9, DONE, asked=2)])
    assert (rows[0]["runs"], rows[0]["other ends"], rows[0]["asked"], rows[0]["steps p90"]) == (3, 1, 2, 10)


def test_a_run_is_counted_from_its_steps():
    log = MemoryRunLog()
    record(Investigation(Outside(), 2), log.append)
    (one,) = outcomes_of(log.steps(RUN), {RUN: 1}, MONDAY + timedelta(hours=1))
    assert (one.steps, one.tool_calls, one.unknown, one.usd > 0) == (17, 8, 1, True)


def test_shares_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="most_failed"):
        QualityRule(most_failed=2)
