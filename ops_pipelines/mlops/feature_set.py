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
    import duckdb
    import pyarrow as pa

_ROW, _KEY, _AT = "__row", "__key", "__at"


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

    @property
    def known_at(self) -> str:
        """The name of the column that tells when the values of this table became known, in vectors that say so."""
        return f"{self.name}__known_at"

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
    entities: "pa.Table",
    *,
    asked_at: str,
    service: FeatureService,
    sources: Mapping[str, Sequence[str]],
    known_at: bool = False,
) -> "pa.Table":
    """The entity rows in their order with one column per feature added, each value as known at `asked_at`.

    With `known_at` each table adds its `FeatureTable.known_at` too: when its latest value became known, expired or not.
    `sources` names the Parquet files of each table of the service. Of several rows with one key and one instant the
    greatest wins (a missing value above any other), so that the answer does not depend on the order of files.
    Raises ConfigError where a feature has the name of a column of the rows; DataError where a join key or `asked_at` is
    not a column, where `asked_at` is missing in a row, and where a table has no file.
    """
    import duckdb

    _check_names(entities.column_names, service)
    _check_request(entities, asked_at, service, sources)
    joined = entities
    with duckdb.connect() as connection:
        connection.sql("SET TimeZone = 'UTC'")
        connection.register("entities", _asked(entities, asked_at, service))
        for table in service.tables:
            _load(connection, table, sources[table.name])
            found = connection.sql(_join_sql(table, asked_at, known_at=known_at)).to_arrow_table()
            for feature in table.features:
                joined = joined.append_column(feature, found.column(feature))
            if known_at:
                joined = joined.append_column(table.known_at, found.column(_AT))
    return joined


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


def _asked(entities: "pa.Table", asked_at: str, service: FeatureService) -> "pa.Table":
    """What the join needs of the rows: their numbers, the instants, and the keys. The other columns stay where they are."""
    import numpy as np
    import pyarrow as pa

    needed = dict.fromkeys([asked_at, *(key for table in service.tables for key in table.keys)])
    return entities.select(list(needed)).append_column(_ROW, pa.array(np.arange(entities.num_rows)))


def _load(connection: "duckdb.DuckDBPyConnection", table: FeatureTable, files: Sequence[str]) -> None:
    """Makes the tables `asked_keys`, a number for each key asked about, and `known`, the values of these keys.

    Keys, whatever their types and however many columns they have, become one 32-bit number: the ASOF join is then three
    times as fast, and values of keys that nobody asks about are left out before it. Few files hold two rows of one key
    and instant, and to look for them costs less than to remove them.
    """
    keys = ", ".join(_quoted(key) for key in table.keys)
    features = ", ".join(_quoted(name) for name in table.features)
    listed = ", ".join(_literal(file) for file in files)
    connection.sql(
        f"CREATE OR REPLACE TEMP TABLE asked_keys AS SELECT (row_number() OVER ())::INTEGER AS {_KEY}, {keys} "
        f"FROM (SELECT DISTINCT {keys} FROM entities)"
    )
    connection.sql(
        f"CREATE OR REPLACE TEMP TABLE known AS SELECT k.{_KEY}, v.{_quoted(table.timestamp)} AS {_AT}, {features} "
        f"FROM read_parquet([{listed}]) v JOIN asked_keys k ON {_same('v', 'k', table.keys)}"
    )
    if connection.sql(f"SELECT 1 FROM known GROUP BY {_KEY}, {_AT} HAVING count(*) > 1 LIMIT 1").fetchall():
        connection.sql(_greatest_sql(table))


def _join_sql(table: FeatureTable, asked_at: str, *, known_at: bool) -> str:
    """The features of a loaded table for each entity row, in the order of the rows."""
    asked = f"e.{_quoted(asked_at)}"
    picked = [_fresh(feature, table, asked) for feature in table.features] + ([f"v.{_AT}"] if known_at else [])
    return (
        f"SELECT {', '.join(picked)} "
        f"FROM (entities e LEFT JOIN asked_keys k ON {_same('e', 'k', table.keys)}) "
        f"ASOF LEFT JOIN known v ON k.{_KEY} = v.{_KEY} AND {asked} >= v.{_AT} ORDER BY e.{_ROW}"
    )


def _greatest_sql(table: FeatureTable) -> str:
    """One row for each key and instant: of several, the greatest row."""
    row = ", ".join(f"{_quoted(name)} := {_quoted(name)}" for name in table.features)
    features = ", ".join(f"r.{_quoted(name)} AS {_quoted(name)}" for name in table.features)
    grouped = f"SELECT {_KEY}, {_AT}, max(struct_pack({row})) AS r FROM known GROUP BY {_KEY}, {_AT}"
    return f"CREATE OR REPLACE TEMP TABLE known AS SELECT {_KEY}, {_AT}, {features} FROM ({grouped})"


def _same(left: str, right: str, keys: Sequence[str]) -> str:
    return " AND ".join(f"{left}.{_quoted(key)} = {right}.{_quoted(key)}" for key in keys)


def _fresh(feature: str, table: FeatureTable, asked: str) -> str:
    """A feature's value where it is not older than its time to live."""
    value = f"v.{_quoted(feature)}"
    if table.ttl is None:
        return f"{value} AS {_quoted(feature)}"
    limit = f"{asked} - to_microseconds({table.ttl // timedelta(microseconds=1)})"
    return f"CASE WHEN v.{_AT} >= {limit} THEN {value} END AS {_quoted(feature)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
