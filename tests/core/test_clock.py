from datetime import UTC, datetime, timedelta, timezone

import pytest

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError

NOON = datetime(2013, 3, 12, 12, tzinfo=UTC)


def test_the_same_instant_in_another_zone_is_the_same_in_utc() -> None:
    in_new_york = NOON.astimezone(timezone(timedelta(hours=-4)))
    assert utc(in_new_york) == NOON
    assert utc(in_new_york).isoformat() == "2013-03-12T12:00:00+00:00"


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        utc(datetime(2013, 3, 12, 12))  # noqa: DTZ001 - what the test is about


def test_a_window_keeps_its_ends() -> None:
    assert Window(NOON, NOON + timedelta(days=1)).end - NOON == timedelta(days=1)


@pytest.mark.parametrize("length", [timedelta(0), timedelta(microseconds=-1)], ids=["empty", "backwards"])
def test_a_window_that_holds_no_time_is_refused(length: timedelta) -> None:
    with pytest.raises(ConfigError, match="holds no time"):
        Window(NOON, NOON + length)


def test_a_window_compares_instants_and_not_what_clocks_show() -> None:
    eleven_in_berlin = datetime(2013, 3, 12, 11, tzinfo=timezone(timedelta(hours=1)))
    with pytest.raises(ConfigError):
        Window(NOON, eleven_in_berlin)
