"""A small project of its own: two feature views of sensors, two services, and the readings that feed them."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.feast_store import FeastStore
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.adapters.project import Project

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


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> MLflowRegistry:
    """An MLflow, whose database takes seconds to make: each test records under a name of its own."""
    made = MLflowRegistry(tmp_path_factory.mktemp("a home"))
    made.create()
    return made


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes a project in a folder of this name."""

    def make(name: str) -> Project:
        root = tmp_path / name
        repo = root / "feature_repo"
        repo.mkdir(parents=True)
        (root / "pyproject.toml").write_text("[tool.ops]\n")
        shutil.copy(REAL_REPO / "feature_store.yaml", repo)
        for stem, text in {"sensors": SENSORS, "services": SERVICES}.items():
            (repo / f"{stem}.py").write_text(text)
        return Project(root=root, home=root / ".ops", feature_repo=repo, evals=root / "evals", lock=root / "lock")

    return make


@pytest.fixture
def change() -> Callable[[Project, str, str, str], None]:
    """Replaces a text, which has to be there, in a file of a project's feature repo."""

    def change(project: Project, stem: str, old: str, new: str) -> None:
        file = project.feature_repo / f"{stem}.py"
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return change


@pytest.fixture
def write_readings(project: Project) -> Callable[..., None]:
    """Writes a week of readings: sensor, hours since the week began, level, count."""

    def write(number: int, *rows: tuple[str, float, float | None, int | None]) -> None:
        ids, hours, levels, counts = zip(*rows, strict=True)
        columns = {
            "sensor_id": pa.array(ids, pa.string()),
            "known_at": pa.array([at(number, hour) for hour in hours], INSTANT),
            "level": pa.array(levels, pa.float64()),
            "count": pa.array(counts, pa.int64()),
        }
        _write(project, "readings", f"week-{number}", pa.table(columns))

    return write


@pytest.fixture
def project(make_project) -> Project:
    """The project with its sensors' places, and no readings yet."""
    project = make_project("sensors")
    moved = pa.array([at(-50), at(1)], INSTANT)
    places = {"sensor_id": ["a", "b"], "moved_at": moved, "room": ["hall", "attic"]}
    _write(project, "places", "-", pa.table(places))
    return project


@pytest.fixture
def store(project: Project, write_readings) -> FeastStore:
    """Three weeks of readings, applied and not refreshed."""
    write_readings(1, ("a", 160, 1.0, 1), ("b", 160, 1.0, 1), ("c", 160, 1.0, 1))
    write_readings(2, ("a", 160, 2.0, 2), ("b", 160, 2.0, 2))
    write_readings(3, ("a", 160, 3.0, 3))
    store = FeastStore(project)
    store.apply()
    return store


def _write(project: Project, dataset: str, partition: str, table: pa.Table) -> None:
    file = project.home / "lake" / dataset / partition / "data.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
