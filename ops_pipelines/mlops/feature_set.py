"""The point-in-time join: for each row, each feature as it was known at the instant asked.

The join keeps every entity row, in order: an unknown key, an expired value and a value that became known only later all
give a missing feature, never a missing row. Time to live is inclusive: a value exactly as old as its limit still counts.

2026-11-22: Feast's own offline stores drop rows (dask) or grow with the square of a key's history (duckdb), so the join
is ours: DuckDB's ASOF join, generated from the same feature views, and tested equal to Feast where Feast is right.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError, near_miss

if TYPE_CHECKING:
    import pyarrow as pa

_ROW = "__row"


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """One feature view: the dataset that feeds it, its join keys, its features, and for how long a value counts.

    `ttl` None means for ever. `timestamp` names the column that tells when a value became known.
    """

    name: str
    dataset: str
    keys: tuple[str, ...]
    timestamp: str
    features: tuple[str, ...]
    ttl: timedelta | None

    def to_json(self) -> dict[str, Any]:
        """The definition as plain JSON: what the digest of a feature service is over."""
        return {
            "name": self.name,
            "dataset": self.dataset,
            "keys": list(self.keys),
            "timestamp": self.timestamp,
            "features": list(self.features),
            "ttl_seconds": None if self.ttl is None else self.ttl.total_seconds(),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "FeatureTable":
        """The table whose definition `to_json` wrote."""
        seconds = record["ttl_seconds"]
        return cls(
            name=record["name"],
            dataset=record["dataset"],
            keys=tuple(record["keys"]),
            timestamp=record["timestamp"],
            features=tuple(record["features"]),
            ttl=None if seconds is None else timedelta(seconds=seconds),
        )


@dataclass(frozen=True, slots=True)
class FeatureService:
    """The features that one model asks for, by name of the service and its tables."""

    name: str
    tables: tuple[FeatureTable, ...]

    @property
    def features(self) -> tuple[str, ...]:
        """Every feature's name, in the order of the tables; the columns that the join adds."""
        return tuple(feature for table in self.tables for feature in table.features)

    def to_json(self) -> dict[str, Any]:
        """The definition as plain JSON, read back by `from_json`."""
        return {"name": self.name, "tables": [table.to_json() for table in self.tables]}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "FeatureService":
        """The service whose definition `to_json` wrote."""
        return cls(record["name"], tuple(FeatureTable.from_json(table) for table in record["tables"]))


def earliest_needed(table: FeatureTable, first_asked: datetime) -> datetime | None:
    """The instant before which no value of a table can matter to rows asked from `first_asked` on; None for no limit."""
    return None if table.ttl is None else first_asked - table.ttl


def join_features(
    entities: "pa.Table", *, asked_at: str, service: FeatureService, sources: Mapping[str, Sequence[str]]
) -> "pa.Table":
    """The entity rows in their order with one column per feature added, each value as known at `asked_at`.

    `sources` names the Parquet files of each table of the service. Of several rows with one key and one instant the
    greatest wins (a missing value above any other), so that the answer does not depend on the order of files.
    Raises ConfigError where a feature has the name of a column of the rows; DataError where a join key or `asked_at` is
    not a column, where `asked_at` is missing in a row, and where a table has no file.
    """
    import duckdb

    _check_names(entities.column_names, service)
    _check_request(entities, asked_at, service, sources)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("entities", _numbered(entities))
        return connection.sql(_join_sql(entities.column_names, asked_at, service, sources)).to_arrow_table()


def _check_names(columns: Sequence[str], service: FeatureService) -> None:
    for table in service.tables:
        for feature in table.features:
            if feature in columns:
                raise ConfigError(
                    f"Feature {feature!r} of view {table.name!r} has the name of column {feature!r} of the rows to score",
                    expected="names that differ, since a joined row holds them side by side",
                    action="Rename the feature, or leave the column out of the rows",
                    feature=feature,
                    view=table.name,
                )


def _check_request(
    entities: "pa.Table", asked_at: str, service: FeatureService, sources: Mapping[str, Sequence[str]]
) -> None:
    needed = dict.fromkeys([asked_at, *(key for table in service.tables for key in table.keys)])
    for column in needed:
        if column not in entities.column_names:
            raise DataError(
                f"The rows to score have no column {column!r}, which the feature service {service.name!r} joins on",
                expected=f"the columns {', '.join(needed)}",
                action=near_miss(column, entities.column_names),
                column=column,
            )
    if entities.column(asked_at).null_count:
        raise DataError(
            f"{entities.column(asked_at).null_count} rows have no {asked_at!r}",
            expected="the instant at which each row is asked",
            action="Drop these rows, or give them an instant, in the dataset's loader",
        )
    for table in service.tables:
        if not sources.get(table.name):
            raise DataError(
                f"Feature view {table.name!r} has no accepted partition of dataset {table.dataset!r} to read",
                expected="at least one Parquet file in the time asked about",
                action=f"Materialize {table.dataset!r} for these weeks first",
                dataset=table.dataset,
            )


def _numbered(entities: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    return entities.append_column(_ROW, pa.array(range(entities.num_rows), type=pa.int64()))


def _join_sql(
    columns: Sequence[str], asked_at: str, service: FeatureService, sources: Mapping[str, Sequence[str]]
) -> str:
    picked = [f"e.{_quoted(column)}" for column in columns]
    joins = []
    for position, table in enumerate(service.tables):
        alias = f"t{position}"
        picked += [_fresh(alias, feature, table, asked_at) for feature in table.features]
        matches = " AND ".join(f"e.{_quoted(key)} = {alias}.{_quoted(key)}" for key in table.keys)
        joins.append(
            f"ASOF LEFT JOIN ({_values_sql(table, sources[table.name])}) {alias} "
            f"ON {matches} AND e.{_quoted(asked_at)} >= {alias}.{_quoted(table.timestamp)}"
        )
    return f"SELECT {', '.join(picked)} FROM entities e {' '.join(joins)} ORDER BY e.{_ROW}"


def _values_sql(table: FeatureTable, files: Sequence[str]) -> str:
    """One row for each key and instant of a table: of several, the greatest row."""
    listed = ", ".join(_literal(file) for file in files)
    keys = ", ".join(_quoted(name) for name in (*table.keys, table.timestamp))
    row = ", ".join(f"{_quoted(name)} := {_quoted(name)}" for name in table.features)
    features = ", ".join(f"r.{_quoted(name)} AS {_quoted(name)}" for name in table.features)
    grouped = f"SELECT {keys}, max(struct_pack({row})) AS r FROM read_parquet([{listed}]) GROUP BY {keys}"
    return f"SELECT {keys}, {features} FROM ({grouped})"


def _fresh(alias: str, feature: str, table: FeatureTable, asked_at: str) -> str:
    value = f"{alias}.{_quoted(feature)}"
    if table.ttl is None:
        return f"{value} AS {_quoted(feature)}"
    limit = f"e.{_quoted(asked_at)} - to_microseconds({table.ttl // timedelta(microseconds=1)})"
    return f"CASE WHEN {alias}.{_quoted(table.timestamp)} >= {limit} THEN {value} END AS {_quoted(feature)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
