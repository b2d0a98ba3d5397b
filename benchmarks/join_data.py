"""The join's data: flights asked about, and three feature views with histories like those of real ones.

A row asks at some minute of the weeks that are written, a year where nothing else is said. The weather of fifty
airports is known every hour and counts for six hours; how late sixteen carriers are is known every half hour and counts
for a day; four hundred routes are told every six hours, and that counts for a week. Fifteen features in all. Instants
are whole minutes, so that limits are hit exactly; some values are missing, some keys are unknown, and each is silent for
a tenth of its weeks, so that values expire. No view holds two rows of one key and instant: of these Feast and polars
take any.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable

YEAR = datetime(2013, 1, 1, tzinfo=UTC)
WEEKS = 52
ASKED_AT, KNOWN_AT = "asked_at", "known_at"
_MINUTES = 7 * 24 * 60
"""Of a week."""
_SILENT = 0.1
"""The share of its weeks in which nothing is told of a key, so that what was known before expires."""


@dataclass(frozen=True, slots=True)
class View:
    """How one feature view is filled: its key, how many there are of it, and a row of each every so many minutes."""

    table: FeatureTable
    keys: int
    every_minutes: int


def _view(name: str, key: str, ttl: timedelta, features: int, keys: int, every_minutes: int) -> View:
    names = tuple(f"{name}_{number}" for number in range(features))
    return View(FeatureTable(name, name, (key,), KNOWN_AT, names, ttl), keys, every_minutes)


VIEWS = (
    _view("weather", "origin", timedelta(hours=6), 6, keys=50, every_minutes=60),
    _view("carriers", "carrier", timedelta(days=1), 4, keys=16, every_minutes=30),
    _view("routes", "route", timedelta(days=7), 5, keys=400, every_minutes=360),
)
SERVICE = FeatureService("delays", tuple(view.table for view in VIEWS))


def write_views(folder: Path, weeks: int = WEEKS) -> dict[str, list[str]]:
    """Each view as one Parquet file a week, as the lake would hold it; the files of each view."""
    import numpy as np

    draw = np.random.default_rng(2013)
    return {view.table.name: _write_view(view, folder / "lake" / view.table.name, weeks, draw) for view in VIEWS}


def write_entities(folder: Path, count: int, weeks: int = WEEKS) -> Path:
    """The rows that are asked about, in no order, one in fifty with an unknown route."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng(count)
    columns: dict[str, Any] = {"row": pa.array(np.arange(count))}
    for view in VIEWS:
        (key,) = view.table.keys
        known = view.keys + view.keys // 50
        columns[key] = pa.array([f"{key}-{number:03}" for number in draw.integers(0, known, count).tolist()])
    columns[ASKED_AT] = _instants(draw.integers(0, weeks * _MINUTES, count))
    file = folder / f"asked-{count}.parquet"
    pq.write_table(pa.table(columns), file)
    return file


def _write_view(view: View, folder: Path, weeks: int, draw: Any) -> list[str]:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    (key,) = view.table.keys
    # An offset for each key: histories do not move in step.
    offsets = draw.integers(0, view.every_minutes, view.keys)
    minutes = (np.arange(0, weeks * _MINUTES, view.every_minutes)[:, None] + offsets).ravel()
    keys = np.tile(np.arange(view.keys), len(minutes) // view.keys)
    week_of = np.minimum(minutes // _MINUTES, weeks - 1)
    told = draw.random((view.keys, weeks))[keys, week_of] >= _SILENT
    minutes, keys, week_of = minutes[told], keys[told], week_of[told]
    values = [
        pa.array(draw.normal(size=len(minutes)).round(3), mask=draw.random(len(minutes)) < 0.02)
        for _ in view.table.features
    ]
    table = pa.table(
        {
            key: pa.array([f"{key}-{number:03}" for number in keys.tolist()]),
            KNOWN_AT: _instants(minutes),
            **dict(zip(view.table.features, values, strict=True)),
        }
    )
    files = []
    for week in range(weeks):
        file = folder / f"{YEAR + timedelta(weeks=week):%Y-%m-%d}" / "data.parquet"
        file.parent.mkdir(parents=True)
        pq.write_table(table.filter(pa.array(week_of == week)), file, compression="zstd")
        files.append(str(file))
    return files


def _instants(minutes: Any) -> Any:
    import pyarrow as pa

    start = int(YEAR.timestamp()) * 10**6
    return pa.array(minutes.astype("int64") * 60 * 10**6 + start).cast(pa.timestamp("us", tz="UTC"))
