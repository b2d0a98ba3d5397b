"""Which entities offline and online values are compared of: the same ones whoever asks, others each week."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError, near_miss

if TYPE_CHECKING:
    import pyarrow as pa

_DIGITS = 16


def sample_entities(
    rows: "pa.Table", *, keys: Sequence[str], asked_at: str, before: datetime, count: int, unknown: int, seed: str
) -> "pa.Table":
    """The join keys of up to `count` different rows asked by `before`, then those of `unknown` ones that nobody knows.

    Rows are taken in the order of the md5 of the seed and their keys: content decides, and not the order of a file. A
    table with no row in time gives an empty sample, without unknown ones. DataError where a column is absent.
    """
    import duckdb

    for column in (*keys, asked_at):
        if column not in rows.column_names:
            raise DataError(
                f"The rows to sample have no column {column!r}",
                expected=f"the columns {', '.join((*keys, asked_at))}",
                action=near_miss(column, rows.column_names),
                column=column,
            )
    listed = ", ".join(_quoted(key) for key in keys)
    # The length before each key keeps ("a", "bc") and ("ab", "c") apart; a missing key is no text.
    marked = ", ".join(f"coalesce(length({_quoted(k)}::VARCHAR) || ':' || {_quoted(k)}::VARCHAR, '-')" for k in keys)
    query = (
        f"SELECT {listed} FROM (SELECT DISTINCT {listed} FROM asked WHERE {_quoted(asked_at)} <= $before) "
        f"ORDER BY md5(concat_ws('/', $seed, {marked})) LIMIT {int(count)}"
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("asked", rows.select([*dict.fromkeys((*keys, asked_at))]))
        sample = connection.sql(query, params={"before": before, "seed": seed}).to_arrow_table()
    return _with_unknown(sample.cast(rows.select(list(keys)).schema), unknown) if sample.num_rows else sample


def _with_unknown(sample: "pa.Table", unknown: int) -> "pa.Table":
    import pyarrow as pa

    strangers = {
        field.name: pa.array(
            [_stranger(number, pa.types.is_integer(field.type)) for number in range(unknown)], field.type
        )
        for field in sample.schema
    }
    return pa.concat_tables([sample, pa.table(strangers, schema=sample.schema)])


def _stranger(number: int, is_number: bool) -> Any:
    """A key that stands for nothing: no table counts below zero, and no name begins like this."""
    return -1_000_001 - number if is_number else f"(nobody {number})"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
