import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError, DataError, TrainingError
from ops_pipelines.mlops.search import SearchRule, candidates, search_params
from ops_pipelines.mlops.task import REGRESSION
from ops_pipelines.mlops.training import Rows

SPACE = {"slope": [1.0, 2.0, 3.0], "floor": {"low": 0.0, "high": 1.0}}


def rows_of(weeks: int = 4, a_day: int = 3) -> Rows:
    """Rows whose label is three times their number."""
    count = weeks * 7 * a_day
    number = pd.Series(np.arange(count, dtype=float))
    asked = pd.Series(pd.date_range("2013-01-01", periods=count, freq=f"{24 // a_day}h", tz="UTC"))
    return Rows(pd.DataFrame({"number": number}), 3 * number, asked)


def line(params, rows: Rows, features: pd.DataFrame) -> np.ndarray:
    """A model that is its parameters."""
    if params.get("slope", 0) < 0:
        raise TrainingError("a slope below 0", expected="more", action="more")
    return (params.get("slope", 0) * features["number"] + params.get("floor", 0)).to_numpy()


def searched(rule: SearchRule, *, params=None, model=line, spent=lambda: 0.0, rows=None):
    return search_params(REGRESSION, rows or rows_of(), params or {"slope": 2.0}, rule, model, seed=5, spent=spent)


def test_the_best_of_the_candidates_is_found() -> None:
    found = searched(SearchRule(trials=20, space=SPACE))
    assert found.params["slope"] == 3.0
    assert found.params == min(found.trials, key=lambda trial: trial.loss).params
    assert len(found.trials) == 20


def test_the_declared_parameters_are_the_first_candidate_and_win_a_tie() -> None:
    found = searched(SearchRule(trials=5, space={"unused": [1, 2, 3]}))
    assert found.trials[0].params == found.params == {"slope": 2.0}


def test_no_trials_search_nothing() -> None:
    assert searched(SearchRule()).trials == ()


def test_candidates_are_judged_on_the_latest_rows_alone_and_fitted_on_earlier_ones() -> None:
    fitted, judged = [], []

    def watching(params, rows, features):
        fitted.append(rows.asked_at.max())
        judged.append(len(features))
        return line(params, rows, features)

    rows = rows_of()
    searched(SearchRule(trials=3, space=SPACE, judged_weeks=2), model=watching, rows=rows)
    assert max(fitted) < rows.asked_at.max() - pd.Timedelta(weeks=2)
    assert judged == [2 * 7 * 3 + 1] * 3


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.floats(0.5, 30))
def test_a_budget_is_overspent_by_one_candidate_at_most(trials: int, seconds: float) -> None:
    clock = itertools.count(1)  # one CPU second for each look, and one look after each candidate
    found = searched(SearchRule(trials=trials, space=SPACE, cpu_seconds=seconds), spent=lambda: float(next(clock)))
    assert 1 <= len(found.trials) <= min(trials, seconds + 1)


def test_a_smaller_budget_tries_the_first_of_the_same_candidates() -> None:
    many, few = (searched(SearchRule(trials=count, space=SPACE)).trials for count in (9, 4))
    assert many[:4] == few


def test_a_candidate_that_cannot_be_fitted_is_listed_with_why_and_never_wins() -> None:
    found = searched(SearchRule(trials=6, space={"slope": [-1.0]}))
    assert found.params == {"slope": 2.0}
    assert [trial.loss for trial in found.trials[1:]] == [None] * 5
    assert found.trials[1].why.startswith("a slope below 0")


def test_where_no_candidate_can_be_fitted_the_first_reason_is_told() -> None:
    with pytest.raises(TrainingError, match="None of 3 candidates could be fitted; the first: a slope below 0"):
        searched(SearchRule(trials=3, space={"slope": [-1.0]}), params={"slope": -2.0})


def test_scores_that_are_no_numbers_never_win() -> None:
    found = searched(SearchRule(trials=4, space={"slope": [float("nan")]}))
    assert found.params == {"slope": 2.0}


def test_rows_of_the_judged_weeks_alone_cannot_be_searched() -> None:
    with pytest.raises(DataError, match="All 21 training rows are of the 1 weeks"):
        searched(SearchRule(trials=2, space=SPACE), rows=rows_of(weeks=1))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(1e-3, 1), st.floats(2, 1e3))
def test_draws_stay_in_their_range(seed: int, low: float, high: float) -> None:
    space = {"rate": {"low": low, "high": high, "log": True}, "leaves": {"low": 3, "high": 7, "whole": True}}
    drawn = list(itertools.islice(candidates({}, space, seed=seed), 1, 20))
    assert all(low * 0.999 <= each["rate"] <= high * 1.001 and each["leaves"] in range(3, 8) for each in drawn)


@pytest.mark.parametrize(
    "choices",
    [[], "abc", 7, {"low": 1}, {"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"lo": 1, "high": 2}],
)
def test_a_space_that_cannot_be_drawn_from_is_refused(choices) -> None:
    with pytest.raises(ConfigError, match="The search space of 'leaves' is"):
        SearchRule(trials=2, space={"leaves": choices})


def test_trials_without_a_space_are_refused() -> None:
    with pytest.raises(ConfigError, match="has no space"):
        SearchRule(trials=2)
