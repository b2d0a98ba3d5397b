"""Weeks arrive when the clock says that they have passed, and one that fails is asked for again."""

from datetime import datetime, timedelta


def look(shop):
    (tick,) = [tick for tick in shop.daemon.tick_sensors() if tick.sensor == "arrivals"]
    return tick


def test_weeks_arrive_in_turn_and_one_that_fails_is_asked_for_three_times(shop):
    first, second, *_ = shop.weeks
    shop.daemon.start_sensors(shop.upstream, "arrivals")
    shop.platform.clock.set(datetime.fromisoformat(f"{second}T00:00:00+00:00") + timedelta(weeks=1))
    shop.deliver(second, shop.good)
    asked = [look(shop).runs[0] for _ in range(4)]
    assert [run.partition_key for run in asked] == [first, first, first, second]
    assert [run.status for run in asked] == ["FAILURE"] * 3 + ["SUCCESS"]
    assert f"loading {first} failed 3 times" in look(shop).skip_reason
    shop.arrive(first)
    assert "every week that has passed is there" in look(shop).skip_reason
