import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.verdict import NotEvaluated, Passed
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION, task_named


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'regresion'.*Did you mean 'regression'"):
        task_named("regresion")


def test_thresholds_are_for_probabilities() -> None:
    assert (
        task_named("classification", thresholds=[0.3]).metrics(np.array([1.0, 0.0]), np.array([0.5, 0.2]))[
            "recall_at_0.3"
        ]
        == 1
    )
    with pytest.raises(ConfigError, match="Thresholds are given for a task of regression"):
        task_named("regression", thresholds=[0.3])
    with pytest.raises(ConfigError, match="A threshold is 1"):
        task_named("classification", thresholds=[1.0])


@pytest.mark.parametrize("scores", [[0.5, np.nan], [7.0, -3.0], [0.5], [[0.5], [0.5]]])
def test_scores_that_are_no_probabilities_are_not_evaluated(scores) -> None:
    assert isinstance(CLASSIFICATION.judge_scores(np.array(scores), rows=2), NotEvaluated)


def test_one_probability_for_each_row_passes() -> None:
    assert isinstance(CLASSIFICATION.judge_scores(np.array([0.0, 1.0]), rows=2), Passed)


@pytest.mark.parametrize("scores", [[0.5, np.nan], [np.inf, 1.0], [0.5], [[0.5], [0.5]]])
def test_values_that_are_missing_or_infinite_are_not_evaluated(scores) -> None:
    assert isinstance(REGRESSION.judge_scores(np.array(scores), rows=2), NotEvaluated)


def test_any_finite_value_for_each_row_passes() -> None:
    assert isinstance(REGRESSION.judge_scores(np.array([-7.0, 1e6]), rows=2), Passed)


@pytest.mark.parametrize("task", [CLASSIFICATION, REGRESSION])
def test_no_scores_are_not_evaluated(task) -> None:
    assert isinstance(task.judge_scores(np.array([]), rows=0), NotEvaluated)


@pytest.mark.parametrize("labels", [[1.0, np.inf], [2.0, 2.0], []])
def test_labels_that_nothing_can_be_learned_from_are_refused(labels) -> None:
    with pytest.raises(DataError, match="The training part has"):
        REGRESSION.check_labels(pd.Series(labels, dtype=float), part="training")


@pytest.mark.parametrize(("task", "labels"), [(CLASSIFICATION, [0, 0, 1, 1, 1]), (REGRESSION, [1, 2, 7, 9, 100])])
def test_no_other_constant_loses_less_than_the_baseline(task, labels) -> None:
    array = np.array(labels, dtype=float)
    best = task.loss(array, np.full(5, task.baseline(array))).mean()
    others = np.linspace(0.001, 0.999, 99) * (array.max() if task is REGRESSION else 1)
    assert all(task.loss(array, np.full(5, other)).mean() >= best - 1e-12 for other in others)


def test_the_metrics_of_a_regression_by_hand() -> None:
    found = REGRESSION.metrics(np.array([1.0, 2.0, 3.0, 10.0]), np.array([1.0, 3.0, 1.0, 6.0]))
    assert (found["absolute_error"], found["median_absolute_error"]) == (1.75, 1.5)
    assert found["root_mean_squared_error"] == pytest.approx((21 / 4) ** 0.5)
    assert found["r_squared"] == pytest.approx(1 - 21 / 50)


def test_a_gap_is_told_in_the_words_of_its_task() -> None:
    assert CLASSIFICATION.gap_words(0.097, 0.086).startswith(
        "9.7 points more positives than the scores say, beyond the 8.6"
    )
    assert REGRESSION.gap_words(-3.25, 2).startswith("outcomes are 3.25 below the scores on average, beyond the 2 that")
