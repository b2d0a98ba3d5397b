"""The feature views: which columns of which dataset are features, of what, and for how long a value counts.

A source's timestamp is the instant at which its values became known, and never the instant that they are about. Feature
names are unique over all views and differ from every join key, because a joined row holds them side by side: hence
`airline` and `from_airport`, the same values as the keys `carrier` and `origin`.
"""

from datetime import timedelta

from entities import airport, carrier, flight, plane, route
from feast import FeatureView, Field, FileSource
from feast.types import Float64, Int64, String

from ops_pipelines.adapters.project import lake_files

FOR_EVER = timedelta(0)

schedule = FeatureView(
    name="schedule",
    description="What the timetable says of a flight; hour and weekday are local to the origin",
    entities=[flight],
    source=FileSource(name="flights", path=lake_files("flights"), timestamp_field="published_at"),
    ttl=timedelta(days=2),
    schema=[
        Field(name="flight_id", dtype=String),
        Field(name="airline", dtype=String),
        Field(name="from_airport", dtype=String),
        Field(name="distance", dtype=Float64),
        Field(name="departure_hour", dtype=Int64),
        Field(name="departure_weekday", dtype=Int64),
    ],
)

weather_at_origin = FeatureView(
    name="weather_at_origin",
    description="The last observation at the airport of departure",
    entities=[airport],
    source=FileSource(name="weather", path=lake_files("weather"), timestamp_field="known_at"),
    ttl=timedelta(hours=6),
    schema=[
        Field(name="origin", dtype=String),
        Field(name="temperature", dtype=Float64),
        Field(name="dew_point", dtype=Float64),
        Field(name="humidity", dtype=Float64),
        Field(name="wind_speed", dtype=Float64),
        Field(name="precipitation", dtype=Float64),
        Field(name="pressure", dtype=Float64),
        Field(name="visibility", dtype=Float64),
    ],
)

aircraft = FeatureView(
    name="aircraft",
    description="The year in which a plane was built, and its seats",
    entities=[plane],
    source=FileSource(name="aircraft", path=lake_files("aircraft"), timestamp_field="known_at"),
    ttl=FOR_EVER,
    schema=[
        Field(name="tailnum", dtype=String),
        Field(name="aircraft_year", dtype=Int64),
        Field(name="seats", dtype=Int64),
    ],
)

carrier_delays = FeatureView(
    name="carrier_delays",
    description="How late an airline's latest arrivals were, as known when the last of them landed",
    entities=[carrier],
    source=FileSource(name="carrier_delays", path=lake_files("carrier_delays"), timestamp_field="landed_at"),
    ttl=timedelta(hours=24),
    schema=[
        Field(name="carrier", dtype=String),
        Field(name="carrier_late_share", dtype=Float64),
        Field(name="carrier_mean_delay", dtype=Float64),
    ],
)

route_delays = FeatureView(
    name="route_delays",
    description="How late the latest arrivals on a route were, as known when the last of them landed",
    entities=[route],
    source=FileSource(name="route_delays", path=lake_files("route_delays"), timestamp_field="landed_at"),
    ttl=timedelta(days=7),
    schema=[
        Field(name="route", dtype=String),
        Field(name="route_late_share", dtype=Float64),
        Field(name="route_mean_delay", dtype=Float64),
    ],
)

origin_delays = FeatureView(
    name="origin_delays",
    description="How late the latest arrivals from an airport were, as known when the last of them landed",
    entities=[airport],
    source=FileSource(name="origin_delays", path=lake_files("origin_delays"), timestamp_field="landed_at"),
    ttl=timedelta(hours=24),
    schema=[
        Field(name="origin", dtype=String),
        Field(name="origin_late_share", dtype=Float64),
        Field(name="origin_mean_delay", dtype=Float64),
    ],
)
