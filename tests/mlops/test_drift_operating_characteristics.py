"""How good the drift decision is, over hundreds of resamples; `benchmarks/drift_decisions.py` prints the same numbers."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.drift_decisions import RESAMPLES, RULE, SIZES, Quiet, million, power, quiet
from benchmarks.mixed_columns import KINDS, MOVED
from ops_pipelines.core.verdict import NotEvaluated, Passed
from ops_pipelines.mlops.drift import FEATURE, judge_drift, measure_drift, profile_column


def seasonal_flags(spread: float, *, alike: float = 0.0, periods: int = 300, weeks: int = 10, rows: int = 500) -> float:
    """How often a week is flagged whose mean differs from others' by so many deviations, as those differ among them."""
    random, flags = np.random.default_rng(8), 0
    windows = np.repeat(np.arange(weeks), rows)
    for _ in range(periods):
        means = [random.normal()]
        for step in random.normal(size=weeks) * np.sqrt(1 - alike**2):
            means.append(alike * means[-1] + step)
        values = random.normal(size=(weeks + 1, rows)) + spread * np.array(means)[:, None]
        profile = profile_column("x", FEATURE, pd.Series(values[:-1].ravel()), windows)
        (found,) = measure_drift([profile], {"x": pd.Series(values[-1])}, RULE)
        flags += found.flagged
    return flags / periods


def test_a_few_quiet_reports_flag_nothing_and_a_few_moved_ones_nearly_always() -> None:
    assert quiet(SIZES[0], resamples=3) == Quiet(0.0, 0.0, 0.0, 3)
    assert power("mean up by 0.5 sd", SIZES[0], resamples=10) >= 0.9


def test_too_few_rows_are_the_only_quiet_ones_that_are_not_evaluated() -> None:
    weeks, draw = np.repeat(np.arange(3), 500), KINDS["normal"]
    profile = profile_column("x", FEATURE, pd.Series(draw(np.random.default_rng(1), 1500)), weeks)
    for rows, verdict in ((499, NotEvaluated), (500, Passed), (501, Passed)):
        window = {"x": pd.Series(draw(np.random.default_rng(2), rows))}
        assert isinstance(judge_drift(measure_drift([profile], window, RULE), FEATURE, RULE), verdict)


@pytest.mark.long
@pytest.mark.parametrize("rows", SIZES)
def test_quiet_columns_and_reports_are_seldom_flagged(rows: int) -> None:
    found = quiet(rows)
    assert found.resamples == RESAMPLES >= 300
    assert len(KINDS) == 20
    assert found.columns <= 0.01
    assert found.reports <= 0.05
    assert found.findings <= 0.05


@pytest.mark.long
@pytest.mark.parametrize("name", MOVED)
def test_what_moved_is_nearly_always_flagged_from_five_hundred_rows_on(name: str) -> None:
    assert power(name, SIZES[0]) >= 0.9


@pytest.mark.long
def test_a_hundredth_of_a_deviation_is_no_alarm_in_a_million_rows_and_a_third_is() -> None:
    assert not million(0.01)
    assert million(0.33)


@pytest.mark.long
@pytest.mark.parametrize("spread", [0.05, 0.1, 0.2, 0.3, 0.5, 1.0])
def test_seasonal_weeks_are_flagged_no_more_often_than_the_rule_says(spread: float) -> None:
    assert seasonal_flags(spread) <= 0.09  # 0.05 by the rule's confidence, and three standard errors


@pytest.mark.long
@pytest.mark.parametrize("alike", [0.3, 0.6, 0.8])
def test_nor_are_weeks_that_resemble_their_neighbours(alike: float) -> None:
    assert seasonal_flags(0.5, alike=alike) <= 0.09
