"""One view: the wind that was forecast for each trip."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from ops_pipelines.adapters.project import lake_files

trip = Entity(name="trip", join_keys=["trip_id"], value_type=ValueType.STRING)
forecast = FeatureView(
    name="forecast",
    entities=[trip],
    ttl=timedelta(days=2),
    source=FileSource(name="trips", path=lake_files("trips"), timestamp_field="published_at"),
    schema=[Field(name="trip_id", dtype=String), Field(name="wind", dtype=Float64)],
)
trip_delay = FeatureService(name="trip_delay", features=[forecast])
