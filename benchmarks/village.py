"""A small project for the lifecycle's benchmark: trips that are late when it is windy, and the YAML that declares them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

FIRST = datetime(2013, 1, 1, tzinfo=UTC)
WINTER, WALKED = 3, 12
"""The weeks that the release is trained on, and those that it lives through."""
ROWS = 300
WEEKLY = f'{{start: "{FIRST:%Y-%m-%d}", end: "{FIRST + timedelta(weeks=WINTER + WALKED):%Y-%m-%d}"}}'
TRIPS = f"""
name: trips
loader: benchmarks.village:trips
key: trip_id
time_column: departs_at
columns: {{trip_id: string, wind: float, departs_at: timestamp, asked_at: timestamp, published_at: timestamp}}
weekly: {WEEKLY}
"""
ENDS = f"""
name: trip_ends
loader: benchmarks.village:trip_ends
key: trip_id
time_column: arrived_at
columns: {{trip_id: string, late: bool, arrived_at: timestamp}}
row_ratio: 20
weekly: {WEEKLY}
"""
FEATURES = f"""
name: trip_features
service: trip_delay
datasets: [trips]
weekly: {WEEKLY}
"""
MODEL = f"""
name: trip_delay
train: ops_pipelines.testing.flavours:fit_logistic
flavour: ops_pipelines.testing.flavours:LogisticFlavour
entities: {{dataset: trips, key: trip_id, asked_at: asked_at}}
labels: {{dataset: trip_ends, column: late, known_at: arrived_at}}
features: trip_features
window_weeks: {WINTER}
holdout_weeks: 1
drift: {{min_rows: 50}}
performance: {{min_rows: 20}}
retraining: {{flagged: 12, of: 12, max_age_weeks: 52}}
weekly: {WEEKLY}
"""
DECLARED = {"Dataset": (TRIPS, ENDS), "FeatureSet": (FEATURES,), "Model": (MODEL,)}
VIEWS = """
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
"""
LOCATION = "import village\nfrom ops_pipelines.components.house import load_tree\n\ndefs = load_tree(village)\n"


def trips(start: datetime, end: datetime) -> "pd.DataFrame":  # noqa: ARG001 - a loader is called with both
    """The trips that depart in a week, with the wind that was forecast for each."""
    return _made(start)


def trip_ends(start: datetime, end: datetime) -> "pd.DataFrame":
    """Which trips were late, as far as that became known in the week."""
    import pandas as pd

    both = pd.concat([_made(start - timedelta(days=7)), _made(start)])
    return both[(both.arrived_at >= start) & (both.arrived_at < end)]


def write_project(root: Path) -> Path:
    """The project in a folder: its settings, its feature repo, its components, and the module that loads them."""
    here = Path(__file__).parents[1]
    written = {
        "pyproject.toml": "[tool.ops]\n",
        "requirements.lock": "nothing==1\n",
        "feature_repo/views.py": VIEWS,
        "village/__init__.py": "",
        "village_location.py": LOCATION,
        "village/defs.yaml": "---\n".join(
            _component(kind, attributes) for kind, listed in DECLARED.items() for attributes in listed
        ),
    }
    for name, text in written.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    copy(here / "feature_repo" / "feature_store.yaml", root / "feature_repo")
    return root


def _component(kind: str, attributes: str) -> str:
    indented = attributes.strip().replace("\n", "\n  ")
    return f"type: ops_pipelines.components.{kind}\nattributes:\n  {indented}\n"


def _made(start: datetime) -> "pd.DataFrame":
    """A week's trips, the same for every call; the last ones arrive in the next week."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(start.toordinal())
    hours: list[Any] = np.linspace(3, 166, ROWS).round(2).tolist()
    wind = draw.normal(0, 1, ROWS).round(3)
    return pd.DataFrame(
        {
            "trip_id": [f"{start:%m%d}-{number}" for number in range(ROWS)],
            "wind": wind,
            "departs_at": [start + timedelta(hours=hour) for hour in hours],
            "late": draw.random(ROWS) < 1 / (1 + np.exp(-3 * wind)),
        }
    ).assign(
        asked_at=lambda made: made.departs_at - timedelta(hours=2),
        published_at=lambda made: made.departs_at - timedelta(hours=3),
        arrived_at=lambda made: made.departs_at + timedelta(hours=13),
    )
