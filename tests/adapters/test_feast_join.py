"""Our join, and what the online store answers, against Feast's own history."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.feast_repo import open_feast
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.clock import Window
from ops_pipelines.mlops.feature_set import FeatureTable, join_features
from ops_pipelines.mlops.parity import EQUAL, compare_vectors

REAL_REPO = Path(__file__).parents[2] / "feature_repo"
INSTANT = pa.timestamp("us", tz="UTC")


def at(week: int, hours: float = 0) -> datetime:
    return datetime(2013, 1, 7, tzinfo=UTC) + timedelta(weeks=week - 1, hours=hours)


def feast_history(project: Project, service: str, entities: pa.Table) -> pa.Table:
    """What Feast itself answers, its rows in the order of the column `row`."""
    feast = open_feast(project)
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
def test_the_join_keeps_five_odd_rows_and_equals_feasts_history(store):
    entities = pa.table(
        {
            "row": [0, 1, 2, 3, 4],
            "sensor_id": ["c", "a", "nobody", "a", "a"],
            "asked_at": pa.array([at(4), at(1), at(4), at(4), at(4)], INSTANT),
        }
    )
    ours = joined(store, "monitor", entities)
    assert ours.column("level").to_pylist() == [None, None, None, 3.0, 3.0]
    theirs = feast_history(store.project, "monitor", entities)
    names = store.service("monitor").features
    assert cells(ours, names) == cells(theirs, names)


def test_an_instant_within_a_second_which_the_online_store_cuts_off_is_no_difference(store, write_readings):
    write_readings(3, ("a", 160 + 0.5 / 3600, 3.0, 3))
    service = store.service("monitor")
    store.refresh("monitor", Window(at(3), at(4)))
    loaded = store.loaded("monitor", [{"sensor_id": "a"}])
    asked = pa.table({"sensor_id": ["a"], "asked_at": pa.array([at(4)], INSTANT)})
    lake = store.project.home / "lake"
    sources = {table.name: [str(file) for file in lake.glob(f"{table.dataset}/*/*")] for table in service.tables}
    offline = join_features(asked, asked_at="asked_at", service=service, sources=sources, known_at=True)
    assert offline.column("readings__known_at").to_pylist() == [at(3, 160) + timedelta(seconds=0.5)]
    assert loaded.vectors.column("readings__known_at").to_pylist() == [at(3, 160)]
    measured = compare_vectors(offline, loaded.vectors, service=service, asked_at=at(4), sources=sources)
    assert [one.cells for one in measured] == [{EQUAL: 1}] * 3


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
            file = project.home / "lake" / table.dataset / f"part-{partition}" / "data.parquet"
            file.parent.mkdir(parents=True)
            pq.write_table(random_values(table, values[:500], random), file)
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
def test_the_join_equals_feasts_history_cell_by_cell_on_random_rows_over_six_views(flights):
    entities = random_entities(2000)
    ours = joined(flights, "flight_delay", entities)
    names = flights.service("flight_delay").features
    theirs = feast_history(flights.project, "flight_delay", entities)
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
