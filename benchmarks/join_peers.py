"""The same point-in-time join by others: polars' join_asof, and Feast's own history from its duckdb offline store."""

import json
import resource
import time
import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.join_data import ASKED_AT, KNOWN_AT, SERVICE

if TYPE_CHECKING:
    import pyarrow as pa

FEATURE_STORE = """
project: benchmark
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: duckdb}
entity_key_serialization_version: 3
"""


def join_by_polars(entities: "pa.Table", sources: Mapping[str, Sequence[str]]) -> "pa.Table":
    """The entity rows in their order with every feature, values older than their time to live left out.

    One asof join a view, lazily planned, and the limit tested on the instant that was found: an asof join with a
    tolerance would do both at once, but would have to promise that the limit itself still counts.
    """
    import polars as pl

    rows = pl.from_arrow(entities).lazy().with_row_index("__row").sort(ASKED_AT)
    for table in SERVICE.tables:
        assert table.ttl is not None
        values = pl.scan_parquet(list(sources[table.name])).sort(KNOWN_AT).with_columns(__at=pl.col(KNOWN_AT))
        fresh = pl.col("__at") >= pl.col(ASKED_AT) - pl.duration(microseconds=table.ttl // timedelta(microseconds=1))
        rows = (
            rows.join_asof(
                values, left_on=ASKED_AT, right_on=KNOWN_AT, by=list(table.keys), strategy="backward", coalesce=False,
                check_sortedness=False,
            )
            .with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in table.features)
            .drop("__at", KNOWN_AT)
        )
    joined = rows.sort("__row").drop("__row").collect()
    return joined.select([*entities.column_names, *SERVICE.features]).to_arrow()
