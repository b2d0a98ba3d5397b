"""The same point-in-time join by others: polars' join_asof, and Feast's own history from its duckdb offline store."""

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.join_data import ASKED_AT, KNOWN_AT, SERVICE

if TYPE_CHECKING:
    import feast
    import polars as pl
    import pyarrow as pa

_FEATURE_STORE = """
project: benchmark
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: duckdb}
entity_key_serialization_version: 3
"""


def join_by_polars(entities: "pa.Table", sources: Mapping[str, Sequence[str]]) -> "pl.DataFrame":
    """The entity rows in their order with every feature, values older than their time to live left out."""
    import polars as pl

    rows = pl.DataFrame(entities).lazy().with_row_index("__row").sort(ASKED_AT)
    for table in SERVICE.tables:
        values = pl.scan_parquet(list(sources[table.name])).sort(KNOWN_AT)
        rows = rows.join_asof(
            values,
            left_on=ASKED_AT,
            right_on=KNOWN_AT,
            by=list(table.keys),
            tolerance=table.ttl,
            check_sortedness=False,
        ).drop(KNOWN_AT, strict=False)
    return rows.sort("__row").select([*entities.column_names, *SERVICE.features]).collect()


def join_by_feast(folder: str, asked: str, answer: str) -> float:
    """The seconds in which Feast's duckdb offline store joined the rows of one Parquet file; its answer in another.

    Applying the definitions, importing and reading the rows are not counted; the query, run to an Arrow table, is.
    """
    import pyarrow.parquet as pq

    warnings.simplefilter("ignore")
    store, views = _applied(Path(folder))
    rows = pq.read_table(asked).to_pandas().rename(columns={ASKED_AT: "event_timestamp"})
    features = [f"{view.name}:{field.name}" for view in views for field in view.features]
    began = time.perf_counter()
    joined = store.get_historical_features(rows, features).to_arrow()
    seconds = time.perf_counter() - began
    pq.write_table(joined.rename_columns({"event_timestamp": ASKED_AT}).sort_by("row"), answer)
    return seconds


def _applied(folder: Path) -> "tuple[feast.FeatureStore, list[Any]]":
    """A feature store in a folder that knows the benchmark's views, over the folder's own lake."""
    import feast
    from feast.types import Float64, String

    (folder / "feature_store.yaml").write_text(_FEATURE_STORE)
    store = feast.FeatureStore(repo_path=str(folder))
    views = []
    for table in SERVICE.tables:
        (key,) = table.keys
        entity = feast.Entity(name=key, join_keys=[key], value_type=feast.ValueType.STRING)
        path = str(folder / "lake" / table.dataset / "*" / "data.parquet")
        fields = [feast.Field(name=name, dtype=Float64) for name in table.features]
        view = feast.FeatureView(
            name=table.name,
            entities=[entity],
            ttl=table.ttl,
            source=feast.FileSource(name=table.dataset, path=path, timestamp_field=KNOWN_AT),
            schema=[feast.Field(name=key, dtype=String), *fields],
        )
        store.apply([entity, view])
        views.append(view)
    return store, views
