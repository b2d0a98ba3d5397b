"""One view: the swell that was forecast for each call."""

from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from ops_pipelines.adapters.project import lake_files

call = Entity(name="call", join_keys=["call_id"], value_type=ValueType.STRING)
forecast = FeatureView(
    name="forecast",
    entities=[call],
    ttl=timedelta(days=2),
    source=FileSource(name="calls", path=lake_files("calls"), timestamp_field="published_at"),
    schema=[Field(name="call_id", dtype=String), Field(name="swell", dtype=Float64)],
)
berth_delay = FeatureService(name="berth_delay", features=[forecast])
