from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.freshness import ViewAge, judge_freshness, measure_ages

NOON = datetime(2013, 3, 12, 12, tzinfo=UTC)
WEATHER = FeatureTable("weather", "weather", ("origin",), "known_at", ("wind",), timedelta(hours=6))
PLANES = FeatureTable("planes", "planes", ("tail",), "known_at", ("seats",), None)
HOURS = st.lists(st.none() | st.floats(0, 1000).map(lambda hours: round(hours, 3)), min_size=1, max_size=12)


def ages(*hours: float | None, table: FeatureTable = WEATHER, **limits: float) -> tuple[ViewAge, ...]:
    """The ages of a view whose entities' values became known so many hours ago."""
    known = [None if ago is None else NOON - timedelta(hours=ago) for ago in hours]
    online = pa.table({table.known_at: pa.array(known, pa.timestamp("us", tz="UTC"))})
    return measure_ages(online, service=FeatureService("delay", (table,)), asked_at=NOON, limits=limits)


@settings(deadline=None)  # the first example imports pyarrow
@given(HOURS)
def test_ages_are_those_of_numpy_over_what_the_store_holds(hours):
    (age,) = ages(*hours)
    held = [ago for ago in hours if ago is not None]
    assert age.missing == pytest.approx(1 - len(held) / len(hours))
    assert age.expired == pytest.approx(sum(ago > 6 for ago in held) / len(hours))
    if held:
        assert (age.newest_hours, age.oldest_hours) == (pytest.approx(min(held)), pytest.approx(max(held)))
        assert age.median_hours == pytest.approx(np.median(held))
        assert age.p95_hours == pytest.approx(np.percentile(held, 95))


def test_a_view_is_as_fresh_as_its_newest_value():
    assert judge_freshness(ages(1, 100, None)) == Passed({"weather": 1.0})


def test_a_view_whose_newest_value_has_expired_has_lost_its_feed():
    verdict = judge_freshness(ages(6.5, 100))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("weather: the newest of 2 entities' values is 6.5 h old, and 6.0 h are allowed",)


def test_a_limit_may_be_shorter_than_the_time_to_live_and_is_inclusive():
    assert isinstance(judge_freshness(ages(2, weather=2)), Passed)
    assert isinstance(judge_freshness(ages(2.001, weather=2)), Blocked)


def test_what_counts_for_ever_may_be_of_any_age_unless_a_limit_is_named():
    assert judge_freshness(ages(9000, table=PLANES)) == Passed({})
    assert isinstance(judge_freshness(ages(9000, table=PLANES, planes=24)), Blocked)


def test_a_view_that_holds_nothing_cannot_be_judged():
    assert judge_freshness(ages(None)) == NotEvaluated("the online store holds no value of weather", {"weather": None})
    assert isinstance(judge_freshness(()), NotEvaluated)


def test_a_limit_of_an_unknown_view_names_the_nearest_one():
    with pytest.raises(ConfigError, match="Did you mean 'weather'"):
        ages(1, wether=2)
