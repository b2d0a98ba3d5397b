"""What training reads against what is served: real flights through the real store, honest and with planted skews."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.feast_repo import open_feast
from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.project import Project
from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.defs.mlops.delays import statistics
from ops_pipelines.defs.mlops.flights import nycflights
from ops_pipelines.mlops import parity as p
from ops_pipelines.mlops.feature_set import FeatureService, join_features
from ops_pipelines.mlops.freshness import judge_freshness, measure_ages
from ops_pipelines.mlops.parity import FeatureParity, compare_vectors, judge_parity
from ops_pipelines.mlops.parity_sample import sample_entities

REAL_REPO = Path(__file__).parents[2] / "feature_repo"
W1, W2, END = (datetime(2013, 1, day, tzinfo=UTC) for day in (1, 8, 15))
WEEKS = [(W1, W2), (W2, END)]
INSTANT = pa.timestamp("us", tz="UTC")
SERVICE = "flight_delay"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two weeks of every dataset that the real feature views read."""
    root = tmp_path_factory.mktemp("real") / "lake"
    landings = pa.concat_tables([pa.table(nycflights.landings(*week)) for week in WEEKS])
    for start, end in WEEKS:
        week = f"{start:%Y-%m-%d}"
        write(root, "flights", week, nycflights.flights(start, end))
        write(root, "weather", week, nycflights.weather(start, end))
        for of in ("carrier", "route", "origin"):
            write(root, f"{of}_delays", week, getattr(statistics, f"{of}_delays")(start, end, landings))
    write(root, "aircraft", "-", nycflights.aircraft())
    return root


@pytest.fixture
def store(lake: Path, tmp_path: Path) -> FeastStore:
    """The real feature repo over the two weeks, applied and not refreshed."""
    shutil.copytree(REAL_REPO, tmp_path / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    shutil.copytree(lake, tmp_path / ".ops" / "lake")
    store = FeastStore(
        Project(tmp_path, tmp_path / ".ops", tmp_path / "feature_repo", tmp_path / "evals", tmp_path / "lock")
    )
    store.apply()
    return store


def write(root: Path, dataset: str, partition: str, table: pa.Table) -> None:
    file = root / dataset / partition / "data.parquet"
    file.parent.mkdir(parents=True)
    at = [field.with_type(INSTANT) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    pq.write_table(table.cast(pa.schema(at)), file)


def refresh(store: FeastStore) -> None:
    for start, end in WEEKS:
        store.refresh(SERVICE, Window(start, end))


def entities(store: FeastStore, service: FeatureService, count: int = 1000) -> pa.Table:
    """A sample of both weeks' flights, and six that nobody knows."""
    keys = tuple(dict.fromkeys(key for table in service.tables for key in table.keys))
    files = sorted((store.project.home / "lake" / "flights").glob("*/*"))
    rows = pa.concat_tables([pq.ParquetFile(file).read() for file in files])
    return sample_entities(rows, keys=keys, asked_at="asked_at", before=END, count=count, unknown=6, seed="2013-01-08")


def sources_of(store: FeastStore, service: FeatureService) -> dict[str, list[str]]:
    lake = store.project.home / "lake"
    return {table.name: [str(file) for file in lake.glob(f"{table.dataset}/*/*")] for table in service.tables}


def compared(store: FeastStore, online: pa.Table | None = None, asked_at: datetime = END) -> list[FeatureParity]:
    """What the store serves at an instant, or another table of online vectors, against the join."""
    service, sources = store.service(SERVICE), sources_of(store, store.service(SERVICE))
    sample = entities(store, service)
    if online is None:
        loaded = store.loaded(SERVICE, sample.to_pylist())
        assert loaded.until == asked_at
        online = loaded.vectors
    asking = sample.append_column("asked", pa.array([asked_at] * sample.num_rows, INSTANT))
    offline = join_features(asking, asked_at="asked", service=service, sources=sources, known_at=True)
    return compare_vectors(offline, online, service=service, asked_at=asked_at, sources=sources)


def differing(measured: list[FeatureParity]) -> dict[str, set[str]]:
    """The kinds of difference of each view that differs anywhere."""
    found: dict[str, set[str]] = {}
    for one in measured:
        found.setdefault(one.view, set()).update(kind for kind in one.cells if kind != p.EQUAL)
    return {view: kinds for view, kinds in found.items() if kinds}


@contextmanager
def rewritten(store: FeastStore, dataset: str, change: Callable[[pa.Table], pa.Table]) -> Iterator[None]:
    """A dataset as other code would have made it, until the end of the block."""
    before = {file: file.read_bytes() for file in (store.project.home / "lake" / dataset).glob("*/*")}
    for file in before:
        pq.write_table(change(pq.ParquetFile(file).read()), file)
    yield
    for file, content in before.items():
        file.write_bytes(content)


def changed(table: pa.Table, column: str, make: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> pa.Table:
    return table.set_column(table.column_names.index(column), column, make(table.column(column)))


def test_what_is_served_is_what_training_reads_for_a_thousand_flights_expired_and_unknown_ones_included(store):
    refresh(store)
    measured = compared(store)
    assert judge_parity(measured) == Passed({"entities": 1006, "cells": 20 * 1006, "differing": 0})
    loaded = store.loaded(SERVICE, entities(store, store.service(SERVICE)).to_pylist())
    ages = {
        age.view: age for age in measure_ages(loaded.vectors, service=loaded.service, asked_at=loaded.until, limits={})
    }
    assert ages["schedule"].expired > 0.05  # the store still holds the last flights of the first week
    assert ages["aircraft"].missing > 6 / 1006
    assert isinstance(judge_freshness(list(ages.values())), Passed)


def test_other_code_online_than_offline_is_found(store):
    with rewritten(
        store, "weather", lambda week: changed(week, "temperature", lambda f: pc.divide(pc.subtract(f, 32.0), 1.8))
    ):
        refresh(store)
    measured = compared(store)
    assert differing(measured) == {"weather_at_origin": {p.CHANGED}}
    (reason,) = judge_parity(measured).reasons
    assert reason.startswith("temperature: 1000 of 1006 differ (1000 another value of the same instant); origin=")


def test_a_week_that_came_after_its_refresh_is_found_as_a_stale_store(store):
    late = store.project.home / "lake" / "weather" / "2013-01-08"
    late.rename(store.project.home / "late")
    refresh(store)
    (store.project.home / "late").rename(late)
    assert differing(compared(store)) == {"weather_at_origin": {p.STALE}}
    loaded = store.loaded(SERVICE, entities(store, store.service(SERVICE)).to_pylist())
    freshness = judge_freshness(measure_ages(loaded.vectors, service=loaded.service, asked_at=END, limits={}))
    assert freshness.reasons == (
        "weather_at_origin: the newest of 1006 entities' values is 169.0 h old, and 6.0 h are allowed",
    )


def test_a_view_that_a_refresh_did_not_reach_is_found_as_stale(store):
    store.refresh(SERVICE, Window(*WEEKS[0]))
    views = [table.name for table in store.service(SERVICE).tables if table.name != "carrier_delays"]
    with pytest.warns(DeprecationWarning, match="fetch_arrow_table"):
        open_feast(store.project).materialize(W2, END - timedelta(microseconds=1), feature_views=views)
    assert differing(compared(store)) == {"carrier_delays": {p.STALE}}


def test_what_becomes_known_in_the_first_moment_of_the_next_week_comes_with_that_week(store):
    """The observation of midnight lies in the lake already, where several weeks came in before the first was refreshed."""
    store.refresh(SERVICE, Window(*WEEKS[0]))
    loaded = store.loaded(SERVICE, entities(store, store.service(SERVICE)).to_pylist())
    known = pc.max(loaded.vectors.column("weather_at_origin__known_at")).as_py()
    assert (loaded.until, known) == (W2, W2 - timedelta(hours=1))


@pytest.mark.parametrize("dataset", ["carrier_delays", "weather"])
def test_local_time_that_is_taken_for_utc_online_is_found_with_its_hours(store, dataset):
    column = "known_at" if dataset == "weather" else "landed_at"
    five = pa.scalar(timedelta(hours=5), pa.duration("us"))
    with rewritten(store, dataset, lambda week: changed(week, column, lambda at: pc.subtract(at, five))):
        refresh(store)
    measured = compared(store)
    (kinds,) = differing(measured).values()
    assert p.SHIFTED in kinds
    assert {one.shift_hours for one in measured if p.SHIFTED in one.cells} == {-5}
    assert "shifted by whole hours (-5 h)" in judge_parity(measured).reasons[0]


def test_feast_itself_serves_expired_values_and_our_reader_does_not(store):
    refresh(store)
    service, day_later = store.service(SERVICE), END + timedelta(hours=30)
    rows = entities(store, service).to_pylist()
    raw = compared(store, raw_vectors(store, service, rows), asked_at=day_later)
    assert differing(raw)["weather_at_origin"] == {p.EXPIRED}
    assert {p.EXPIRED} == differing(raw)["carrier_delays"] == differing(raw)["schedule"]
    assert isinstance(judge_parity(raw), Blocked)
    known = store.loaded(SERVICE, rows).vectors.select([table.known_at for table in service.tables])
    ours = pa.Table.from_pylist(store.online(SERVICE, rows, asked_at=day_later))
    for name in known.column_names:
        ours = ours.append_column(name, known.column(name))
    assert judge_parity(compared(store, ours, asked_at=day_later)) == Passed(
        {"entities": 1006, "cells": 20 * 1006, "differing": 0}
    )


def raw_vectors(store: FeastStore, service: FeatureService, rows: list[dict[str, object]]) -> pa.Table:
    """What plain Feast answers, with its own timestamps."""
    feast = open_feast(store.project)
    blank = [{key: value or "" for key, value in row.items()} for row in rows]
    answer = feast.get_online_features(feast.get_feature_service(SERVICE), blank).to_dict(include_event_timestamps=True)
    known = {table.known_at: answer[f"{table.features[0]}__ts"] for table in service.tables}
    instants = {
        name: pa.array([datetime.fromtimestamp(at, tz=UTC) if at else None for at in seconds], INSTANT)
        for name, seconds in known.items()
    }
    return pa.table({name: pa.array(answer[name]) for name in service.features} | instants)
