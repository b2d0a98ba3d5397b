import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.mlops.metrics import at_thresholds, calibration_error, explained_variance, log_loss, roc_auc
from ops_pipelines.mlops.task import CLASSIFICATION


def test_log_loss_by_hand() -> None:
    losses = log_loss(np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.25, 0.125]))
    assert losses.tolist() == pytest.approx([math.log(2), -math.log(0.75), math.log(8)])


@pytest.mark.parametrize(("label", "score"), [(1.0, 0.0), (0.0, 1.0)])
def test_certainty_that_was_wrong_costs_much_and_not_infinitely(label: float, score: float) -> None:
    assert log_loss(np.array([label]), np.array([score])) == pytest.approx(-math.log(1e-6))


def test_auc_by_hand() -> None:
    # pairs (positive, negative): 0.8>0.1, 0.8>0.4, 0.4>0.1 and 0.4=0.4, so 3.5 of 4
    assert roc_auc(np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.1, 0.4])) == 3.5 / 4


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_has_no_auc(label: float) -> None:
    assert roc_auc(np.full(3, label), np.array([0.1, 0.2, 0.3])) is None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.3, 0.9])), min_size=2, max_size=10))
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, float]]) -> None:
    late, punctual = ([score for label, score in rows if label is value] for value in (True, False))
    pairs = [(one > other) + (one == other) / 2 for one in late for other in punctual]
    expected = pytest.approx(sum(pairs) / len(pairs)) if pairs else None
    assert roc_auc(np.array([float(label) for label, _ in rows]), np.array([score for _, score in rows])) == expected


def test_calibration_error_by_hand() -> None:
    # two bins of two rows: |0.5 - 0.15| and |1 - 0.7|
    labels, scores = np.array([0.0, 1.0, 1.0, 1.0]), np.array([0.1, 0.2, 0.6, 0.8])
    assert calibration_error(labels, scores, bins=2) == pytest.approx((0.35 + 0.3) / 2)


def test_fewer_rows_than_bins_are_bins_of_one() -> None:
    assert calibration_error(np.array([0.0, 1.0]), np.array([0.25, 0.5]), bins=10) == pytest.approx((0.25 + 0.5) / 2)


def test_the_base_rate_is_calibrated_and_has_no_skill() -> None:
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    found = CLASSIFICATION.metrics(labels, np.full(4, 0.25))
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    assert (found["log_loss"], found["auc"], found["brier"]) == pytest.approx((entropy, 0.5, 0.25 * 0.75))
    assert found["positive_share"] == found["mean_score"] == 0.25


def test_precision_and_recall_by_hand() -> None:
    labels, scores = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.4, 0.5, 0.1])
    assert at_thresholds(labels, scores, (0.5,)) == {
        "precision_at_0.5": 0.5,
        "recall_at_0.5": 0.5,
        "called_at_0.5": 0.5,
    }


def test_a_threshold_that_nothing_reaches_has_no_precision() -> None:
    found = at_thresholds(np.array([1.0, 0.0]), np.array([0.2, 0.1]), (0.9,))
    assert (found["precision_at_0.9"], found["recall_at_0.9"]) == (None, 0.0)


def test_the_mean_explains_nothing_and_the_truth_everything() -> None:
    labels = np.array([1.0, 2.0, 6.0])
    assert explained_variance(labels, np.full(3, labels.mean())) == pytest.approx(0)
    assert explained_variance(labels, labels) == 1
    assert explained_variance(np.ones(3), labels) is None
