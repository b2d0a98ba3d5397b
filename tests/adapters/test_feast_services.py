from datetime import timedelta

import pytest

from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.feature_set import FeatureTable


def test_a_service_is_translated_with_dataset_key_timestamp_and_time_to_live(store):
    places, readings = store.service("monitor").tables
    assert readings == FeatureTable(
        "readings", "readings", ("sensor_id",), "known_at", ("count", "level"), timedelta(days=1)
    )
    assert (places.dataset, places.timestamp, places.ttl) == ("places", "moved_at", None)


def test_a_service_over_some_features_of_a_view_has_no_others(store):
    assert store.service("levels").features == ("level",)


def test_the_order_of_definitions_does_not_change_a_service(store, change):
    before = store.service("monitor")
    change(store.project, "services", "[readings, places]", "[places, readings]")
    assert store.apply() == (store.service("levels"), before)
    assert store.service("monitor") == before


def test_a_changed_time_to_live_and_source_are_taken_over(store, change):
    change(store.project, "sensors", "days=1", "days=3")
    change(store.project, "sensors", 'lake_files("places")', 'lake_files("rooms")')
    store.apply()
    places, readings = store.service("monitor").tables
    assert (readings.ttl, places.dataset) == (timedelta(days=3), "rooms")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('lake_files("places")', '"elsewhere/places.parquet"', "does not read a dataset of the lake.*elsewhere"),
        ('timestamp_field="moved_at"', "field_mapping={'r': 'room'}", "does not read a dataset of the lake"),
        ('name="room"', 'name="level"', "'level' of view 'readings' in service 'monitor' is also a feature"),
        ('name="room", dtype=String', 'name="sensor_id", dtype=String', "has no features"),
        ('schema=[key, Field(name="room", dtype=String)],', "", "has no features"),
    ],
)
def test_a_definition_that_the_join_cannot_answer_is_refused_at_apply(project, change, old, new, message):
    change(project, "sensors", old, new)
    with pytest.raises(ConfigError, match=message):
        FeastStore(project).apply()


def test_a_view_under_another_name_is_refused_at_apply(project, change):
    change(project, "services", "[readings, places]", '[readings.with_name("others")]')
    with pytest.raises(ConfigError, match="'monitor' takes 'readings' renamed"):
        FeastStore(project).apply()
