"""What a run writes says when it began, so that one that was given up for dead cannot write over it."""

from datetime import timedelta

import pytest

from ops_pipelines.core.errors import DataError

WEEK = "2013-01-01"


def test_a_run_that_began_earlier_cannot_write_over_a_week_and_a_later_one_can(shop):
    shop.arrive(WEEK)
    lake, made = shop.platform.lake, shop.platform.lake.good("sales", WEEK)
    earlier = made.origin.at - timedelta(hours=1)
    with pytest.raises(DataError, match="its late write is refused"):
        lake.publish(lake.read("sales", WEEK), made, began=earlier)
    assert shop.arrive(WEEK, (1.0, 2.0, 4.0)).status == "SUCCESS"
    assert lake.read("sales", WEEK).column("value").to_pylist() == [1.0, 2.0, 4.0]
