"""Whether one partition of a dataset is good.

A partition is judged by its declared schema and against the last partition that passed: row count, duplicates, nulls.
The first partition has no predecessor and is judged by the schema alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.dataset import DatasetSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Summary:
    """What the next partition is compared with: the number of rows and the share of missing values per column."""

    rows: int
    null_share: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def summarize(table: "pa.Table") -> Summary:
    """The row count and null shares of a table."""
    rows = table.num_rows
    return Summary(rows, {name: table.column(name).null_count / rows for name in table.column_names} if rows else {})


def judge_partition(
    table: "pa.Table", spec: DatasetSpec, *, window: Window | None, last_good: Summary | None
) -> Verdict:
    """Whether one conformed partition may be used; NotEvaluated where it holds no row.

    `window` is the partition's span (None for a dataset without partitions); a row whose time lies outside it was
    delivered to the wrong partition, or was known before its time.
    """
    summary = summarize(table)
    evidence = {"summary": summary.to_json(), "compared_with": last_good.to_json() if last_good else None}
    if table.num_rows == 0:
        return NotEvaluated(f"dataset {spec.name!r} has no rows in {_span(window)}", evidence)
    reasons = [
        *_repeated(table, spec.key, spec.name),
        *_nulls(summary, spec, last_good),
        *_ranges(table, spec),
        *_row_count(summary, spec, last_good),
        *(_outside(table, spec, window) if window and spec.time_column else ()),
    ]
    return Blocked(tuple(reasons), evidence) if reasons else Passed(evidence)


def repeated_keys(table: "pa.Table", key: str, *, of: str) -> str | None:
    """What is wrong where a key occurs more than once over several partitions, which each were judged alone."""
    return next(iter(_repeated(table, (key,), of)), None)


def _repeated(table: "pa.Table", key: tuple[str, ...], of: str) -> list[str]:
    counts = table.group_by(list(key)).aggregate([([], "count_all")])
    repeated = counts.filter(_greater(counts.column("count_all"), 1))
    if not repeated.num_rows:
        return []
    example = {name: repeated.column(name)[0].as_py() for name in key}
    return [f"{repeated.num_rows} keys of {of!r} occur more than once, for instance {example}"]


def _nulls(summary: Summary, spec: DatasetSpec, last_good: Summary | None) -> list[str]:
    reasons = []
    for column in spec.columns:
        share = summary.null_share[column.name]
        before = last_good.null_share.get(column.name) if last_good else None
        if share and not column.nullable:
            reasons.append(f"{share:.1%} of {column.name!r} is missing, and it is declared as always present")
        elif before is not None and share > before + spec.null_growth:
            reasons.append(f"{share:.1%} of {column.name!r} is missing, {before:.1%} in the last good partition")
    return reasons


def _ranges(table: "pa.Table", spec: DatasetSpec) -> list[str]:
    import pyarrow.compute as pc

    reasons = []
    for column in spec.columns:
        if (column.minimum is None and column.maximum is None) or not len(table):
            continue
        found = pc.min_max(table.column(column.name)).as_py()
        if column.minimum is not None and found["min"] is not None and found["min"] < column.minimum:
            reasons.append(f"{column.name!r} goes down to {found['min']}, and {column.minimum:g} is the least allowed")
        if column.maximum is not None and found["max"] is not None and found["max"] > column.maximum:
            reasons.append(f"{column.name!r} goes up to {found['max']}, and {column.maximum:g} is the most allowed")
    return reasons


def _row_count(summary: Summary, spec: DatasetSpec, last_good: Summary | None) -> list[str]:
    if last_good is None or last_good.rows / spec.row_ratio <= summary.rows <= last_good.rows * spec.row_ratio:
        return []
    return [
        f"{summary.rows} rows, and the last good partition had {last_good.rows}: "
        f"more than {spec.row_ratio:g} times apart"
    ]


def _outside(table: "pa.Table", spec: DatasetSpec, window: Window) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    times = table.column(str(spec.time_column))
    start, end = (pa.scalar(instant, type=times.type) for instant in (window.start, window.end))
    outside = pc.sum(pc.or_(pc.less(times, start), pc.greater_equal(times, end))).as_py()
    return [f"{outside} rows have {spec.time_column!r} outside {_span(window)}"] if outside else []


def _greater(values: "pa.ChunkedArray", limit: int) -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    return pc.greater(values, limit)


def _span(window: Window | None) -> str:
    return f"{window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M}" if window else "the whole dataset"
