"""Each kind of bad input says what was wrong with which thing, what was expected and what to do, and harms nothing."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.house import load_tree
from ops_pipelines.core.errors import ConfigError, DataError, OpsError, SchemaMismatch
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Blocked, NotEvaluated, reasons_of

WEEK, NEXT = "2013-01-01", "2013-01-08"
YAML = """\
type: ops_pipelines.components.Dataset
attributes:
  name: meals
  loader: canteen_code:meals
  weekly: {start: "2013-01-01", end: "2013-02-05"}
  key: meal_id
  time_column: known_at
  columns:
    meal_id: string
    known_at: timestamp
    price: float? 0..100
    guests: int
"""
CODE = """
from pathlib import Path

import pyarrow.parquet as pq


def meals(start, end):
    return pq.ParquetFile(Path.cwd() / f"{start:%Y-%m-%d}.parquet").read()


def menu(start, end):
    return "soup"
"""
OUTSIDE = datetime(2013, 1, 20, tzinfo=UTC)


def meals(week: str = WEEK, rows: int = 4, **columns: object) -> pa.Table:
    """A good week with some columns replaced; a column that is None is left out."""
    start = datetime.fromisoformat(week).replace(tzinfo=UTC)
    good: dict[str, object] = {
        "meal_id": [f"{week}/{n}" for n in range(rows)],
        "known_at": pa.array([start + timedelta(hours=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
        "price": [5.0 + n for n in range(rows)],
        "guests": list(range(rows)),
    }
    return pa.table({name: values for name, values in {**good, **columns}.items() if values is not None})


@dataclass
class Canteen:
    """A project with one dataset, whose first week came in well."""

    root: Path
    platform: Platform

    def load(self, table: pa.Table | bytes, week: str = NEXT) -> Artefact:
        """What the lake has of a week after it was delivered and materialized; raises what the asset raised."""
        source = self.root / f"{week}.parquet"
        source.write_bytes(table) if isinstance(table, bytes) else pq.write_table(table, source)
        dg.materialize(
            [self.defs().get_assets_def("meals")],
            partition_key=week,
            resources={"platform": self.platform},
            raise_on_error=not isinstance(table, pa.Table),
        )
        return self.platform.lake.latest("meals", week)

    def defs(self, **changed: str) -> dg.Definitions:
        """The definitions, with some texts of the YAML changed."""
        text = YAML
        for old, new in changed.items():
            text = text.replace(old, new)
        (self.root / "canteen" / "meals" / "defs.yaml").write_text(text)
        return load_tree(importlib.import_module("canteen"))
