"""How late flights have been lately, known at each landing.

One row for each landing of a carrier, route or origin, over the landings of the hours before it: a value exists at the
instant it became known and not before, and the feature view's time to live says for how long it counts.
"""

from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def carrier_delays(start: datetime, end: datetime, landings: "pa.Table") -> "pa.Table":
    """The share of late arrivals and the mean delay (minutes) of a carrier over 24 hours."""
    return _rolling(landings, of="carrier", hours=24, start=start, end=end)


def route_delays(start: datetime, end: datetime, landings: "pa.Table") -> "pa.Table":
    """The same of a route over seven days."""
    return _rolling(landings, of="route", hours=168, start=start, end=end)


def origin_delays(start: datetime, end: datetime, landings: "pa.Table") -> "pa.Table":
    """The same of an airport of departure over six hours."""
    return _rolling(landings, of="origin", hours=6, start=start, end=end)


def _rolling(landings: "pa.Table", *, of: str, hours: int, start: datetime, end: datetime) -> "pa.Table":
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("landings", landings)
        return connection.sql(
            f"""SELECT DISTINCT {of}, landed_at, avg(late::INT) OVER recent AS {of}_late_share,
                       avg(arrival_delay) OVER recent AS {of}_mean_delay
                FROM landings
                WINDOW recent AS (PARTITION BY {of} ORDER BY landed_at
                                  RANGE BETWEEN INTERVAL {hours} HOURS PRECEDING AND CURRENT ROW)
                QUALIFY landed_at >= $start AND landed_at < $end""",
            params={"start": start, "end": end},
        ).to_arrow_table()
