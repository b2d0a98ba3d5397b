"""D1: a feature older than its time to live is served online all the same, and training loses the rows where it is.

Feast keeps a view's `ttl` for historical joins alone: `get_online_features` hands out a value of any age (feast#6821).
Its dask store, on the other side, drops entity rows for which every value has expired. So the model is trained on rows
that are all fresh, and asked about others.
"""

import contextlib
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import feast
    import pyarrow as pa

    from ops_pipelines.adapters.project import Project

MONDAY = datetime(2013, 1, 7, tzinfo=UTC)
TTL = timedelta(days=1)
READINGS = {"a": MONDAY + timedelta(hours=3), "b": MONDAY + timedelta(days=5)}
"""When each sensor was read last. Everybody asks on the sixth day: of `a` four days too late, of `b` in time."""
ASKED = MONDAY + timedelta(days=5, hours=12)
KEYS = ("a", "b", "never seen")
VIEW = """
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, String

from ops_pipelines.adapters.project import lake_files

sensor = Entity(name="sensor", join_keys=["sensor_id"], value_type=ValueType.STRING)
readings = FeatureView(
    name="readings",
    entities=[sensor],
    ttl=timedelta(days=1),
    source=FileSource(name="readings", path=lake_files("readings"), timestamp_field="known_at"),
    schema=[Field(name="sensor_id", dtype=String), Field(name="level", dtype=Float64)],
)
monitor = FeatureService(name="monitor", features=[readings])
"""
STORE = """
project: drill
provider: local
registry: ${OPS_HOME}/features/registry.db
online_store: {type: sqlite, path: "${OPS_HOME}/features/online.db"}
offline_store: {type: duckdb}
entity_key_serialization_version: 3
"""


def unguarded(folder: Path) -> Outcome:
    """Feast as its quickstart sets it up: local provider, SQLite online, and the dask store offline."""
    with _quiet():
        store = _plain_feast(folder)
        rows = [{"sensor_id": key} for key in KEYS]
        served = store.get_online_features(["readings:level"], rows).to_dict(include_event_timestamps=True)
        joined = store.get_historical_features(_entities().to_pandas(), ["readings:level"]).to_df()
    age = ASKED - datetime.fromtimestamp(served["level__ts"][0], tz=UTC)
    return Outcome(
        harmed=served["level"][0] is not None and age > TTL and len(joined) < len(KEYS),
        caught=False,
        reason=f"served a value that is {age} old where its time to live is {TTL}; {len(KEYS)} rows to train on became "
        f"{len(joined)}",
        evidence={
            "served": served["level"],
            "age_hours": age / timedelta(hours=1),
            "rows_kept": sorted(joined["sensor_id"]),
        },
    )


def guarded(folder: Path) -> Outcome:
    """The same definitions behind our store and our join: one time to live on both sides, and every row is kept."""
    from ops_pipelines.adapters.feast_repo import open_feast
    from ops_pipelines.adapters.feast_store import FeastStore
    from ops_pipelines.core.clock import Window
    from ops_pipelines.mlops.feature_set import join_features

    project = _project(folder)
    store = FeastStore(project)
    (service,) = store.apply()
    for end in (MONDAY + TTL, ASKED):  # the first refresh brings `a` online, where it stays
        store.refresh("monitor", Window(MONDAY, end))
    rows = [{"sensor_id": key} for key in KEYS]
    online = [row["level"] for row in store.online("monitor", rows, asked_at=ASKED)]
    with _quiet():
        stored = open_feast(project).get_online_features(["readings:level"], rows).to_dict()["level"]
    sources = {"readings": [str(project.home / "lake" / "readings" / "-" / "data.parquet")]}
    offline = join_features(_entities(), asked_at="event_timestamp", service=service, sources=sources)
    trained = offline.column("level").to_pylist()
    ages = [ASKED - READINGS[key] for key, value in zip(KEYS, online, strict=True) if value is not None]
    too_old = any(age > TTL for age in ages)
    caught = stored[0] is not None and online == trained == [None, 2.0, None] and not too_old
    expired = ASKED - READINGS["a"]
    return Outcome(
        harmed=too_old or offline.num_rows != len(KEYS),
        caught=caught,
        reason=f"left out online and offline: the value is {expired} old, more than its time to live of {TTL}"
        if caught
        else f"online {online}, offline {trained}",
        evidence={
            "stored": stored,
            "online": online,
            "offline": trained,
            "rows_in": len(KEYS),
            "rows_out": offline.num_rows,
        },
    )


DRILL = Drill(
    number="D1",
    name="expired features",
    incident="a feature store serves expired values online and drops the rows that have them offline",
    source="feast#6821",
    names="more than its time to live",
    unguarded=unguarded,
    guarded=guarded,
)


def _plain_feast(folder: Path) -> "feast.FeatureStore":
    import feast
    from feast.repo_config import RepoConfig
    from feast.types import Float64, String

    config = RepoConfig(
        project="plain",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": "dask"},
        entity_key_serialization_version=3,
    )
    source = feast.FileSource(name="readings", path=str(_write_readings(folder)), timestamp_field="known_at")
    sensor = feast.Entity(name="sensor", join_keys=["sensor_id"], value_type=feast.ValueType.STRING)
    fields = [feast.Field(name="sensor_id", dtype=String), feast.Field(name="level", dtype=Float64)]
    readings = feast.FeatureView(name="readings", entities=[sensor], ttl=TTL, source=source, schema=fields)
    store = feast.FeatureStore(config=config)
    store.apply([sensor, readings])
    store.materialize(MONDAY - timedelta(days=1), MONDAY + timedelta(weeks=1))
    return store


def _project(folder: Path) -> "Project":
    """A project whose feature repo says the same, with the readings in its lake."""
    from ops_pipelines.adapters.project import Project

    repo = folder / "feature_repo"
    repo.mkdir()
    (folder / "pyproject.toml").write_text("[tool.ops]\n")
    (repo / "feature_store.yaml").write_text(STORE)
    (repo / "views.py").write_text(VIEW)
    home = folder / "home"
    _write_readings(home / "lake" / "readings" / "-")
    return Project(root=folder, home=home, feature_repo=repo, evals=folder / "evals", lock=folder / "lock")


def _write_readings(folder: Path) -> Path:
    """The readings as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    known_at = pa.array(list(READINGS.values()), pa.timestamp("us", tz="UTC"))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.parquet"
    pq.write_table(pa.table({"sensor_id": list(READINGS), "known_at": known_at, "level": [1.0, 2.0]}), file)
    return file


def _entities() -> "pa.Table":
    """Who is asked about, all at one instant."""
    import pyarrow as pa

    return pa.table(
        {"sensor_id": list(KEYS), "event_timestamp": pa.array([ASKED] * len(KEYS), pa.timestamp("us", tz="UTC"))}
    )


@contextlib.contextmanager
def _quiet() -> Iterator[Any]:
    """Feast without its progress bars, and without the warnings of the libraries below it."""
    import warnings

    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
