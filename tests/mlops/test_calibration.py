import json
import math
from datetime import timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.calibration import BLOCKS, OUTCOME, SCORE, Expectations, calibrate
from ops_pipelines.mlops.drift import FEATURE, LABEL, PREDICTION, DriftRule, judge_drift, measure_drift
from ops_pipelines.mlops.performance import Outcomes, PerformanceRule, judge_performance
from ops_pipelines.mlops.task import CLASSIFICATION
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, Rows, split_by_time
from ops_pipelines.mlops.training import LABEL as LABELLED
from ops_pipelines.testing.release_store import NEW_YEAR

WEEK, HOUR, MOMENT = timedelta(weeks=1), timedelta(hours=1), timedelta(microseconds=1)
CUT_OFF = NEW_YEAR + 5 * WEEK
FEATURES = ("number", "carrier")


def chance(number: "pd.Series") -> np.ndarray:
    return 1 / (1 + np.exp(-1.5 * number.fillna(0).to_numpy()))


def knows_the_world(rows: Rows, features: pd.DataFrame) -> np.ndarray:
    """A model that gives each row its true chance, whatever it was fitted on."""
    return chance(features["number"])


def says_half(rows: Rows, features: pd.DataFrame) -> np.ndarray:
    return np.full(len(features), 0.5)


def remembers(rows: Rows, features: pd.DataFrame) -> np.ndarray:
    """A model whose scores move with everything that it was fitted on."""
    seen = rows.labels.mean() + rows.features["number"].fillna(0).mean() + len(rows)
    return (chance(features["number"]) + seen) % 1


def world(weeks: int, *, a_day: int, seed: int = 3) -> pd.DataFrame:
    """A joined frame up to CUT_OFF: equally spaced rows, each label known a moment later and as likely as `chance` says."""
    rows, random = weeks * 7 * a_day, np.random.default_rng(seed)
    number = random.normal(size=rows)
    asked = pd.Series(pd.date_range(end=CUT_OFF, periods=rows + 1, freq=24 * HOUR / a_day, inclusive="left"))
    frame = pd.DataFrame({"number": number, "carrier": random.choice(["UA", "B6"], size=rows)})
    label = (random.random(rows) < chance(frame["number"])).astype(float)
    return frame.assign(**{ASKED_AT: asked, LABELLED: label, KNOWN_AT: asked + MOMENT})


def rows_of(frame: pd.DataFrame) -> Rows:
    return Rows(frame[list(FEATURES)], frame[LABELLED], frame[ASKED_AT])


def calibrated(frame: pd.DataFrame, fit_and_score=knows_the_world, cut_off=CUT_OFF) -> Expectations:
    return calibrate(CLASSIFICATION, rows_of(frame), frame[KNOWN_AT], cut_off, fit_and_score)


def moments(*instants, labels, known=None) -> pd.DataFrame:
    """A frame of rows asked at these instants."""
    asked = pd.Series(pd.to_datetime(list(instants), utc=True))
    frame = pd.DataFrame({"number": 0.0, "carrier": "UA"}, index=range(len(instants)))
    return frame.assign(**{ASKED_AT: asked, LABELLED: labels, KNOWN_AT: asked if known is None else known})


@pytest.fixture(scope="module")
def expectations() -> Expectations:
    return calibrated(world(5, a_day=100))


def test_every_feature_the_score_and_the_label_are_profiled(expectations) -> None:
    assert [(column.name, column.role) for column in expectations.columns] == [
        *((name, FEATURE) for name in FEATURES),
        (SCORE, PREDICTION),
        (OUTCOME, LABEL),
    ]
    assert {sum(column.counts) for column in expectations.columns} == {3500}
    assert {len(column.strayed) for column in expectations.columns} == {5}
    assert expectations.columns[-1].categories == ("False", "True")


def test_what_is_kept_reads_back_as_it_was(expectations) -> None:
    stored = canonical_json(expectations.to_json())
    assert Expectations.from_json(json.loads(stored)) == expectations
    assert canonical_json(Expectations.from_json(json.loads(stored)).to_json()) == stored


def test_the_performance_of_each_week_by_hand() -> None:
    frame = moments(CUT_OFF - HOUR, CUT_OFF - 2 * HOUR, CUT_OFF - 8 * HOUR - WEEK, labels=[1.0, 1.0, 0.0])
    found = calibrated(frame, lambda rows, features: np.full(len(features), 0.25)).performance
    assert found.losses == pytest.approx((math.log(4), -math.log(0.75)))
    assert found.gaps == pytest.approx((0.75, -0.25))


# Weeks


def test_a_week_begins_with_its_first_moment() -> None:
    frame = moments(
        CUT_OFF - WEEK, CUT_OFF - WEEK - MOMENT, CUT_OFF - 2 * WEEK, CUT_OFF - MOMENT, labels=[1.0, 0, 0, 1.0]
    )
    assert calibrated(frame, says_half).performance.gaps == (0.5, -0.5)


@pytest.mark.parametrize(("days", "windows"), [(1, 3), (3, 3), (4, 4), (7, 4)])
def test_a_stub_of_a_first_week_belongs_to_the_one_after_it(days: int, windows: int) -> None:
    frame = world(4, a_day=2)
    cut = frame[frame[ASKED_AT] >= CUT_OFF - 3 * WEEK - timedelta(days=days)]
    found = calibrated(cut)
    assert len(found.performance.losses) == len(found.columns[0].strayed) == windows
    assert sum(found.columns[0].counts) == len(cut)


def test_weeks_without_rows_are_no_weeks() -> None:
    frame = world(5, a_day=2)
    hole = (frame[ASKED_AT] >= CUT_OFF - 3 * WEEK) & (frame[ASKED_AT] < CUT_OFF - WEEK)
    assert len(calibrated(frame[~hole]).performance.losses) == 3


@pytest.mark.parametrize("weeks", [0, 1])
def test_fewer_than_two_weeks_cannot_be_compared(weeks: int) -> None:
    frame = world(2, a_day=2)
    with pytest.raises(DataError, match=f"the training period has {weeks} weeks of labelled rows"):
        calibrated(frame[frame[ASKED_AT] >= CUT_OFF - weeks * WEEK])


def test_the_zone_in_which_instants_are_written_does_not_matter() -> None:
    frame, elsewhere = world(3, a_day=3), timezone(timedelta(hours=-11))
    moved = frame.assign(**{name: frame[name].dt.tz_convert("America/New_York") for name in (ASKED_AT, KNOWN_AT)})
    assert calibrated(moved, cut_off=CUT_OFF.astimezone(elsewhere)) == calibrated(frame)


# Nothing later


@pytest.mark.parametrize(
    ("asked_at", "known_at"),
    [(CUT_OFF, CUT_OFF), (CUT_OFF + HOUR, CUT_OFF), (CUT_OFF - HOUR, CUT_OFF + MOMENT), (CUT_OFF - HOUR, pd.NaT)],
    ids=["asked at the cut-off", "asked after it", "known after it", "known nobody knows when"],
)
def test_a_row_that_is_later_than_the_cut_off_is_refused(asked_at, known_at) -> None:
    known = pd.Series(pd.to_datetime([CUT_OFF - WEEK, known_at], utc=True))
    frame = moments(CUT_OFF - 2 * WEEK, asked_at, labels=[0.0, 1.0], known=known)
    with pytest.raises(DataError, match="1 rows are later than the cut-off"):
        calibrated(frame)


def test_a_label_that_is_known_at_the_cut_off_is_not_late() -> None:
    known = pd.Series(pd.to_datetime([CUT_OFF] * 2, utc=True))
    frame = moments(CUT_OFF - 2 * WEEK, CUT_OFF - MOMENT, labels=[0.0, 1.0], known=known)
    assert len(calibrated(frame).performance.losses) == 2


PAST = world(3, a_day=2).to_dict("list")
HOURS = st.integers(0, 500)
LATER = st.fixed_dictionaries(
    {
        "number": st.sampled_from([None, 0.0, -99.0, 1e9]),
        "carrier": st.sampled_from([None, "UA", "ZZ"]),
        LABELLED: st.sampled_from([None, 0.0, 1.0]),
        "asked": st.integers(-500, 500),
        "known": st.one_of(st.none(), st.integers(1, 500)),
    }
)


def known_by_the_cut_off(later: list[dict]) -> bytes:
    """The expectations of the past and these rows, in hours from the cut-off, as they are stored."""
    columns = {name: values + [row[name] for row in later if name in row] for name, values in PAST.items()}
    known = [row["known"] and CUT_OFF + max(row["known"], row["asked"] + 1) * HOUR for row in later]
    columns[ASKED_AT] = pd.to_datetime([*PAST[ASKED_AT], *(CUT_OFF + row["asked"] * HOUR for row in later)], utc=True)
    columns[KNOWN_AT] = pd.to_datetime([*PAST[KNOWN_AT], *known], utc=True)
    split = split_by_time(
        pd.DataFrame(columns),
        task=CLASSIFICATION,
        features=FEATURES,
        slices=(),
        holdout_from=CUT_OFF - WEEK,
        cut_off=CUT_OFF,
    )
    return canonical_json(calibrate(CLASSIFICATION, split.period, split.known_at, CUT_OFF, remembers).to_json())


EXPECTED = known_by_the_cut_off([])


@settings(max_examples=4, deadline=None)
@given(st.lists(LATER, min_size=1, max_size=30))
def test_what_is_learned_after_the_cut_off_cannot_reach_the_limits(later: list[dict]) -> None:
    assert known_by_the_cut_off(later) == EXPECTED


def test_what_was_learned_before_the_cut_off_does_reach_them() -> None:
    sooner = {"number": 0.5, "carrier": "UA", LABELLED: 1.0, "asked": -2, "known": 0}
    row = sooner | {"known": -1}
    assert known_by_the_cut_off([row]) != EXPECTED


# Out of fold


@pytest.mark.parametrize(("weeks", "blocks"), [(2, 2), (3, 3), (5, BLOCKS), (7, BLOCKS), (12, BLOCKS)])
def test_each_row_is_scored_once_by_a_model_that_did_not_see_its_block(weeks: int, blocks: int) -> None:
    fits: list[tuple[set[int], list[int]]] = []

    def fit_and_score(rows: Rows, features: pd.DataFrame) -> np.ndarray:
        assert len(rows.labels) == len(rows.asked_at) == len(rows)
        fits.append((set(rows.features.index), list(features.index)))
        return np.full(len(features), 0.5)

    frame = world(weeks, a_day=1)
    calibrated(frame, fit_and_score)
    everything = set(frame.index)
    assert len(fits) == blocks
    assert sorted(row for _, scored in fits for row in scored) == sorted(everything)
    for seen, scored in fits:
        assert seen == everything - set(scored)
        assert scored == list(range(scored[0], scored[-1] + 1))  # neighbouring weeks
        assert len(scored) % 7 == 0  # whole ones


def test_a_score_stands_beside_the_row_that_it_is_of() -> None:
    frame = world(3, a_day=2).sample(frac=1, random_state=1)
    found, sorted_first = calibrated(frame).performance, calibrated(frame.sort_index()).performance
    assert found.losses == pytest.approx(sorted_first.losses)
    assert max(found.losses) < math.log(2)


@pytest.mark.parametrize("said", [np.nan, 1.5, -0.1])
def test_scores_that_are_no_probabilities_are_refused(said: float) -> None:
    with pytest.raises(DataError, match="gave no scores for the rest"):
        calibrated(world(2, a_day=1), lambda rows, features: np.full(len(features), said))


def test_scores_that_are_not_one_for_each_row_are_refused() -> None:
    with pytest.raises(DataError, match=r"shape \(1,\) for 7 rows"):
        calibrated(world(2, a_day=1), lambda rows, features: np.array([0.5]))


# A week against what was expected


def judged(expectations: Expectations, week: pd.DataFrame) -> dict:
    """The verdicts of a week, by what they are about."""
    labels, scores = week[LABELLED].to_numpy(), chance(week["number"])
    days = week[ASKED_AT].dt.date.tolist()
    columns = {name: week[name] for name in FEATURES} | {SCORE: pd.Series(scores), OUTCOME: pd.Series(labels == 1)}
    drift = measure_drift(expectations.columns, columns, DriftRule())
    outcomes = Outcomes(labels, scores, days, week[[]], scored=len(week))
    performance = judge_performance(CLASSIFICATION, outcomes, expectations.performance, PerformanceRule())
    return {role: judge_drift(drift, role, DriftRule()) for role in (FEATURE, PREDICTION, LABEL)} | {
        "performance": performance.verdict
    }


def test_a_week_like_the_training_weeks_passes(expectations) -> None:
    assert {type(verdict) for verdict in judged(expectations, world(1, a_day=100, seed=9)).values()} == {Passed}


def test_what_is_learned_may_change_while_what_is_seen_does_not(expectations) -> None:
    week = world(1, a_day=100, seed=9)
    flipped = week.assign(**{LABELLED: week[LABELLED].where(week.index % 4 > 0, 1 - week[LABELLED])})
    found = judged(expectations, flipped)
    assert isinstance(found["performance"], Blocked)
    assert isinstance(found[FEATURE], Passed)
    assert isinstance(found[PREDICTION], Passed)


def test_what_is_seen_may_change_while_the_scores_stay_right(expectations) -> None:
    week = world(1, a_day=100, seed=9)
    found = judged(expectations, week.assign(carrier="UA"))
    assert found[FEATURE].evidence["flagged"] == ["carrier"]
    assert isinstance(found["performance"], Passed)
