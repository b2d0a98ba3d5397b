import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Passed
from ops_pipelines.mlops.drift import (
    FEATURE,
    ColumnProfile,
    DriftRule,
    drift_within,
    effect_of,
    index_of,
    judge_drift,
    measure_drift,
    profile_column,
)

from .drift_weeks import COUNTS, PERIOD, ROWS, RULE, WEEKS, column_of, flagged, measured, profiles_of, rows_of


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("confidence", 0.5, "more than 0.5 and less than 1"),
        ("confidence", 1.0, "more than 0.5 and less than 1"),
        ("significance", 0.0, "more than 0 and less than 1"),
        ("significance", math.nan, "more than 0 and less than 1"),
        ("floor", 0.0, "more than 0"),
        ("min_rows", 0, "at least 1"),
        ("min_windows", 1, "at least 2"),
        ("feature_share", 1.01, "a share from 0 to 1"),
    ],
)
def test_a_rule_that_could_not_judge_is_refused(setting: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting} under `drift` is {value}. Expected: {expected}"):
        DriftRule(**{setting: value})


# The effect and its limit


def test_the_effect_by_hand() -> None:
    # 40 and 60 of 100 against 60 and 40, with half a row more in each bin
    p, q = 40.5 / 101, 60.5 / 101
    expected = (q - p) * math.log(q / p) + (p - q) * math.log(p / q)
    assert index_of(np.array([40, 60]), np.array([60, 40])) == pytest.approx(expected)
    # of which chance explains (bins - 1) * (1/n + 1/m), with the half rows in each bin
    assert effect_of(np.array([40, 60]), np.array([60, 40])) == pytest.approx(expected - 2 * 100 / 101**2)


@settings(max_examples=15, deadline=None)
@given(COUNTS, COUNTS)
def test_the_effect_is_symmetric_never_negative_and_zero_for_equal_counts(one, other) -> None:
    assert effect_of(one, other) == pytest.approx(effect_of(other, one))
    assert index_of(one, other) >= effect_of(one, other) >= 0 == effect_of(one, one)
    if one.sum() and other.sum():
        same = np.allclose((one + 0.5) / (one.sum() + 1.5), (other + 0.5) / (other.sum() + 1.5))
        assert (index_of(one, other) > 1e-12) is not same


def test_an_empty_bin_makes_no_effect_infinite() -> None:
    assert 0.5 < effect_of(np.array([50, 50, 0]), np.array([0, 50, 50])) < 10


@pytest.mark.parametrize("counts", [([0, 0], [5, 5]), ([5, 5], [0, 0]), ([0, 0], [0, 0])])
def test_nothing_has_no_effect(counts) -> None:
    assert effect_of(*map(np.array, counts)) == 0.0


def test_the_limit_by_hand() -> None:
    # logarithms of mean log 0.2 and deviation log 2; t of 0.95 with 2 degrees is 2.919986
    limit = column_of((0.1, 0.2, 0.4)).limit(RULE)
    assert limit == pytest.approx(0.2 * math.exp(2.919986 * math.log(2) * math.sqrt(1 + 1 / 3)), rel=1e-5)


def test_no_limit_is_below_the_floor_or_the_worst_training_week() -> None:
    assert column_of((0.01,) * 20).limit(RULE) == RULE.floor
    sure_of_little = DriftRule(confidence=0.51)
    assert column_of((0.01,) * 20 + (0.7,)).limit(sure_of_little) == 0.7


def test_more_confidence_is_a_higher_limit() -> None:
    column = column_of((0.1, 0.2, 0.3, 0.2))
    assert column.limit(DriftRule(confidence=0.9)) < column.limit(DriftRule(confidence=0.99))


def test_weeks_that_did_not_stray_at_all_have_a_limit() -> None:
    assert column_of((0.0, 0.0, 0.0)).limit(RULE) == RULE.floor


def test_each_training_week_is_compared_with_the_others_and_not_with_itself() -> None:
    values = pd.Series([0.0] * 10 + [0.0] * 10 + [1.0] * 10)
    column = profile_column("x", FEATURE, values, np.repeat([7, 8, 9], 10))
    zeros_and_ones = [column.histogram(values[part]) for part in (slice(0, 20), slice(20, 30))]
    assert column.strayed[2] == effect_of(*zeros_and_ones)
    assert column.strayed[0] == column.strayed[1] < column.strayed[2]


# A week against its training period


def test_quiet_weeks_of_a_long_tail_see_new_categories_without_a_flag() -> None:
    random, flags = np.random.default_rng(5), 0
    for _ in range(10):
        period = pd.Series([f"p{n}" for n in random.zipf(1.5, size=WEEKS * ROWS)])
        column = profile_column("x", FEATURE, period, PERIOD)
        found = measured([column], {"x": pd.Series([f"p{n}" for n in random.zipf(1.5, size=ROWS)])})["x"]
        assert found.current[-2] > 0.02
        flags += found.flagged
    assert flags == 0


def test_a_quiet_week_flags_nothing(profiles, week) -> None:
    assert flagged(profiles, week) == []
    assert isinstance(judge_drift(measure_drift(profiles, week, RULE), FEATURE, RULE), Passed)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("number", lambda values: values + 0.5),
        ("number", lambda values: values - 0.5),
        ("number", lambda values: values * math.sqrt(2)),
        ("number", lambda values: values / math.sqrt(2)),
        ("rain", lambda values: values + (values.index % 5 == 0)),
        ("carrier", lambda values: values.mask((values.index % 10 < 3) & (values == "UA"), "HA")),
        ("carrier", lambda values: values.mask(values.index % 10 == 0, "ZZ")),
        ("carrier", lambda values: values.mask(values.index % 10 == 0)),
        ("weekend", lambda values: ~values),
        ("gust", lambda values: values.mask(values.index % 4 == 0)),
        ("gust", lambda values: values.fillna(0.0)),
    ],
    ids=[
        "half a deviation up",
        "half a deviation down",
        "twice the variance",
        "half the variance",
        "rain on a fifth of the days",
        "a category's share up by 0.12",
        "a new category",
        "text that is missing",
        "booleans the other way round",
        "more numbers missing",
        "none missing any more",
    ],
)
def test_a_week_that_moved_flags_the_column_that_moved_and_no_other(profiles, week, name: str, change) -> None:
    assert flagged(profiles, week.assign(**{name: change(week[name])})) == [name]


def test_a_shift_too_small_to_matter_is_not_flagged_however_sure_it_is() -> None:
    from scipy.special import ndtri

    rows = 1_000_000
    edges = tuple(float(edge) for edge in ndtri(np.arange(1, 10) / 10))
    column = ColumnProfile("x", FEATURE, edges, None, (rows // 10,) * 10 + (0,), (0.001,) * WEEKS)
    (found,) = measure_drift([column], {"x": pd.Series(ndtri((np.arange(rows) + 0.5) / rows) + 0.01)}, RULE)
    assert found.p_value < 1e-6
    assert not found.flagged
    assert 0.5e-4 < found.effect < 1e-4  # about the square of the shift in deviations


def test_a_shift_that_chance_may_explain_is_not_flagged_however_large_it_is() -> None:
    column, rule = column_of((0.01,) * WEEKS), DriftRule(min_rows=10)
    few, many = ({"x": pd.Series([-1.0] * (3 * rows) + [1.0] * (7 * rows))} for rows in (1, 100))
    assert measured([column], few, rule)["x"].effect > RULE.floor
    assert (flagged([column], few, rule), flagged([column], many, rule)) == ([], ["x"])


def test_a_shift_that_training_weeks_made_too_is_not_flagged() -> None:
    now = {"x": pd.Series([-1.0] * 300 + [1.0] * 700)}
    assert flagged([column_of((0.02,) * WEEKS)], now) == ["x"]
    assert flagged([column_of((0.02,) * WEEKS + (0.9,))], now) == []


def test_the_p_value_is_adjusted_for_all_columns() -> None:
    now = pd.Series([-1.0] * 410 + [1.0] * 590)
    alone = measured([column_of((0.01,) * WEEKS)], {"x": now})["x"]
    others = [ColumnProfile(f"y{n}", FEATURE, (0.0,), None, (1000, 1000, 0), (0.01,) * WEEKS) for n in range(19)]
    among = measured([column_of((0.01,) * WEEKS), *others], {"x": now})["x"]
    assert among.p_value == pytest.approx(20 * alone.p_value)


def test_a_new_category_is_named_as_what_moved(profiles, week) -> None:
    column = measured(profiles, week.assign(carrier="ZZ"))["carrier"]
    assert column.moved == "never seen: 0% → 100%"


def test_missing_and_new_values_are_named_whatever_else_moved_more(profiles, week) -> None:
    missing = week.assign(number=week["number"].mask(week.index % 10 < 3))
    assert measured(profiles, missing)["number"].moved == "missing: 0% → 30%"
    new = week["carrier"].mask(week.index % 10 == 0, "ZZ").mask(week["carrier"] == "UA", "B6")
    moved = measured(profiles, week.assign(carrier=new))["carrier"].moved
    assert (moved.split(":")[0], moved.split(", ")[1].split("→")[0]) == ("B6", "never seen: 0% ")


# Windows that resemble their neighbours


def test_windows_that_resemble_their_neighbours_allow_more() -> None:
    mixed = (0.1, 0.4, 0.15, 0.35, 0.12, 0.38, 0.14, 0.3)
    ordered = tuple(sorted(mixed))
    assert column_of(ordered).limit(RULE) > 1.1 * column_of(mixed).limit(RULE)
    assert column_of(ordered).limit(RULE) == pytest.approx(column_of(ordered[::-1]).limit(RULE))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 3), min_size=3, max_size=12))
def test_no_limit_is_below_any_of_its_windows(strayed) -> None:
    limit = column_of(tuple(strayed)).limit(RULE)
    assert limit >= max(RULE.floor, *strayed)


# Within slices


def sliced(seed: int, rows: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return rows_of(seed, rows).assign(airport=random.choice(["EWR", "JFK", None], size=rows))


def test_a_column_that_moved_in_one_slice_is_named_with_it() -> None:
    before, now = sliced(1, WEEKS * ROWS), sliced(2, 2 * ROWS)
    profiles = profiles_of(before[["number", "carrier", "airport"]])
    inside = now["airport"] == "EWR"
    now = now.assign(number=now["number"] + inside)
    found = drift_within(profiles, before, now, ["airport"], RULE)
    assert [(part.column, part.slice, part.rows) for part in found] == [("number", "airport=EWR", inside.sum())]
    assert found[0].moved.startswith("1.") and " or more: 10% → " in found[0].moved  # noqa: PT018
    index = [index_of(*(profiles[0].histogram(side["number"][side["airport"] == "EWR"]) for side in (before, now)))]
    assert found[0].effect == pytest.approx(index[0], abs=0.05)


def test_quiet_slices_small_slices_and_columns_that_are_not_there_name_nothing() -> None:
    before, now = sliced(1, WEEKS * ROWS), sliced(2, 2 * ROWS)
    profiles = profiles_of(before[["number", "carrier"]])
    assert drift_within(profiles, before, now, ["airport", "moon"], RULE) == ()
    moved = now.assign(number=9.0)
    assert len(drift_within(profiles, before, moved, ["airport"], RULE)) == 3  # EWR, JFK and missing
    assert drift_within(profiles, before, moved, ["airport"], DriftRule(min_slice_rows=501)) == ()
    assert drift_within(profiles, before, moved.drop(columns="number"), ["airport"], RULE) == ()


def test_a_constant_column_is_flagged_when_it_changes_either_way() -> None:
    column = profile_column("x", FEATURE, pd.Series([5.0] * 5000), PERIOD)
    for value, expected in ((5.0, []), (4.9, ["x"]), (5.1, ["x"])):
        assert flagged([column], {"x": pd.Series([value] * ROWS)}) == expected


@pytest.mark.parametrize("dtype", [float, object])
def test_a_column_of_missing_values_is_flagged_when_there_are_some(dtype) -> None:
    column = profile_column("x", FEATURE, pd.Series([None] * 5000, dtype=dtype), PERIOD)
    assert flagged([column], {"x": pd.Series([None] * ROWS, dtype=dtype)}) == []
    assert flagged([column], {"x": pd.Series([1.0] * ROWS, dtype=dtype)}) == ["x"]


def test_a_column_that_is_missing_altogether_is_flagged(profiles, week) -> None:
    assert flagged(profiles, week.assign(number=np.nan)) == ["number"]
    assert flagged(profiles, week.assign(carrier=None)) == ["carrier"]


def test_a_column_that_the_week_has_not_has_no_rows_and_one_that_training_had_not_is_not_looked_at(profiles, week):
    found = measured(profiles, week.drop(columns="number").assign(gossip="x"))
    assert (found["number"].rows, found["number"].effect, found["number"].flagged) == (0, 0.0, False)
    assert sorted(found) == sorted(profile.name for profile in profiles)


def test_the_column_furthest_above_its_limit_comes_first(profiles, week) -> None:
    found = measure_drift(profiles, week.assign(number=week["number"] + 0.5, gust=week["gust"] + 5), RULE)
    assert [column.name for column in found][:2] == ["gust", "number"]
    assert found[0].ratio > found[1].ratio > 1
    assert found[0].ratio == found[0].effect / found[0].limit
