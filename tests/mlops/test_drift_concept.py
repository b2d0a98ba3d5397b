"""What is learned changes while what is seen does not: outcomes say so, and no column does."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.calibration import OUTCOME, SCORE, Expectations, calibrate
from ops_pipelines.mlops.drift import FEATURE, LABEL, PREDICTION, DriftRule, judge_drift, measure_drift
from ops_pipelines.mlops.performance import Outcomes, PerformanceRule, judge_performance
from ops_pipelines.mlops.task import CLASSIFICATION
from ops_pipelines.mlops.training import Rows

CUT_OFF, WEEKS, ROWS = datetime(2013, 3, 5, tzinfo=UTC), 8, 1000


def rows_of(random: np.random.Generator, weeks: int, *, slope: float = 1.5) -> Rows:
    """Rows of some weeks before the cut-off, whose label is the likelier the larger x is; half of them are positive."""
    count = weeks * ROWS
    x = random.normal(size=count)
    labels = random.random(count) < 1 / (1 + np.exp(-slope * x))
    asked = pd.Series(pd.date_range(end=CUT_OFF, periods=count + 1, freq=timedelta(weeks=1) / ROWS, inclusive="left"))
    features = pd.DataFrame({"x": x, "carrier": random.choice(["UA", "B6"], size=count)})
    return Rows(features, pd.Series(labels.astype(float)), asked)


def scores(rows: Rows, features: pd.DataFrame) -> np.ndarray:
    """A slope fitted by least squares, squeezed into chances; enough of a model to know which way x points."""
    slope = np.polyfit(rows.features["x"], rows.labels, 1)[0]
    return 1 / (1 + np.exp(-4 * slope * features["x"].to_numpy()))


@pytest.fixture(scope="module")
def trained() -> tuple[Rows, Expectations]:
    period = rows_of(np.random.default_rng(1), WEEKS)
    return period, calibrate(CLASSIFICATION, period, period.asked_at + timedelta(microseconds=1), CUT_OFF, scores)


def judged(trained: tuple[Rows, Expectations], week: Rows) -> dict[str, type]:
    """The kind of each verdict on a week that the model of the training period scored."""
    period, expectations = trained
    said = scores(period, week.features)
    columns = {name: week.features[name] for name in week.features}
    columns |= {SCORE: pd.Series(said), OUTCOME: week.labels == 1}
    found = measure_drift(expectations.columns, columns, DriftRule())
    outcomes = Outcomes(
        week.labels.to_numpy(), said, week.asked_at.dt.date.tolist(), week.features[[]], scored=len(week)
    )
    performance = judge_performance(CLASSIFICATION, outcomes, expectations.performance, PerformanceRule())
    return {role: type(judge_drift(found, role, DriftRule())) for role in (FEATURE, PREDICTION, LABEL)} | {
        "performance": type(performance.verdict)
    }


def test_a_week_like_the_training_weeks_raises_nothing(trained) -> None:
    assert set(judged(trained, rows_of(np.random.default_rng(2), 1)).values()) == {Passed}


@pytest.mark.parametrize("slope", [0.3, -1.5], ids=["x says little any more", "x points the other way"])
def test_concept_drift_raises_performance_and_neither_inputs_nor_scores_nor_labels(trained, slope) -> None:
    for seed in range(3, 8):
        found = judged(trained, rows_of(np.random.default_rng(seed), 1, slope=slope))
        assert found == {FEATURE: Passed, PREDICTION: Passed, LABEL: Passed, "performance": Blocked}


def test_quiet_outcomes_do_not_hide_that_what_is_seen_moved(trained) -> None:
    week = rows_of(np.random.default_rng(9), 1)
    found = judged(trained, Rows(week.features.assign(carrier="UA"), week.labels, week.asked_at))
    assert (found[FEATURE], found["performance"]) == (Blocked, Passed)
