import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.metrics import roc_auc
from ops_pipelines.mlops.performance import Expected, Outcomes, PerformanceRule, judge_performance
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION

RULE = PerformanceRule()
EXPECTED = Expected(losses=(0.45, 0.5, 0.55, 0.48, 0.52, 0.5), gaps=(-0.02, 0.01, 0.03, -0.01, 0.0, -0.01))
RISK = np.array([0.1, 0.2, 0.3, 0.5])


def outcomes_of(*, shift: float = 0.0, days: int = 7, rows: int = 80, **changed) -> Outcomes:
    """A week whose outcomes come exactly as often as its scores say, moved by `shift` where that is given.

    Each day has the same rows: four scores, each of a quarter of them.
    """
    scores = np.tile(np.repeat(RISK, rows // 4), days)
    place = np.tile(np.arange(rows // 4) / (rows // 4), 4 * days)
    labels = (place < np.clip(scores + shift, 0, 1) - 1e-9).astype(float)
    slices = pd.DataFrame({"origin": np.where(np.arange(len(labels)) % 2, "EWR", "JFK")})
    whole = Outcomes(labels, scores, np.repeat(np.arange(days), rows).tolist(), slices, scored=len(labels))
    return replace(whole, **changed)


def only(outcomes: Outcomes, chosen: slice) -> Outcomes:
    """Some of the rows, and as many scored."""
    labels, scores = outcomes.labels[chosen], outcomes.scores[chosen]
    return Outcomes(labels, scores, outcomes.days[chosen], outcomes.slices[chosen], len(labels))


def verdict_of(outcomes: Outcomes, expected=EXPECTED, rule: PerformanceRule = RULE):
    return judge_performance(CLASSIFICATION, outcomes, expected, rule).verdict


def numbers_of(outcomes: Outcomes, expected=EXPECTED, rule: PerformanceRule = RULE) -> dict:
    return {
        (row.name, row.measure): row for row in judge_performance(CLASSIFICATION, outcomes, expected, rule).measured
    }


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("confidence", 0.5, "more than 0.5 and less than 1"),
        ("day_confidence", 1.0, "more than 0.5 and less than 1"),
        ("day_confidence", math.nan, "more than 0.5 and less than 1"),
        ("min_rows", 0, "at least 1"),
        ("min_coverage", 1.01, "a share from 0 to 1"),
        ("min_windows", 1, "at least 2"),
        ("min_slice_rows", 0, "at least 1"),
    ],
)
def test_a_rule_that_could_not_judge_is_refused(setting: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting} under `performance` is {value}. Expected: {expected}"):
        PerformanceRule(**{setting: value})


# What cannot be judged


def test_a_week_without_labels_is_not_evaluated_and_has_no_numbers() -> None:
    found = judge_performance(CLASSIFICATION, only(outcomes_of(), slice(0, 0)), EXPECTED, RULE)
    assert (found.measured, found.verdict) == ((), NotEvaluated("no label is known yet"))


@pytest.mark.parametrize(
    ("outcomes", "expected", "why"),
    [
        (only(outcomes_of(), slice(0, 499)), EXPECTED, "499 labelled rows, and 500 are needed"),
        (outcomes_of(scored=801), EXPECTED, "labels are known for 69.9% of the scored rows, under the floor of 70%"),
        (outcomes_of(days=1, rows=800), EXPECTED, "all labelled rows are of one day, and an interval needs two"),
        (outcomes_of(), NotEvaluated("release ab keeps no limits"), "release ab keeps no limits"),
        (outcomes_of(), Expected((0.5, 0.5), (0.0, 0.0)), "the training period has 2 weeks, and limits need 3"),
        (outcomes_of(), Expected((), ()), "the training period has 0 weeks, and limits need 3"),
    ],
    ids=["few rows", "low coverage", "one day", "no expectations", "too few weeks", "no weeks"],
)
def test_a_week_that_cannot_be_judged_says_why_and_shows_its_numbers(outcomes, expected, why: str) -> None:
    found = judge_performance(CLASSIFICATION, outcomes, expected, RULE)
    assert isinstance(found.verdict, NotEvaluated)
    assert found.verdict.why == why
    assert found.verdict.evidence["rows"] == len(outcomes.labels)
    assert found.measured[0].value == found.verdict.evidence["loss"] > 0
    assert all(row.limit is None for row in found.measured)


def test_a_week_that_cannot_be_judged_is_not_evaluated_however_bad_it_is() -> None:
    assert isinstance(verdict_of(only(outcomes_of(shift=0.5), slice(0, 499))), NotEvaluated)


def test_just_enough_rows_and_coverage_are_judged() -> None:
    assert isinstance(verdict_of(only(outcomes_of(), slice(0, 500))), Passed)
    assert isinstance(verdict_of(outcomes_of(scored=800)), Passed)


def test_coverage_of_nothing_is_none() -> None:
    assert only(outcomes_of(), slice(0, 0)).coverage == 0.0


# Limits


def test_the_limits_by_hand() -> None:
    # mean 3, deviation 1, three weeks; t of 0.975 and of 0.9875 with 2 degrees are 4.302653 and 6.205347
    expected = Expected(losses=(2.0, 3.0, 4.0), gaps=(-1.0, 0.0, 1.0))
    assert expected.loss == 3.0
    assert expected.loss_limit(RULE) == pytest.approx(3 + 4.302653 * math.sqrt(4 / 3), abs=1e-5)
    assert expected.gap_limit(RULE) == pytest.approx(6.205347 * math.sqrt(4 / 3), abs=1e-5)


def test_no_limit_is_below_the_worst_training_week() -> None:
    expected, unsure = Expected((0.5,) * 30 + (0.9,), (0.0,) * 30 + (-0.4,)), PerformanceRule(confidence=0.51)
    assert (expected.loss_limit(unsure), expected.gap_limit(unsure)) == (0.9, 0.4)


def test_models_that_always_say_too_little_widen_the_limit_of_the_gap() -> None:
    always = Expected(EXPECTED.losses, tuple(gap + 0.2 for gap in EXPECTED.gaps))
    assert always.gap_limit(RULE) == pytest.approx(0.23)


# Verdicts


def test_a_week_as_its_scores_say_passes_with_its_limits() -> None:
    verdict = verdict_of(outcomes_of())
    assert isinstance(verdict, Passed)
    assert verdict.evidence["gap"] == pytest.approx(0, abs=1e-12)
    assert verdict.evidence["limits"] == {"loss": EXPECTED.loss_limit(RULE), "gap": EXPECTED.gap_limit(RULE)}
    assert json.loads(canonical_json(dict(verdict.evidence)))["coverage"] == 1.0


@pytest.mark.parametrize(("shift", "way"), [(0.2, "more"), (-0.2, "fewer")])
def test_a_week_whose_outcomes_are_not_as_its_scores_say_is_blocked(shift: float, way: str) -> None:
    outcomes = outcomes_of(shift=shift)
    verdict = verdict_of(outcomes, replace(EXPECTED, losses=(5.0, 5.1, 5.2)))
    assert isinstance(verdict, Blocked)
    points = abs(np.mean(outcomes.labels - outcomes.scores)) * 100
    assert verdict.reasons == (
        f"{points:.1f} points {way} positives than the scores say, beyond the {EXPECTED.gap_limit(RULE) * 100:.1f} that "
        "the training weeks allow",
    )


def test_a_worse_week_is_blocked_for_its_loss_and_its_gap() -> None:
    verdict = verdict_of(outcomes_of(shift=0.5))
    assert [reason.partition(" ")[0] for reason in verdict.reasons] == ["log", "50.0"]
    limit = EXPECTED.loss_limit(RULE)
    assert f"above the {limit:.3f} that the training weeks allow (their mean is 0.500)" in verdict.reasons[0]


def test_scores_that_point_the_wrong_way_are_blocked_for_their_loss_alone() -> None:
    outcomes = outcomes_of()
    swapped = replace(outcomes, scores=np.select([outcomes.scores == risk for risk in RISK], RISK[::-1]))
    verdict = verdict_of(swapped)
    assert [reason.partition(" ")[0] for reason in verdict.reasons] == ["log"]
    assert numbers_of(swapped)["all", "auc"].value < 0.5


def test_one_bad_day_is_not_more_than_the_days_explain() -> None:
    outcomes = outcomes_of()
    first = np.arange(len(outcomes.labels)) < 80
    stormy = replace(outcomes, labels=np.where(first, 1.0, outcomes.labels))
    narrow = Expected((0.40, 0.405, 0.41, 0.4), (0.0, 0.01, -0.01, 0.0))
    row = numbers_of(stormy, narrow)["all", "gap"]
    assert row.value > row.limit
    loss = numbers_of(stormy, narrow)["all", "log_loss"]
    assert loss.value > loss.limit
    every_row_a_day = replace(stormy, days=list(range(len(stormy.labels))))
    certain = PerformanceRule(day_confidence=0.99)
    assert isinstance(verdict_of(stormy, narrow, certain), Passed)
    assert isinstance(verdict_of(every_row_a_day, narrow, certain), Blocked)


def test_an_excess_that_the_training_weeks_had_too_passes() -> None:
    wide = Expected((0.3, 0.6, 0.9, 1.4), (-0.5, 0.0, 0.5, 0.1))
    assert isinstance(verdict_of(outcomes_of(shift=0.4), wide), Passed)


def test_noise_alone_is_seldom_blocked() -> None:
    random = np.random.default_rng(5)

    def week() -> Outcomes:
        scores = random.choice(RISK, size=560)
        labels = (random.random(560) < scores).astype(float)
        return replace(outcomes_of(), labels=labels, scores=scores, slices=pd.DataFrame(index=range(560)))

    def measured(week: Outcomes) -> tuple[float, float]:
        found = numbers_of(week)
        return found["all", "log_loss"].value, found["all", "gap"].value

    losses, gaps = zip(*(measured(week()) for _ in range(10)), strict=True)
    expected = Expected(losses, gaps)
    assert sum(isinstance(verdict_of(week(), expected), Blocked) for _ in range(10)) <= 1


# Numbers


def test_the_numbers_of_a_week_come_with_intervals_and_limits() -> None:
    outcomes = outcomes_of()
    found = numbers_of(outcomes)
    assert [measure for name, measure in found if name == "all"] == ["log_loss", "gap", "auc", "calibration_error"]
    whole = found["all", "log_loss"]
    assert whole.low <= whole.value <= whole.high < whole.limit
    assert whole.value == pytest.approx(-np.mean(RISK * np.log(RISK) + (1 - RISK) * np.log1p(-RISK)), rel=1e-9)
    assert found["all", "auc"].value == roc_auc(outcomes.labels, outcomes.scores)
    assert found["all", "auc"].limit is found["all", "calibration_error"].limit is None
    canonical_json([row.to_json() for row in found.values()])


def test_an_interval_is_as_wide_as_the_days_differ() -> None:
    outcomes = outcomes_of()
    moved = outcomes.labels.copy()
    moved[:80] = 1.0
    alike, apart = numbers_of(outcomes)["all", "gap"], numbers_of(replace(outcomes, labels=moved))["all", "gap"]
    assert (alike.low, alike.high) == pytest.approx((alike.value, alike.value))
    # one day of seven is 0.725 higher, which by hand is an error of 0.725 / 7; t of 0.95 with 6 degrees is 1.943180
    assert apart.high - apart.value == pytest.approx(0.725 / 7 * 1.943180, abs=1e-5)


def test_each_slice_with_enough_rows_is_shown_and_has_no_limit() -> None:
    outcomes = outcomes_of(shift=0.1)
    rows = np.arange(560)
    slices = pd.DataFrame({"origin": np.select([rows < 300, rows < 460, rows < 559], ["EWR", "JFK", None], "LGA")})
    found = numbers_of(replace(outcomes, slices=slices), rule=PerformanceRule(min_slice_rows=99))
    counted = {name: row.rows for (name, measure), row in found.items() if measure == "gap" and name != "all"}
    assert counted == {"origin=EWR": 300, "origin=JFK": 160, "origin=missing": 99}
    inside = slices["origin"] == "JFK"
    assert found["origin=JFK", "gap"].value == pytest.approx((outcomes.labels - outcomes.scores)[inside].mean())
    assert {row.limit for (name, _), row in found.items() if name != "all"} == {None}


def test_a_slice_alone_blocks_nothing() -> None:
    outcomes = outcomes_of()
    rows = np.arange(560)
    origin = np.where(rows % 5 == 0, "JFK", "EWR")
    worse = replace(
        outcomes,
        labels=np.where(rows % 10 == 0, 1 - outcomes.labels, outcomes.labels),
        slices=pd.DataFrame({"o": origin}),
    )
    found = judge_performance(CLASSIFICATION, worse, EXPECTED, RULE)
    losses = {row.name: row.value for row in found.measured if row.measure == "log_loss"}
    assert losses["o=JFK"] > EXPECTED.loss_limit(RULE) > losses["all"]
    assert isinstance(found.verdict, Passed)


def test_a_regression_is_judged_in_the_unit_of_its_label() -> None:
    random = np.random.default_rng(5)
    scores = random.normal(150, 40, 700)
    noise = random.normal(0, 12, 700)
    days, slices = np.repeat(np.arange(7), 100).tolist(), pd.DataFrame(index=range(700))
    expected = Expected(losses=(9.4, 9.7, 9.5, 9.9, 9.3), gaps=(0.2, -0.3, 0.1, -0.1, 0.4))
    good, slow = (Outcomes(scores + noise + late, scores, days, slices, 700) for late in (0.0, 9.0))
    assert isinstance(judge_performance(REGRESSION, good, expected, RULE).verdict, Passed)
    found = judge_performance(REGRESSION, slow, expected, RULE)
    assert [reason.partition(", ")[0][:14] for reason in found.verdict.reasons] == ["absolute error", "outcomes are 9"]
    assert [row.measure for row in found.measured] == [
        "absolute_error",
        "gap",
        "root_mean_squared_error",
        "r_squared",
    ]
