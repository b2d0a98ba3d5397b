"""A small declared dataset, and tables that conform to it or, with some columns replaced, do not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from ops_pipelines.mlops.dataset import Column, DatasetSpec

DAY = datetime(2013, 1, 1, tzinfo=UTC)
SPEC = DatasetSpec(
    "landings",
    tuple(
        Column.declared(name, text)
        for name, text in {
            "flight": "string",
            "landed_at": "timestamp",
            "delay": "float? -180..2000",
            "seats": "int? 1..600",
            "night": "bool?",
        }.items()
    ),
    key=("flight",),
    time_column="landed_at",
)


def landings(rows: int = 3, **columns: Any) -> pa.Table:
    """A table that conforms, with some columns replaced."""
    good = {
        "flight": [f"UA{number}" for number in range(rows)],
        "landed_at": pa.array([DAY + timedelta(minutes=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
        "delay": [float(number) for number in range(rows)],
        "seats": [100] * rows,
        "night": [False] * rows,
    }
    return pa.table(good | columns)
