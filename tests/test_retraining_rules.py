"""The comparison of retraining rules on a made-up year of twelve weeks: a high number means late, until it does not."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from benchmarks.flights_year import YEAR, FlightsYear, read_flights_year
from benchmarks.quiet_years import deal_days, deal_rows
from benchmarks.retraining_rules import compared, false_episodes
from benchmarks.scored_year import WEEK, Recipe, Year
from benchmarks.trigger_rules import OURS, RIVALS, no_finding
from benchmarks.year_walk import total, walk
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.drift import DriftRule
from ops_pipelines.mlops.evaluation import GateRule
from ops_pipelines.mlops.performance import PERFORMANCE, PerformanceRule
from ops_pipelines.mlops.retraining import AGE, RetrainingRule
from ops_pipelines.mlops.task import CLASSIFICATION
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, LABEL, Weighting
from ops_pipelines.testing.flavours import LogisticFlavour, fit_logistic

WEEKS, ROWS, TURNED = 12, 280, 6
ANY_PSI, SEVERAL, LOSS, RATE, CALENDAR = (rule.flags for rule in RIVALS)
RECIPE = Recipe(
    train=fit_logistic,
    params={},
    seed=0,
    flavour=LogisticFlavour(),
    task=CLASSIFICATION,
    features=("number", "noise"),
    slices=("side",),
    weighting=Weighting(),
    window_weeks=4,
    holdout_weeks=1,
    gate=GateRule(min_rows=50),
    drift=DriftRule(min_rows=50),
    performance=PerformanceRule(min_rows=50),
    retraining=RetrainingRule(max_age_weeks=5),
)


def frame_of(*, turned: int = WEEKS, shifted: int = WEEKS) -> pd.DataFrame:
    """Rows asked evenly over the weeks; from `turned` on a low number means late, from `shifted` on noise is moved."""
    draw = np.random.default_rng(3)
    week = np.repeat(np.arange(WEEKS), ROWS)
    number, noise = draw.normal(size=len(week)), draw.normal(size=len(week)) + 5 * (week >= shifted)
    slope = np.where(week >= turned, -2.0, 2.0)
    asked = YEAR + pd.to_timedelta(np.arange(len(week)) * (timedelta(weeks=1) / ROWS))
    frame = pd.DataFrame({"number": number, "noise": noise, "side": np.where(noise > 0, "a", "b"), WEEK: week})
    frame[ASKED_AT], frame[KNOWN_AT] = asked, asked + timedelta(minutes=30)
    late = pd.Series(draw.random(len(week)) < 1 / (1 + np.exp(-slope * number)), dtype=object)
    labelled = frame.index % 50 > 0
    return frame.assign(**{LABEL: late.where(labelled, None), KNOWN_AT: frame[KNOWN_AT].where(labelled)})


@pytest.fixture(scope="module")
def turned() -> Year:
    return Year(frame_of(turned=TURNED), RECIPE, start=YEAR)


@pytest.fixture(scope="module")
def calm() -> Year:
    return Year(frame_of(), RECIPE, start=YEAR)


def log_loss_by_hand(year: Year, frame: pd.DataFrame, cut: int, week: int) -> float:
    rows = frame[(frame[WEEK] == week) & frame[LABEL].notna()]
    said = RECIPE.flavour.predict(year.fitted(cut).model, rows[list(RECIPE.features)])
    return float(-np.log(np.where(rows[LABEL].astype(bool), said, 1 - said)).mean())


def test_two_bad_weeks_open_an_episode_and_its_challenger_scores_from_the_next_week_on(turned: Year) -> None:
    walked = walk(turned, OURS.flags, RECIPE.retraining)
    opened, challenge = walked.raised[0], walked.challenges[0]
    assert walked.flagged[:2] == (TURNED, TURNED + 1)
    assert (opened.kind, opened.opened, opened.because) == (
        PERFORMANCE,
        turned.key(TURNED + 1),
        "its challenger was promoted",
    )
    assert (challenge.week, challenge.champion, challenge.is_promoted) == (TURNED + 1, 3, True)
    assert [walked.live[week] for week in (TURNED + 1, TURNED + 2)] == [3, TURNED + 1]


def test_a_promotion_is_worth_what_the_next_four_weeks_lose_less(turned: Year) -> None:
    challenge = walk(turned, OURS.flags, RECIPE.retraining).challenges[0]
    frame, after = frame_of(turned=TURNED), range(TURNED + 2, TURNED + 6)
    spared = [
        log_loss_by_hand(turned, frame, 3, week) - log_loss_by_hand(turned, frame, TURNED + 1, week) for week in after
    ]
    rows = [len(frame[(frame[WEEK] == week) & frame[LABEL].notna()]) for week in after]
    assert challenge.weeks == len(after) == 4
    assert challenge.gain == pytest.approx(4 * np.average(spared, weights=rows))
    assert challenge.gain > 0.5
    assert total([challenge, challenge]) == pytest.approx((2 * challenge.gain, 2**0.5 * challenge.error))


def test_a_challenger_of_the_last_week_is_followed_by_nothing(turned: Year) -> None:
    rule = replace(RECIPE.retraining, max_age_weeks=WEEKS - 4)
    challenge = walk(turned, no_finding, rule).challenges[-1]
    assert (challenge.week, challenge.weeks, challenge.gain, challenge.error) == (WEEKS - 1, 0, 0.0, 0.0)


def test_the_calendar_alone_challenges_when_the_release_is_old_and_at_no_other_time(turned: Year) -> None:
    walked = walk(turned, CALENDAR, RECIPE.retraining)
    assert [challenge.kinds for challenge in walked.challenges] == [(AGE,)]
    assert walked.challenges[0].week == 3 + RECIPE.retraining.max_age_weeks
    assert (walked.flagged, walked.raised) == ((), ())


def test_a_week_is_judged_with_the_labels_known_at_its_end_and_scored_for_every_row(calm: Year) -> None:
    frame = frame_of()
    late = (frame[WEEK] == 4) & (frame.index % ROWS >= ROWS - 7)
    frame.loc[late, KNOWN_AT] += timedelta(days=1)
    outcomes = Year(frame, RECIPE, start=YEAR).watched(3, 4).outcomes
    assert outcomes.scored == ROWS
    assert len(calm.watched(3, 4).outcomes.labels) - len(outcomes.labels) == frame[late][LABEL].notna().sum()


def test_the_gate_of_the_walk_is_the_projects_own(turned: Year) -> None:
    assert isinstance(turned.judge(TURNED + 1, 3), Passed)
    assert isinstance(turned.judge(5, 3), Blocked)


def test_feature_rules_look_at_features_and_outcome_rules_at_outcomes(turned: Year) -> None:
    shifted = Year(frame_of(shifted=TURNED), RECIPE, start=YEAR).watched(3, TURNED)
    assert ANY_PSI(shifted)[PERFORMANCE] == Blocked(("noise",))
    unlike = turned.watched(3, TURNED)
    assert isinstance(LOSS(unlike)[PERFORMANCE], Blocked)
    assert [flags(unlike)[PERFORMANCE] for flags in (ANY_PSI, SEVERAL)] == [Passed(), Passed()]


def test_several_features_have_to_move_where_several_are_asked_for(turned: Year) -> None:
    frame = frame_of(shifted=TURNED).assign(second=0.0, third=0.0)
    frame["second"], frame["third"] = frame["noise"] ** 3, np.exp(frame["noise"] / 3)
    year = Year(frame, replace(RECIPE, features=("number", "noise", "second", "third")), start=YEAR)
    assert SEVERAL(year.watched(3, TURNED))[PERFORMANCE] == Blocked(("noise", "second", "third"))
    assert isinstance(SEVERAL(turned.watched(3, TURNED))[PERFORMANCE], Passed)


def test_no_margin_of_the_training_period_flags_that_period(calm: Year) -> None:
    week = calm.watched(3, 4)
    gaps = np.array(week.expected.performance.gaps)
    worst = gaps[np.abs(gaps).argmax()]
    labels = np.full(len(week.outcomes.scores), worst) + week.outcomes.scores
    as_bad = replace(week, outcomes=replace(week.outcomes, labels=labels - 1e-9 * np.sign(worst)))
    worse = replace(week, outcomes=replace(week.outcomes, labels=labels + 1e-9 * np.sign(worst)))
    assert isinstance(RATE(as_bad)[PERFORMANCE], Passed)
    assert isinstance(RATE(worse)[PERFORMANCE], Blocked)


def test_dealing_rows_keeps_each_row_and_the_size_of_each_week() -> None:
    frame = frame_of(turned=TURNED)
    dealt = deal_rows(frame, 1)
    same = ["number", "noise", "side", LABEL]
    pd.testing.assert_frame_equal(dealt[same], frame[same])
    assert (dealt[WEEK].value_counts() == ROWS).all()
    assert sorted(dealt[ASKED_AT]) == sorted(frame[ASKED_AT])
    assert set((dealt[KNOWN_AT] - dealt[ASKED_AT]).dropna()) == {timedelta(minutes=30)}
    assert ((dealt[ASKED_AT] - YEAR) // timedelta(weeks=1) == dealt[WEEK]).all()
    assert abs(np.corrcoef(frame[WEEK], dealt[WEEK])[0, 1]) < 0.1


def test_dealing_days_keeps_a_day_together_with_what_is_asked_the_evening_before_its_week() -> None:
    frame = frame_of()
    frame.loc[ROWS, ASKED_AT] -= timedelta(hours=2)
    dealt = deal_days(frame, 1)
    before, after = ((each[ASKED_AT] - YEAR) // timedelta(days=1) for each in (frame, dealt))
    pairs = set(zip(before[ROWS + 1 :], after[ROWS + 1 :], strict=True))
    assert len(pairs) == len({day for day, _ in pairs}) == len({day for _, day in pairs})
    assert dealt[WEEK][ROWS] == dealt[WEEK][ROWS + 1]
    assert dealt[ASKED_AT][ROWS + 1] - dealt[ASKED_AT][ROWS] == frame[ASKED_AT][ROWS + 1] - frame[ASKED_AT][ROWS]


def test_where_nothing_drifts_false_episodes_are_counted_for_every_rule() -> None:
    rows, days = false_episodes(FlightsYear(frame_of(turned=9), RECIPE), 1)
    assert (rows.ours, rows.bound, rows.holds) == (0, "ours <= 1", True)
    assert [rule.name for rule in RIVALS if f"{rule.name}: " not in rows.note] == []
    assert days.name.endswith("by days")


def test_a_row_holds_only_where_the_projects_rule_gained_as_much(turned: Year) -> None:
    rows = list(compared(turned))
    assert len(rows) == 2 * len(RIVALS) + 1
    assert [row.holds for row in rows] == [row.ours >= row.peer for row in rows]
    never = rows[-1]
    assert (never.name.rpartition(": ")[2], never.peer, never.ratio) == ("never retraining", 0.0, None)
    assert never.ours > 0


@pytest.mark.long
def test_the_walk_decides_on_the_year_of_flights_as_the_platform_does_in_the_demo(tmp_path) -> None:
    flights = read_flights_year(tmp_path)
    walked = walk(Year(flights.frame, flights.recipe, start=YEAR), OURS.flags, flights.recipe.retraining)
    promoted, refused = walked.challenges[:2]
    bad = [week for week, found in walked.findings.items() if isinstance(found[PERFORMANCE], Blocked)]
    compared_on_the_holdout = promoted.verdict.evidence["comparison"]
    assert (len(flights.frame), bad) == (335_844, [15, 16])
    assert (promoted.week, promoted.is_promoted, promoted.kinds) == (16, True, (PERFORMANCE,))
    assert compared_on_the_holdout["gain"] == pytest.approx(0.0331, abs=5e-5)
    assert compared_on_the_holdout["gain_interval"] == pytest.approx((0.0023, 0.0639), abs=5e-5)
    assert (refused.week, refused.is_promoted, refused.kinds) == (28, False, (AGE,))
