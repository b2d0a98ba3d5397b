from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops import parity as p
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.parity import FeatureParity, compare_vectors, judge_parity

NOON = datetime(2013, 3, 12, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")
WEATHER = FeatureTable("weather", "weather", ("origin",), "known_at", ("wind", "sky"), timedelta(hours=6))
SERVICE = FeatureService("delay", (WEATHER,))

WINDS = st.none() | st.floats(allow_infinity=True, allow_nan=True)
SKIES = st.none() | st.sampled_from(["clear", "rain"])
KNOWN = st.none() | st.integers(-9, 3).map(lambda hours: NOON + hours * HOUR)
ROWS = st.lists(st.tuples(WINDS, SKIES, KNOWN), min_size=1, max_size=8)


def vectors(rows) -> pa.Table:
    """Entities e0, e1, ... with wind, sky and when they became known."""
    winds, skies, known = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {
            "origin": pa.array([f"e{n}" for n in range(len(rows))], pa.string()),
            "wind": pa.array(winds, pa.float64()),
            "sky": pa.array(skies, pa.string()),
            "weather__known_at": pa.array(known, INSTANT),
        }
    )


def compared(offline, online, sources=()) -> tuple[FeatureParity, ...]:
    return compare_vectors(
        vectors(offline), vectors(online), service=SERVICE, asked_at=NOON, sources={"weather": sources}
    )


def kind_of(offline, online) -> str:
    (wind, _) = compared([offline], [online])
    (kind,) = wind.cells
    return kind


@settings(deadline=None, max_examples=50)  # the first example imports pyarrow
@given(ROWS, ROWS)
def test_every_entity_and_feature_is_counted_once_and_a_table_differs_as_often_whichever_side_it_stands_on(a, b):
    both = min(len(a), len(b))
    there, back = compared(a[:both], b[:both]), compared(b[:both], a[:both])
    for one in (*there, *back):
        assert one.compared == sum(one.cells.values()) == both
        assert set(one.cells) <= {p.EQUAL, *p.KINDS}
        assert (one.example is None) == (one.differing == 0)
    assert [one.differing for one in there] == [one.differing for one in back]


@settings(deadline=None, max_examples=50)
@given(ROWS)
def test_the_same_vectors_pass(rows):
    # a value that nobody knows when to have become known is no value that a store serves
    rows = [(wind, sky, known) if known else (None, None, None) for wind, sky, known in rows]
    assert judge_parity(compared(rows, rows)) == Passed({"entities": len(rows), "cells": 2 * len(rows), "differing": 0})


@settings(deadline=None, max_examples=50)
@given(ROWS, st.data())
def test_any_planted_difference_blocks_and_names_its_feature_and_entity(rows, data):
    rows = [(wind, sky, known or NOON) for wind, sky, known in rows]
    row = data.draw(st.integers(0, len(rows) - 1))
    rows[row] = (1.0, "clear", NOON)
    planted = data.draw(st.sampled_from([(1.1, "clear", NOON), (None, "clear", NOON), (1.0 + 1e-8, "clear", NOON)]))
    verdict = judge_parity(compared(rows, [planted if n == row else one for n, one in enumerate(rows)]))
    assert isinstance(verdict, Blocked)
    assert len(verdict.reasons) == verdict.evidence["differing"] == 1
    assert verdict.reasons[0].startswith(f"wind: 1 of {len(rows)} differ (1 ")
    assert f"origin=e{row} has 1.0 offline" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("offline", "online", "kind"),
    [
        ((1.0, "rain", NOON), (1.0 + 1e-10, "rain", NOON), p.EQUAL),
        ((None, "rain", NOON), (float("nan"), "rain", NOON), p.EQUAL),
        (
            (None, None, None),
            (None, None, NOON - 9 * HOUR),
            p.EQUAL,
        ),  # both say nothing, whatever the store still holds
        ((1.0, "rain", NOON), (None, None, None), p.MISSING),
        ((1.0, "rain", NOON), (None, "rain", NOON), p.MISSING),
        ((1.0, "rain", NOON), (2.0, "rain", NOON - 3 * HOUR), p.STALE),
        ((1.0, "rain", NOON), (1.0, "rain", NOON - 3 * HOUR), p.STALE),  # today's value agrees by luck
        ((1.0, "rain", NOON), (None, None, NOON - 9 * HOUR), p.STALE),  # so old that it is not served
        ((None, None, NOON - 7 * HOUR), (1.0, "rain", NOON - 7 * HOUR), p.EXPIRED),
        ((1.0, "rain", NOON), (2.0, "rain", NOON + HOUR), p.FUTURE),
        ((1.0, "rain", NOON), (2.0, "rain", NOON), p.CHANGED),
        ((None, "rain", NOON), (2.0, "rain", NOON), p.CHANGED),
        ((1.0, "rain", NOON - HOUR), (2.0, "rain", NOON), p.NOT_IN_LAKE),
        ((None, None, None), (2.0, "rain", NOON), p.NOT_IN_LAKE),
    ],
)
def test_each_kind_of_difference_has_its_name(offline, online, kind):
    assert kind_of(offline, online) == kind


def test_a_stale_value_is_told_with_when_either_side_knew_it():
    (wind, _) = compared([(1.0, "rain", NOON)], [(2.0, "rain", NOON - 3 * HOUR)])
    assert judge_parity([wind]).reasons == (
        "wind: 1 of 1 differ (1 stale online); origin=e0 has 1.0 offline (known since 2013-03-12 12:00:00, "
        "0.0 h old) and 2.0 online (known since 2013-03-12 09:00:00, 3.0 h old)",
    )


def test_no_entity_is_no_pass():
    assert isinstance(judge_parity(compared([], [])), NotEvaluated)
    assert isinstance(judge_parity(()), NotEvaluated)


def test_sides_of_different_length_are_refused():
    with pytest.raises(DataError, match="2 offline vectors and 1 online"):
        compared([(1.0, "rain", NOON)] * 2, [(1.0, "rain", NOON)])


def test_whole_numbers_are_compared_exactly_where_floats_could_not_tell_them_apart():
    table = FeatureTable("planes", "planes", ("tail",), "known_at", ("seats",), None)
    sides = [
        pa.table({"tail": ["a"], "seats": [seats], "planes__known_at": pa.array([NOON], INSTANT)})
        for seats in (2**60, 2**60 + 1)
    ]
    (seats,) = compare_vectors(*sides, service=FeatureService("s", (table,)), asked_at=NOON, sources={})
    assert seats.cells == {p.CHANGED: 1}


@pytest.fixture
def lake(tmp_path: Path) -> list[str]:
    """A day of hourly weather for eight airports, no two rows alike."""
    rows = [(f"e{n}", NOON - hour * HOUR, 100.0 * n + hour) for n in range(8) for hour in range(-10, 24)]
    origins, known, winds = zip(*rows, strict=True)
    columns = {"origin": origins, "known_at": pa.array(known, INSTANT), "wind": winds, "sky": ["clear"] * len(rows)}
    pq.write_table(pa.table(columns), tmp_path / "weather.parquet")
    return [str(tmp_path / "weather.parquet")]


def held(hour: int, *, said: float = 0) -> list[tuple[float, str, datetime]]:
    """For each airport the row that became known `hour` hours ago, under an instant that many hours later than it was."""
    return [(100.0 * n + hour, "clear", NOON - (hour - said) * HOUR) for n in range(8)]


@pytest.mark.parametrize("shift", [-14, -5, -1, 1, 4, 12])
def test_a_shifted_clock_is_told_with_its_hours(lake, shift):
    # what the store holds was cut off at noon by its own clock
    wind, sky = compared(held(0), held(max(shift, 0), said=shift), lake)
    if shift > 0:  # by its own clock it is as new as the lake's, and has another value
        assert (wind.cells, wind.kinds()) == ({p.SHIFTED: 8}, f"8 shifted by whole hours ({shift:+d} h)")
        assert sky.cells == {p.EQUAL: 8}
    else:
        assert wind.cells == ({p.SHIFTED: 8} if shift >= -6 else {p.EXPIRED: 8})


def test_a_store_that_is_hours_behind_is_stale_and_not_shifted(lake):
    wind, sky = compared(held(0), held(4), lake)
    assert (wind.cells, sky.cells) == ({p.STALE: 8}, {p.STALE: 8})


def test_a_changed_transformation_is_not_taken_for_a_shift(lake):
    wind, sky = compared(held(0), [(value * 1.609, text, known) for value, text, known in held(0)], lake)
    assert (wind.cells, sky.cells) == ({p.CHANGED: 7, p.EQUAL: 1}, {p.EQUAL: 8})  # nought miles are nought kilometres
