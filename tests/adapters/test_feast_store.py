"""Feast's registry and online store behind our four verbs, and our join against Feast's own history."""

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.feast_store import EARLIEST, FeastStore
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ConfigError, DataError, NoAcceptedData, SchemaMismatch
from ops_pipelines.mlops.feature_set import FeatureTable, join_features

REAL_REPO = Path(__file__).parents[2] / "feature_repo"
START = datetime(2013, 1, 7, tzinfo=UTC)
INSTANT = pa.timestamp("us", tz="UTC")

SENSORS = """
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

from ops_pipelines.adapters.project import lake_files

sensor = Entity(name="sensor", join_keys=["sensor_id"], value_type=ValueType.STRING)
key = Field(name="sensor_id", dtype=String)
readings = FeatureView(
    name="readings",
    entities=[sensor],
    ttl=timedelta(days=1),
    source=FileSource(name="readings", path=lake_files("readings"), timestamp_field="known_at"),
    schema=[key, Field(name="level", dtype=Float64), Field(name="count", dtype=Int64)],
)
places = FeatureView(
    name="places",
    entities=[sensor],
    ttl=timedelta(0),
    source=FileSource(name="places", path=lake_files("places"), timestamp_field="moved_at"),
    schema=[key, Field(name="room", dtype=String)],
)
"""
SERVICES = """
from feast import FeatureService
from sensors import places, readings

monitor = FeatureService(name="monitor", features=[readings, places])
levels = FeatureService(name="levels", features=[readings[["level"]]])
"""


def at(week: int, hours: float = 0) -> datetime:
    return START + timedelta(weeks=week - 1, hours=hours)


def week(number: int) -> Window:
    return Window(at(number), at(number + 1))


def make_project(root: Path, **files: str) -> Project:
    """A project of its own, with a small feature repo; `files` replaces files of it by their stem."""
    repo = root / "feature_repo"
    repo.mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.ops]\n")
    shutil.copy(REAL_REPO / "feature_store.yaml", repo)
    for stem, text in ({"sensors": SENSORS, "services": SERVICES} | files).items():
        (repo / f"{stem}.py").write_text(text)
    return Project(root=root, home=root / ".ops", feature_repo=repo, evals=root / "evals", lock=root / "lock")


def write(project: Project, dataset: str, partition: str, table: pa.Table) -> None:
    file = project.home / "lake" / dataset / partition / "data.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)


def write_readings(project: Project, number: int, *rows: tuple[str, float, float | None, int | None]) -> None:
    """A week of readings: sensor, hours since the week began, level, count."""
    ids, hours, levels, counts = zip(*rows, strict=True)
    columns = {
        "sensor_id": pa.array(ids, pa.string()),
        "known_at": pa.array([at(number, hour) for hour in hours], INSTANT),
        "level": pa.array(levels, pa.float64()),
        "count": pa.array(counts, pa.int64()),
    }
    write(project, "readings", f"week-{number}", pa.table(columns))


def write_places(project: Project, *rows: tuple[str, datetime, str]) -> None:
    ids, moved, rooms = zip(*rows, strict=True)
    columns = {"sensor_id": pa.array(ids), "moved_at": pa.array(moved, INSTANT), "room": pa.array(rooms)}
    write(project, "places", "-", pa.table(columns))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_project(tmp_path)
    write_places(project, ("a", at(-50), "hall"), ("b", at(1), "attic"))
    return project


@pytest.fixture
def store(project: Project) -> FeastStore:
    """Three weeks of readings, applied and not refreshed."""
    write_readings(project, 1, ("a", 160, 1.0, 1), ("b", 160, 1.0, 1), ("c", 160, 1.0, 1))
    write_readings(project, 2, ("a", 160, 2.0, 2), ("b", 160, 2.0, 2))
    write_readings(project, 3, ("a", 160, 3.0, 3))
    store = FeastStore(project)
    store.apply()
    return store


def level(store: FeastStore, sensor: str, asked_at: datetime) -> float | None:
    return store.online("levels", [{"sensor_id": sensor}], asked_at=asked_at)[0]["level"]


def open_feast(project: Project, monkeypatch: pytest.MonkeyPatch):
    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    monkeypatch.setenv("OPS_HOME", str(project.home))
    settings = project.feature_repo / "feature_store.yaml"
    return FeatureStore(config=load_repo_config(project.feature_repo, settings))


def feast_history(project: Project, service: str, entities: pa.Table, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """What Feast itself answers, its rows in the order of the column `row`."""
    feast = open_feast(project, monkeypatch)
    rows = entities.to_pandas().rename(columns={"asked_at": "event_timestamp"})
    return feast.get_historical_features(rows, feast.get_feature_service(service)).to_arrow().sort_by("row")


def cells(table: pa.Table, columns: tuple[str, ...]) -> dict[str, list[object]]:
    """Columns as lists, with one sort of missing value."""
    return {
        name: [None if value != value else value for value in table.column(name).to_pylist()]  # noqa: PLR0124
        for name in columns
    }


def joined(store: FeastStore, service: str, entities: pa.Table) -> pa.Table:
    definition = store.service(service)
    lake = store.project.home / "lake"
    sources = {table.name: [str(file) for file in lake.glob(f"{table.dataset}/*/*")] for table in definition.tables}
    return join_features(entities, asked_at="asked_at", service=definition, sources=sources)


@pytest.mark.filterwarnings("ignore:.*fetch_arrow_table:DeprecationWarning")
def test_the_join_keeps_five_odd_rows_and_equals_feasts_history(store, monkeypatch):
    entities = pa.table(
        {
            "row": [0, 1, 2, 3, 4],
            "sensor_id": ["c", "a", "nobody", "a", "a"],
            "asked_at": pa.array([at(4), at(1), at(4), at(4), at(4)], INSTANT),
        }
    )
    ours = joined(store, "monitor", entities)
    assert ours.column("level").to_pylist() == [None, None, None, 3.0, 3.0]
    theirs = feast_history(store.project, "monitor", entities, monkeypatch)
    names = store.service("monitor").features
    assert cells(ours, names) == cells(theirs, names)


@pytest.fixture(scope="module")
def flights(tmp_path_factory: pytest.TempPathFactory) -> FeastStore:
    """The real feature repo over random data, applied. Instants are whole hours, so that limits are hit exactly."""
    root = tmp_path_factory.mktemp("flights")
    shutil.copytree(REAL_REPO, root / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text("[tool.ops]\n")
    project = Project(root, root / ".ops", root / "feature_repo", root / "evals", root / "lock")
    random = np.random.default_rng(7)
    store = FeastStore(project)
    service = next(service for service in store.apply() if service.name == "flight_delay")
    for table in service.tables:
        for partition, values in enumerate(np.array_split(random.permutation(10 * 24 * 21), 3)):
            write(project, table.dataset, f"part-{partition}", random_values(table, values[:500], random))
    return store


def random_values(table: FeatureTable, slots: np.ndarray, random: np.random.Generator) -> pa.Table:
    """Rows whose key and instant together are unique: each slot is one of ten keys and an hour of three weeks."""
    missing = random.random((len(table.features), len(slots))) < 0.1
    columns = {
        name: pa.array([f"{name}{slot % 10}" for slot in slots])
        if name in {"airline", "from_airport"}
        else pa.array(random.integers(0, 1000, len(slots)), mask=missing[position])
        if name in {"departure_hour", "departure_weekday", "aircraft_year", "seats"}
        else pa.array(random.normal(size=len(slots)), mask=missing[position])
        for position, name in enumerate(table.features)
    }
    keys = {key: pa.array([f"{key}-{slot % 10}" for slot in slots]) for key in table.keys}
    return pa.table(
        keys | columns | {table.timestamp: pa.array([at(1, slot // 10) for slot in slots.tolist()], INSTANT)}
    )


def random_entities(count: int) -> pa.Table:
    random = np.random.default_rng(11)
    keys = ("flight_id", "origin", "tailnum", "carrier", "route")
    hours = random.integers(-24, 24 * 24, count).tolist()
    return pa.table(
        {"row": range(count), "asked_at": pa.array([at(1, hour) for hour in hours], INSTANT)}
        | {key: [f"{key}-{number}" for number in random.integers(0, 12, count)] for key in keys}
    )


@pytest.mark.filterwarnings("ignore:.*fetch_arrow_table:DeprecationWarning")
def test_the_join_equals_feasts_history_cell_by_cell_on_random_rows_over_six_views(flights, monkeypatch):
    entities = random_entities(2000)
    ours = joined(flights, "flight_delay", entities)
    names = flights.service("flight_delay").features
    theirs = feast_history(flights.project, "flight_delay", entities, monkeypatch)
    assert cells(ours, names) == cells(theirs, names)
    assert all(0 < ours.column(name).null_count < 2000 for name in names)


def test_the_online_store_answers_what_the_join_answers_at_the_end_of_what_was_loaded(flights):
    entities = random_entities(200).drop_columns("asked_at")
    asked_at = at(4)
    flights.refresh("flight_delay", Window(at(1), asked_at))
    ours = joined(flights, "flight_delay", entities.append_column("asked_at", pa.array([asked_at] * 200, INSTANT)))
    names = flights.service("flight_delay").features
    assert flights.online("flight_delay", entities.to_pylist(), asked_at=asked_at) == ours.select(names).to_pylist()


def test_the_real_repo_offers_each_feature_once_and_none_named_like_a_key(flights):
    service = flights.service("flight_delay")
    keys = {key for table in service.tables for key in table.keys}
    assert keys == {"flight_id", "origin", "tailnum", "carrier", "route"}
    assert len(set(service.features) | keys) == len(service.features) + len(keys) == 25


def test_a_service_is_translated_with_dataset_key_timestamp_and_time_to_live(store):
    places, readings = store.service("monitor").tables
    assert readings == FeatureTable(
        "readings", "readings", ("sensor_id",), "known_at", ("count", "level"), timedelta(days=1)
    )
    assert (places.dataset, places.timestamp, places.ttl) == ("places", "moved_at", None)


def test_a_service_over_some_features_of_a_view_has_no_others(store):
    assert store.service("levels").features == ("level",)


def test_the_order_of_definitions_does_not_change_a_service(store):
    before = store.service("monitor")
    services = store.project.feature_repo / "services.py"
    services.write_text(SERVICES.replace("[readings, places]", "[places, readings]"))
    assert store.apply() == (store.service("levels"), before)
    assert store.service("monitor") == before


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


def test_a_backfill_of_an_old_week_leaves_newer_values_online(store):
    store.refresh("levels", week(3))
    write_readings(store.project, 1, ("a", 160, -1.0, 1), ("b", 160, -1.0, 1))
    (refresh,) = store.refresh("levels", week(1))
    assert refresh.end == store.watermark("readings") == at(4)
    assert (level(store, "a", at(4)), level(store, "b", at(4))) == (3.0, None)


def test_a_correction_is_seen_where_nothing_newer_is_known(store):
    store.refresh("levels", week(2))
    write_readings(store.project, 2, ("b", 160, -2.0, 2))
    store.refresh("levels", week(1))
    assert level(store, "b", at(3)) == -2.0


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


def test_a_refresh_that_was_killed_leaves_its_view_readable(store, monkeypatch):
    from feast.feature_view import FeatureViewState

    store.refresh("levels", week(3))
    feast = open_feast(store.project, monkeypatch)
    view = feast.get_feature_view("readings")
    view.state = FeatureViewState.MATERIALIZING
    feast.registry.apply_feature_view(view, feast.project)
    assert level(store, "a", at(4)) == 3.0
    store.refresh("levels", week(3))


def test_an_unknown_and_a_missing_key_find_nothing_online(store):
    write_readings(store.project, 3, ("a", 160, 3.0, 3), ("", 160, 4.0, 4))
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


def test_a_changed_time_to_live_and_source_are_taken_over(store):
    changed = SENSORS.replace("days=1", "days=3").replace('lake_files("places")', 'lake_files("rooms")')
    (store.project.feature_repo / "sensors.py").write_text(changed)
    store.apply()
    places, readings = store.service("monitor").tables
    assert (readings.ttl, places.dataset) == (timedelta(days=3), "rooms")


def test_a_new_feature_is_loaded_by_the_next_refresh_of_any_week(store):
    store.refresh("levels", week(3))
    assert store.online("levels", [{"sensor_id": "a"}], asked_at=at(4)) == [{"level": 3.0}]
    (store.project.feature_repo / "services.py").write_text(SERVICES.replace('[["level"]]', '[["level", "count"]]'))
    store.apply()
    store.refresh("levels", week(3))
    assert store.online("levels", [{"sensor_id": "a"}], asked_at=at(4)) == [{"count": 3, "level": 3.0}]


def test_a_view_that_leaves_the_repo_leaves_the_registry(store):
    (store.project.feature_repo / "sensors.py").write_text(SENSORS[: SENSORS.index("places = ")])
    services = SERVICES.replace("places, readings", "readings").replace("[readings, places]", "[readings]")
    (store.project.feature_repo / "services.py").write_text(services)
    store.apply()
    assert [table.name for table in store.service("monitor").tables] == ["readings"]
    with pytest.raises(ConfigError, match="No feature view 'places'"):
        store.watermark("places")


@pytest.mark.parametrize("text", ["def broken(:\n", "\nimport nowhere_to_be_found\n", "x = 1\nx.y\n"])
def test_a_file_that_cannot_be_loaded_is_named_and_leaves_the_registry_alone(store, text):
    before = store.service("monitor")
    (store.project.feature_repo / "extra.py").write_text(text)
    with pytest.raises(ConfigError, match=r"extra\.py:\d cannot be loaded"):
        store.apply()
    assert store.service("monitor") == before


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
def test_a_definition_that_the_join_cannot_answer_is_refused_at_apply(tmp_path, old, new, message):
    assert old in SENSORS
    project = make_project(tmp_path, sensors=SENSORS.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        FeastStore(project).apply()


def test_a_view_under_another_name_is_refused_at_apply(tmp_path):
    services = SERVICES.replace("[readings, places]", '[readings.with_name("others")]')
    with pytest.raises(ConfigError, match="'monitor' takes 'readings' renamed"):
        FeastStore(make_project(tmp_path, services=services)).apply()


def test_what_feast_refuses_is_a_config_error(tmp_path):
    twice = SENSORS + "\nagain = FeatureView(name='readings', entities=[sensor], source=readings.batch_source)\n"
    with pytest.raises(ConfigError, match=r"Feast refuses the definitions in .*readings"):
        FeastStore(make_project(tmp_path, sensors=twice)).apply()


@pytest.mark.parametrize("missing", ["feature_store.yaml", "."])
def test_a_project_without_a_feature_repo_is_told_what_to_add(project, missing):
    target = project.feature_repo / missing
    target.unlink() if target.is_file() else shutil.rmtree(project.feature_repo)
    with pytest.raises(ConfigError, match=r"The project has no .*Add it"):
        FeastStore(project).apply()


@pytest.mark.parametrize("text", ["project: [", "- a list", "project: x\noffline_store: {type: nowhere}\n"])
def test_settings_that_feast_cannot_read_are_a_config_error(project, text):
    (project.feature_repo / "feature_store.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"feature_store\.yaml cannot be used"):
        FeastStore(project).apply()


def test_two_repos_in_one_process_do_not_see_each_other(tmp_path):
    other = SENSORS.replace("level", "height")
    first = FeastStore(make_project(tmp_path / "first"))
    second = FeastStore(make_project(tmp_path / "second", sensors=other, services=SERVICES.replace("level", "height")))
    first.apply()
    second.apply()
    assert (first.service("levels").features, second.service("heights").features) == (("level",), ("height",))


def test_applying_leaves_the_process_as_it_was(project, monkeypatch, capfd):
    monkeypatch.setenv("OPS_HOME", "somewhere/else")
    monkeypatch.setitem(sys.modules, "sensors", os)
    before = (Path.cwd(), list(sys.path), sys.dont_write_bytecode)
    FeastStore(project).apply()
    assert (Path.cwd(), list(sys.path), sys.dont_write_bytecode) == before
    assert (os.environ["OPS_HOME"], sys.modules["sensors"], "services" in sys.modules) == ("somewhere/else", os, False)
    assert capfd.readouterr() == ("", "")


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
