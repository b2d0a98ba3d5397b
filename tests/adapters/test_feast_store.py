"""Feast's registry and online store behind our four verbs."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.feast_repo import open_feast
from ops_pipelines.adapters.feast_store import EARLIEST, FeastStore
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ConfigError, DataError, NoAcceptedData, SchemaMismatch


def at(week: int, hours: float = 0) -> datetime:
    return datetime(2013, 1, 7, tzinfo=UTC) + timedelta(weeks=week - 1, hours=hours)


def week(number: int) -> Window:
    return Window(at(number), at(number + 1))


def level(store: FeastStore, sensor: str, asked_at: datetime) -> float | None:
    return store.online("levels", [{"sensor_id": sensor}], asked_at=asked_at)[0]["level"]


def test_an_unknown_service_names_the_nearest_one(store):
    with pytest.raises(ConfigError, match="Did you mean 'monitor'"):
        store.service("monitr")


def test_an_unknown_view_has_no_watermark_but_an_error(store):
    with pytest.raises(ConfigError, match="Did you mean 'readings'"):
        store.watermark("reading")


def test_nothing_is_known_before_the_first_apply(project):
    with pytest.raises(ConfigError, match=r"None is known.*applied first"):
        FeastStore(project).service("monitor")


def test_a_refresh_loads_what_can_still_count_at_the_end_of_its_window(store):
    places, readings = store.refresh("monitor", week(2))
    assert (readings.start, readings.end, readings.watermark_before) == (at(3) - timedelta(days=1), at(3), None)
    assert (places.start, store.watermark("places")) == (EARLIEST, at(3))
    assert [level(store, sensor, at(3)) for sensor in "ab"] == [2.0, 2.0]


def test_a_later_refresh_goes_on_from_there(store):
    store.refresh("monitor", week(1))
    _, readings = store.refresh("monitor", week(2))
    assert (readings.start, readings.end, readings.watermark_before) == (at(3) - timedelta(days=1), at(3), at(2))


def test_a_backfill_of_an_old_week_leaves_newer_values_online(store, write_readings):
    store.refresh("levels", week(3))
    write_readings(1, ("a", 160, -1.0, 1), ("b", 160, -1.0, 1))
    (refresh,) = store.refresh("levels", week(1))
    assert refresh.end == store.watermark("readings") == at(4)
    assert (level(store, "a", at(4)), level(store, "b", at(4))) == (3.0, None)


def test_a_correction_is_seen_where_nothing_newer_is_known(store, write_readings):
    store.refresh("levels", week(2))
    write_readings(2, ("b", 160, -2.0, 2))
    store.refresh("levels", week(1))
    assert level(store, "b", at(3)) == -2.0


def test_what_counts_for_ever_is_loaded_once_while_its_dataset_is_unchanged(store):
    first = store.refresh("monitor", week(1), unchanged=["places"])
    second = store.refresh("monitor", week(2), unchanged=["places"])
    third = store.refresh("monitor", week(3))
    assert [[view.view for view in views] for views in (first, second, third)] == [
        ["places", "readings"],
        ["readings"],
        ["places", "readings"],
    ]


def test_what_an_unchanged_dataset_says_of_a_later_week_is_loaded_in_that_week(store):
    file = store.project.home / "lake" / "places" / "-" / "data.parquet"
    table = pq.read_table(file)
    moved = pa.array([at(-50), at(2, 5)], table.schema.field("moved_at").type)
    pq.write_table(table.set_column(1, "moved_at", moved), file)
    weeks = [{view.view for view in store.refresh("monitor", week(n), unchanged=["places"])} for n in (1, 2, 3)]
    assert weeks == [{"places", "readings"}, {"places", "readings"}, {"readings"}]
    assert store.online("monitor", [{"sensor_id": "b"}], asked_at=at(4))[0]["room"] == "attic"


def test_a_refresh_takes_nothing_from_after_its_window(store):
    store.refresh("levels", week(2))
    assert level(store, "a", at(3)) == 2.0
    assert store.watermark("readings") == at(3)


def test_an_expired_value_and_one_from_the_future_are_missing_online(store):
    store.refresh("monitor", week(3))
    known = at(3, 160)
    limit = known + timedelta(days=1)
    asked = [limit, limit + timedelta(seconds=1), known, known - timedelta(seconds=1)]
    assert [level(store, "a", instant) for instant in asked] == [3.0, None, 3.0, None]
    rows = [{"sensor_id": "a"}, {"sensor_id": "b"}]
    assert [row["room"] for row in store.online("monitor", rows, asked_at=at(90))] == ["hall", "attic"]


def test_what_was_loaded_is_read_as_of_the_latest_watermark_with_when_it_became_known(store):
    assert store.loaded("monitor", [{"sensor_id": "a"}]) is None
    store.refresh("monitor", week(3))
    loaded = store.loaded("monitor", [{"sensor_id": "a"}, {"sensor_id": None}])
    assert (loaded.until, loaded.service) == (at(4), store.service("monitor"))
    assert loaded.vectors.column("level").to_pylist() == [3.0, None]
    assert loaded.vectors.column("readings__known_at").to_pylist() == [at(3, 160), None]
    assert loaded.vectors.column("places__known_at").to_pylist() == [at(-50), None]
    assert store.loaded("monitor", []).vectors.num_rows == 0


def test_a_value_known_since_1970_counts_for_ever(store):
    file = store.project.home / "lake" / "places" / "-" / "data.parquet"
    table = pq.read_table(file)
    always = pa.array([datetime(1970, 1, 1, tzinfo=UTC)] * table.num_rows, table.schema.field("moved_at").type)
    pq.write_table(table.set_column(1, "moved_at", always), file)
    store.refresh("monitor", week(3))
    assert store.online("monitor", [{"sensor_id": "a"}], asked_at=at(4))[0]["room"] == "hall"


def test_a_refresh_that_was_killed_leaves_its_view_readable(store):
    from feast.feature_view import FeatureViewState

    store.refresh("levels", week(3))
    feast = open_feast(store.project)
    view = feast.get_feature_view("readings")
    view.state = FeatureViewState.MATERIALIZING
    feast.registry.apply_feature_view(view, feast.project)
    assert level(store, "a", at(4)) == 3.0
    store.refresh("levels", week(3))


def test_an_unknown_and_a_missing_key_find_nothing_online(store, write_readings):
    write_readings(3, ("a", 160, 3.0, 3), ("", 160, 4.0, 4))
    store.refresh("monitor", week(3))
    rows = [{"sensor_id": None}, {"sensor_id": "nobody"}, {"sensor_id": "a"}]
    assert [row["level"] for row in store.online("monitor", rows, asked_at=at(4))] == [None, None, 3.0]
    assert store.online("monitor", rows[:1], asked_at=at(4)) == [{"room": None, "count": None, "level": None}]
    assert store.online("monitor", [], asked_at=at(4)) == []


def test_a_row_without_a_join_key_is_refused(store):
    with pytest.raises(DataError, match="Did you mean 'sensorid'"):
        store.online("monitor", [{"sensorid": "a"}], asked_at=at(4))


def test_a_view_without_data_is_not_refreshed_in_silence(store):
    shutil.rmtree(store.project.home / "lake" / "places")
    with pytest.raises(NoAcceptedData, match="Materialize 'places' first"):
        store.refresh("monitor", week(1))
    assert store.watermark("readings") is None


def test_nanoseconds_are_refused_before_duckdb_trips_over_them(store):
    file = store.project.home / "lake" / "readings" / "week-2" / "data.parquet"
    table = pq.read_table(file)
    nanoseconds = table.column("known_at").cast(pa.timestamp("ns", tz="UTC"))
    pq.write_table(table.set_column(1, "known_at", nanoseconds), file)
    with pytest.raises(SchemaMismatch, match=r"week-2.*timestamp\[ns, tz=UTC\]"):
        store.refresh("levels", week(1))


def test_a_column_that_the_data_lack_is_named(store):
    file = store.project.home / "lake" / "readings" / "week-1" / "data.parquet"
    pq.write_table(pq.read_table(file).rename_columns(["sensor_id", "known_at", "levl", "count"]), file)
    with pytest.raises(SchemaMismatch, match="Did you mean 'levl'"):
        store.refresh("levels", week(1))


def test_values_of_another_type_are_an_error_that_names_view_and_dataset(store):
    file = store.project.home / "lake" / "readings" / "week-1" / "data.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(2, "level", pa.array(["high"] * 3)), file)
    with pytest.raises(DataError, match="cannot load view 'readings' from dataset 'readings'"):
        store.refresh("levels", week(1))


def test_applying_again_changes_nothing_and_keeps_what_was_loaded(store):
    store.refresh("monitor", week(3))
    before = store.service("monitor")
    assert store.apply() == store.apply()
    assert (store.service("monitor"), store.watermark("readings")) == (before, at(4))
    assert level(store, "a", at(4)) == 3.0


def test_a_new_feature_is_loaded_by_the_next_refresh_of_any_week(store, change):
    store.refresh("levels", week(3))
    assert store.online("levels", [{"sensor_id": "a"}], asked_at=at(4)) == [{"level": 3.0}]
    change(store.project, "services", '[["level"]]', '[["level", "count"]]')
    store.apply()
    store.refresh("levels", week(3))
    assert store.online("levels", [{"sensor_id": "a"}], asked_at=at(4)) == [{"count": 3, "level": 3.0}]


def test_a_view_that_leaves_the_repo_leaves_the_registry(store, change):
    file = store.project.feature_repo / "sensors.py"
    file.write_text(file.read_text().partition("places = ")[0])
    change(store.project, "services", "places, readings", "readings")
    change(store.project, "services", "[readings, places]", "[readings]")
    store.apply()
    assert [table.name for table in store.service("monitor").tables] == ["readings"]
    with pytest.raises(ConfigError, match="No feature view 'places'"):
        store.watermark("places")


def test_what_feast_refuses_is_a_config_error(project):
    file = project.feature_repo / "sensors.py"
    again = "\nagain = FeatureView(name='readings', entities=[sensor], source=readings.batch_source)\n"
    file.write_text(file.read_text() + again)
    with pytest.raises(ConfigError, match=r"Feast refuses the definitions in .*readings"):
        FeastStore(project).apply()


def test_a_refresh_prints_nothing(store, capfd):
    store.refresh("monitor", week(3))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("held", "act"),
    [
        ("LOCK_SH", lambda store: store.refresh("levels", week(1))),
        ("LOCK_SH", lambda store: store.apply()),
        ("LOCK_EX", lambda store: store.service("levels")),
    ],
    ids=["a refresh waits for readers", "apply waits for readers", "a reader waits for writers"],
)
def test_processes_wait_for_each_other(store, held, act):
    folder = store.project.home / "features"
    holder = (
        f"import fcntl, pathlib, time; f = open('.lock', 'a'); fcntl.flock(f, fcntl.{held}); print('held', flush=True); "
        "time.sleep(0.5); pathlib.Path('released').touch()"
    )
    with subprocess.Popen([sys.executable, "-c", holder], cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        act(store)
        assert (folder / "released").exists()
