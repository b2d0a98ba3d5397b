import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.evals.calibration import CalibrationRule, calibrate, cohens_kappa, judge_calibration

RULE = CalibrationRule()
RIGHT_ON_GOOD, RIGHT_ON_BAD = 0.95, 0.7


def world(seed: int, cases: int = 2000, labels: int = 150, clusters: int | None = None, *, bad: float = RIGHT_ON_BAD):
    """Cases of which people would pass 70% on the average, all seen by a lenient judge and some by people."""
    draw = np.random.default_rng([seed, cases, clusters or 0])
    of = draw.integers(0, clusters, cases) if clusters else np.arange(cases)
    good = draw.random(cases) < (draw.beta(4.2, 1.8, clusters)[of] if clusters else 0.7)
    judge = np.where(good, draw.random(cases) < RIGHT_ON_GOOD, draw.random(cases) >= bad).astype(float)
    seen = draw.choice(cases, labels, replace=False)
    judged = {str(case): float(judge[case]) for case in range(cases)}
    labelled = {str(case): float(good[case]) for case in seen}
    return judged, labelled, {str(case): str(of[case]) for case in range(cases)}


def covers(found, truth: float = 0.7) -> bool:
    low, high = found.interval()
    return low <= truth <= high


def test_a_lenient_judge_is_corrected_and_the_interval_is_narrower_than_that_of_the_labels():
    judged, labels, _ = world(1)
    found = calibrate(judged, labels)
    assert found.judged > 0.74
    assert covers(found.corrected)
    assert 0.2 < found.narrower < 0.6
    assert found.bias == pytest.approx(0.05, abs=0.04)


def test_a_judge_that_guesses_is_not_trusted_and_costs_nothing():
    judged, labels, _ = world(2, bad=1 - RIGHT_ON_GOOD)
    found = calibrate(judged, labels)
    assert found.trust < 0.2
    assert found.narrower == pytest.approx(0, abs=0.03)


def test_a_perfect_judge_leaves_the_error_of_all_cases():
    judged, labels, _ = world(3)
    labels = {case: judged[case] for case in labels}
    found = calibrate(judged, labels)
    assert found.corrected.mean == pytest.approx(found.judged, abs=0.01)
    assert found.narrower > 0.6


def test_without_trust_the_corrected_mean_is_that_of_the_labels():
    labels = {str(case): float(case % 3 == 0) for case in range(60)}
    found = calibrate(dict.fromkeys(labels, 1.0), labels)
    assert (found.trust, found.corrected.mean, found.narrower) == (0.0, pytest.approx(1 / 3), pytest.approx(0))


def test_the_correction_by_hand():
    judged = {"a": 1.0, "b": 0.0, "c": 1.0, "d": 1.0, "e": 0.0}
    found = calibrate(judged, {"a": 1.0, "b": 0.0})
    trust = 0.5 / ((1 + 2 / 3) * np.var([1, 0, 1, 1, 0], ddof=1))
    assert found.trust == pytest.approx(trust)
    assert found.corrected.mean == pytest.approx(0.5 - trust * 0.5 + trust * 2 / 3)


def test_a_judge_that_agrees_passes_with_its_numbers_as_json():
    judged, labels, _ = world(4)
    verdict = judge_calibration(calibrate(judged, labels), RULE)
    assert isinstance(verdict, Passed)
    canonical_json(dict(verdict.evidence))
    assert verdict.evidence["calibration"]["kappa"] > 0.4


def test_a_judge_that_does_not_agree_with_people_is_blocked():
    judged, labels, _ = world(5, bad=0.1)
    verdict = judge_calibration(calibrate(judged, labels), RULE)
    assert isinstance(verdict, Blocked)
    assert "it does not judge what people do" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("labels", "clusters", "why"),
    [
        ({"0": 1.0}, None, "1 labels, and 50 are needed"),
        ({}, None, "0 labels, and 50 are needed"),
        ({str(case): 1.0 for case in range(60)}, {str(case): "one" for case in range(60)}, "labels of 0 clusters"),
        ({"nobody": 1.0}, None, "1 labels are of cases that the judge did not score (nobody)"),
        ({str(case): 1.0 for case in range(60)}, None, "0 of 60 labels are bad, and 10 are needed"),
        ({str(case): float(case < 5) for case in range(60)}, None, "5 of 60 labels are good, and 10 are needed"),
    ],
)
def test_too_few_labels_are_never_a_pass(labels, clusters, why):
    verdict = judge_calibration(calibrate({str(case): 1.0 for case in range(100)}, labels, clusters), RULE)
    assert isinstance(verdict, NotEvaluated)
    assert why in verdict.why


def test_a_judge_that_scored_nothing_is_never_a_pass():
    assert isinstance(judge_calibration(calibrate({}, {}), RULE), NotEvaluated)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30))
def test_kappa_is_that_of_scikit_learn(pairs):
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    if len({*first, *second}) > 1:
        assert cohens_kappa(first, second) == pytest.approx(cohen_kappa_score(first, second))
    else:
        assert cohens_kappa(first, second) is None


@pytest.mark.parametrize(
    "wrong", [{"least_labels": 1}, {"least_clusters": 0}, {"least_of_each": 0}, {"least_kappa": 1}, {"confidence": 0.2}]
)
def test_a_rule_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(ConfigError):
        CalibrationRule(**wrong)


@pytest.mark.long
@pytest.mark.parametrize("clusters", [None, 200, 60])
def test_corrected_intervals_hold_the_truth_as_often_as_they_say_and_uncorrected_ones_do_not(clusters):
    found = [calibrate(*world(seed, clusters=clusters)) for seed in range(1500)]
    assert 0.93 <= np.mean([covers(one.corrected) for one in found]) <= 0.97
    assert np.mean([one.narrower for one in found]) > 0.15
    assert abs(np.mean([one.judged for one in found]) - 0.7) > 0.04
