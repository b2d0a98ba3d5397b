from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.statistics import clustered_difference
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.canary_verdict import Arm, CanaryRule, judge_canary
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION

ONE_LOOK = CanaryRule(looks=1)


def arms(
    draw: np.random.Generator, *, shift: float = 0.0, days: int = 14, a_day: int = 400, share: float = 0.1
) -> tuple[Arm, Arm]:
    """Chances of two releases, the candidate's off by `shift` in log odds, on days with weather and unequal traffic."""
    sizes = draw.integers(a_day // 4, 2 * a_day, days)
    day = np.repeat(np.arange(days), sizes)
    odds = draw.normal(-1, 1, len(day)) + draw.normal(0, 0.7, days)[day]
    late = (draw.random(len(day)) < 1 / (1 + np.exp(-odds))).astype(float)
    seen = odds + draw.normal(0, 0.5, len(day)) - 0.7 * draw.normal(0, 1, days)[day]  # nobody foresees the weather
    mine = draw.random(len(day)) < share
    scores = 1 / (1 + np.exp(-(seen + shift * mine)))
    return tuple(Arm(scores[side], late[side], day[side].tolist()) for side in (mine, ~mine))


def judged(draw: np.random.Generator, rule: CanaryRule = ONE_LOOK, **world: float) -> Verdict:
    return judge_canary(CLASSIFICATION, *arms(draw, **world), rule)


def minutes(*losses: float, days: Sequence[int], labels: float = 0.0) -> Arm:
    """Values of which each misses a label of 0 by its loss."""
    return Arm(np.array(losses), np.full(len(losses), labels), days)


def test_a_candidate_that_is_worse_beyond_chance_is_blocked_and_says_by_how_much() -> None:
    verdict = judged(np.random.default_rng(1), shift=2.0)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons[0].startswith("it does harm: log loss +")
    assert 0 < verdict.evidence["low"] < verdict.evidence["harm"]


def test_a_candidate_that_is_not_worse_by_the_margin_passes() -> None:
    verdict = judged(np.random.default_rng(2), CanaryRule(margin=0.1), days=28, a_day=1000)
    assert isinstance(verdict, Passed)
    assert verdict.evidence["high"] < verdict.evidence["margin"]


def test_a_small_canary_cannot_tell_yet_and_says_what_it_could_see() -> None:
    verdict = judged(np.random.default_rng(3), days=6, a_day=40)
    assert isinstance(verdict, NotEvaluated)
    assert "cannot tell yet" in verdict.why
    assert f"show a harm of {verdict.evidence['detectable']:.4f} four times of five" in verdict.why


def test_too_few_days_are_never_enough_however_bad_they_look() -> None:
    days = [1, 1, 2, 2, 3, 3]
    verdict = judge_canary(REGRESSION, minutes(*[9.0] * 6, days=days), minutes(*[1.0] * 6, days=days), CanaryRule())
    assert isinstance(verdict, NotEvaluated)
    assert "3 days have outcomes of both releases, and 5 are needed" in verdict.why


def test_a_gain_on_too_few_rows_is_no_pass() -> None:
    days = range(6)
    better, worse = minutes(*[1.0] * 6, days=days), minutes(*[2.0, 2.1] * 3, days=days)
    verdict = judge_canary(REGRESSION, better, worse, CanaryRule())
    assert isinstance(verdict, NotEvaluated)
    assert "6 answers of the candidate, and 200 are needed" in verdict.why
    assert isinstance(judge_canary(REGRESSION, better, worse, CanaryRule(min_rows=6)), Passed)


def test_days_are_compared_with_themselves_and_not_with_each_other() -> None:
    # The candidate met the worst day more often, and is better on each: the plain means would call it worse.
    candidate = minutes(*[9.0] * 40, *[1.0, 1.1, 1.2, 1.3, 1.4], days=[0] * 40 + [1, 2, 3, 4, 5])
    champion = minutes(9.5, 9.6, *[1.6, 1.7, 1.8, 1.9, 2.0] * 8, days=[0, 0, *[1, 2, 3, 4, 5] * 8])
    verdict = judge_canary(REGRESSION, candidate, champion, CanaryRule(min_rows=40))
    assert isinstance(verdict, Passed)
    assert verdict.evidence["harm"] == pytest.approx(-0.58, abs=0.03)


def test_outcomes_that_are_not_known_and_answers_that_failed_have_no_loss() -> None:
    days = range(8)
    candidate, champion = minutes(*[1.0] * 8, days=days), minutes(*[1.0, 1.1] * 4, days=days)
    unknown = Arm(np.array([50.0, np.nan]), np.array([np.nan, 0.0]), [1, 2])
    both = Arm(
        *(np.concatenate([getattr(candidate, n), getattr(unknown, n)]) for n in ("scores", "labels")), [*days, 1, 2]
    )
    plain, mixed = (judge_canary(REGRESSION, arm, champion, CanaryRule()).evidence for arm in (candidate, both))
    assert mixed["harm"] == plain["harm"]
    assert mixed["candidate"] == {"answers": 10, "labelled": 8, "failures": 1}


def test_scores_that_mean_nothing_block_before_any_outcome_is_known() -> None:
    good, bad = np.array([0.1, 0.9]), np.array([0.1, 1.7])
    unknown = np.full(2, np.nan)
    verdict = judge_canary(CLASSIFICATION, Arm(bad, unknown, [1, 1]), Arm(good, unknown, [1, 1]), CanaryRule())
    assert isinstance(verdict, Blocked)
    assert "not one from 0 to 1 for each" in verdict.reasons[0]


def failing(failures: int, answers: int) -> Arm:
    scores = np.array([np.nan] * failures + [0.5] * (answers - failures))
    return Arm(scores, np.full(answers, np.nan), [1] * answers)


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [(0, 0, NotEvaluated), (1, 0, NotEvaluated), (3, 0, Blocked), (10, 90, NotEvaluated)],
)
def test_failures_block_where_they_are_more_than_the_champions_explain(mine: int, theirs: int, expected: type) -> None:
    # Of 1 failure in 10% of the answers chance explains .1, of 3 out of 3 .001, and of 10 out of 100 about half.
    verdict = judge_canary(CLASSIFICATION, failing(mine, 100), failing(theirs, 900), CanaryRule())
    assert isinstance(verdict, expected)


def test_a_candidate_that_only_fails_is_blocked_for_that() -> None:
    verdict = judge_canary(CLASSIFICATION, failing(20, 20), failing(0, 180), CanaryRule())
    assert verdict.reasons == ("it fails: 20 of its 20 answers, and 0 of 180 of the champion's",)


@pytest.mark.parametrize(("mine", "theirs", "who"), [(0, 5, "candidate"), (5, 0, "champion")])
def test_an_arm_that_answered_nothing_is_told(mine: int, theirs: int, who: str) -> None:
    verdict = judge_canary(CLASSIFICATION, failing(0, mine), failing(0, theirs), CanaryRule())
    assert verdict.why == f"cannot tell yet: the {who} has answered nothing since the canary began"


def test_the_confidence_is_shared_by_the_looks() -> None:
    assert CanaryRule(confidence=0.95, looks=5).each_look == pytest.approx(0.99)


@pytest.mark.parametrize("setting", ["confidence", "margin", "min_days", "min_rows", "looks"])
def test_a_rule_that_cannot_be_meant_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting} under `canary` is -1"):
        replace(CanaryRule(), **{setting: -1})


# How often it errs: two releases that are the same, and one whose harm is known


def test_the_interval_of_the_harm_holds_the_truth_as_often_as_it_says() -> None:
    draw, held = np.random.default_rng(7), []
    for _ in range(1000):
        candidate, champion = arms(draw, days=10, a_day=100)
        losses = [CLASSIFICATION.loss(arm.labels, arm.scores) for arm in (candidate, champion)]
        found = clustered_difference(*losses, clusters=candidate.days, other_clusters=champion.days)
        low, high = found.interval(confidence=0.95)
        held.append(low <= 0 <= high)
    assert 0.93 <= np.mean(held) <= 0.97


def test_two_releases_that_are_the_same_alarm_once_in_twenty_looks_at_most() -> None:
    draw = np.random.default_rng(8)
    alarms = [isinstance(judged(draw, days=10, a_day=100), Blocked) for _ in range(1000)]
    assert np.mean(alarms) <= 0.06


def test_a_canary_that_is_looked_at_each_week_alarms_no_more_often_in_all() -> None:
    draw, rule, alarms = np.random.default_rng(9), CanaryRule(looks=4), []
    for _ in range(300):
        candidate, champion = arms(draw, days=28, a_day=100)
        looks = [
            judge_canary(CLASSIFICATION, until(candidate, day), until(champion, day), rule) for day in (7, 14, 21, 28)
        ]
        alarms.append(any(isinstance(verdict, Blocked) for verdict in looks))
    assert np.mean(alarms) <= 0.06


def test_a_harm_of_the_detectable_size_is_seen_about_four_times_of_five() -> None:
    draw, seen = np.random.default_rng(10), []
    for _ in range(300):
        candidate, champion = arms(draw, days=10, a_day=200)
        harm = judge_canary(CLASSIFICATION, candidate, champion, ONE_LOOK).evidence["detectable"]
        worse = replace(candidate, scores=_losing(candidate, harm))
        seen.append(isinstance(judge_canary(CLASSIFICATION, worse, champion, ONE_LOOK), Blocked))
    assert np.mean(seen) == pytest.approx(0.8, abs=0.07)


def test_a_candidate_that_is_worse_by_the_margin_passes_once_in_twenty_at_most() -> None:
    draw, rule, passed = np.random.default_rng(11), CanaryRule(looks=1, margin=0.2, min_rows=50), []
    for _ in range(300):
        candidate, champion = arms(draw, days=10, a_day=200)
        margin = judge_canary(CLASSIFICATION, candidate, champion, rule).evidence["margin"]
        worse = replace(candidate, scores=_losing(candidate, margin))
        passed.append(isinstance(judge_canary(CLASSIFICATION, worse, champion, rule), Passed))
    assert np.mean(passed) <= 0.06


def until(arm: Arm, day: int) -> Arm:
    """The rows of the days before one."""
    inside = np.array(arm.days) < day
    return Arm(arm.scores[inside], arm.labels[inside], np.array(arm.days)[inside].tolist())


def _losing(arm: Arm, harm: float) -> np.ndarray:
    """The scores with which each row loses so many nats more."""
    of_truth = np.where(arm.labels == 1, arm.scores, 1 - arm.scores) * np.exp(-harm)
    return np.where(arm.labels == 1, of_truth, 1 - of_truth)
