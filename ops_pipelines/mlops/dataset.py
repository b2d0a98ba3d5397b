"""What a dataset must look like, and whether one partition of it does.

A partition is judged by its declared schema and against the last partition that passed: row count, duplicates, nulls.
The first partition has no predecessor and is judged by the schema alone.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from ops_pipelines.core.clock import Window
from ops_pipelines.core.errors import ConfigError, SchemaMismatch, near_miss
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import pyarrow as pa

TYPES = ("string", "int", "float", "bool", "timestamp")
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
_DECLARED = re.compile(
    rf"(?P<type>\w+)(?P<missing>\??)(?P<range>\s+(?P<low>{_NUMBER})?\s*\.\.\s*(?P<high>{_NUMBER})?)?"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column: its type, whether values may be missing, and the range that numbers must lie in."""

    name: str
    type: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None

    @classmethod
    def declared(cls, name: str, text: str) -> "Column":
        """A column as it is written in YAML: a type, a `?` where values may be missing, and a range.

        >>> Column.declared("speed", "float? 0..200")
        Column(name='speed', type='float', nullable=True, minimum=0.0, maximum=200.0)
        """
        found = _DECLARED.fullmatch(text.strip())
        kind = found["type"] if found else text.strip().partition(" ")[0].removesuffix("?")
        if found is None or kind not in TYPES or (found["range"] and kind not in ("int", "float")):
            raise ConfigError(
                f"Column {name!r} is declared as {text!r}",
                expected="a type, then ? where values may be missing, then for numbers a range such as 0..200",
                action="Mend the range" if kind in TYPES else near_miss(kind, TYPES),
            )
        low, high = (float(found[end]) if found[end] else None for end in ("low", "high"))
        return cls(name, kind, bool(found["missing"]), low, high)


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """A dataset as declared: its columns, the key that names a row, the column that tells when a row became known.

    `row_ratio` bounds the row count against the last good partition (2 allows half to double), `null_growth` how much
    the share of missing values of a nullable column may grow.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time_column: str | None = None
    row_ratio: float = 2.0
    null_growth: float = 0.2

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        for used in (*self.key, *((self.time_column,) if self.time_column else ())):
            if used not in names:
                raise ConfigError(
                    f"Dataset {self.name!r} names the column {used!r}, which it does not declare",
                    expected="key and time_column among its columns",
                    action=near_miss(used, names).rstrip("."),
                )

    def empty(self) -> "pa.Table":
        """A table of the declared columns without rows."""
        import pyarrow as pa

        return pa.table({column.name: pa.array([], type=_arrow_type(column.type)) for column in self.columns})


@dataclass(frozen=True, slots=True)
class Summary:
    """What the next partition is compared with: the number of rows and the share of missing values per column."""

    rows: int
    null_share: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def conform(table: "pa.Table", spec: DatasetSpec) -> "pa.Table":
    """The declared columns in their declared order and types, sorted by the key; other columns are left out.

    Numbers and timestamps are converted where nothing is lost (whole floats to int, any unit to microseconds in UTC);
    NaN counts as missing; text is never parsed. Raises SchemaMismatch for a missing, renamed or retyped column.
    """
    import pyarrow as pa

    for column in spec.columns:
        if column.name not in table.column_names:
            raise SchemaMismatch(
                f"Dataset {spec.name!r} has no column {column.name!r}",
                expected=f"the columns {', '.join(c.name for c in spec.columns)}",
                action=f"{near_miss(column.name, _undeclared(table, spec))} Rename it in the loader, or in the YAML",
                dataset=spec.name,
                column=column.name,
            )
    arrays = {column.name: _converted(table.column(column.name), column, spec) for column in spec.columns}
    conformed = pa.table(arrays)
    return conformed.sort_by([(name, "ascending") for name in spec.key]) if conformed.num_rows else conformed


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
        *_duplicates(table, spec),
        *_nulls(summary, spec, last_good),
        *_ranges(table, spec),
        *_row_count(summary, spec, last_good),
        *(_outside(table, spec, window) if window and spec.time_column else ()),
    ]
    return Blocked(tuple(reasons), evidence) if reasons else Passed(evidence)


def _undeclared(table: "pa.Table", spec: DatasetSpec) -> list[str]:
    return [name for name in table.column_names if name not in {column.name for column in spec.columns}]


def _converted(values: "pa.ChunkedArray", column: Column, spec: DatasetSpec) -> "pa.ChunkedArray":
    import pyarrow as pa

    target = _arrow_type(column.type)
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    wrong: Exception | None = None
    if _same_family(plain.type, target):
        plain = _without_nan(plain)
        try:
            return plain.cast(target, safe=True)
        except pa.ArrowInvalid as error:
            wrong = error
    raise SchemaMismatch(
        f"Column {column.name!r} of dataset {spec.name!r} has the type {values.type}"
        + (f" ({wrong})" if wrong else ""),
        expected=column.type,
        action="Convert it in the loader, or declare the type that it has",
        dataset=spec.name,
        column=column.name,
    ) from wrong


def _without_nan(values: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """The values with NaN as missing: NaN lies in every range, and would hide in a column declared as always present."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.is_nan(values), None, values) if pa.types.is_floating(values.type) else values


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    return {
        "string": pa.string(),
        "int": pa.int64(),
        "float": pa.float64(),
        "bool": pa.bool_(),
        "timestamp": pa.timestamp("us", tz="UTC"),
    }[name]


def _same_family(given: "pa.DataType", target: "pa.DataType") -> bool:
    """Whether a value of one type may stand for the other: numbers for numbers, and text is never parsed."""
    import pyarrow.types as kinds

    if kinds.is_timestamp(target):
        return bool(kinds.is_null(given) or (kinds.is_timestamp(given) and given.tz is not None))
    families = ((kinds.is_string, kinds.is_large_string), (kinds.is_boolean,), (kinds.is_integer, kinds.is_floating))
    family = next(kind for kind in families if any(member(target) for member in kind))
    return bool(kinds.is_null(given) or any(member(given) for member in family))


def _duplicates(table: "pa.Table", spec: DatasetSpec) -> list[str]:
    counts = table.group_by(list(spec.key)).aggregate([([], "count_all")])
    repeated = counts.filter(_greater(counts.column("count_all"), 1))
    if not repeated.num_rows:
        return []
    example = {name: repeated.column(name)[0].as_py() for name in spec.key}
    return [f"{repeated.num_rows} keys of {spec.name!r} occur more than once, for instance {example}"]


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


def declared_columns(columns: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of a YAML mapping from name to declaration."""
    return tuple(Column.declared(name, text) for name, text in columns.items())


def key_of(names: str | Sequence[str]) -> tuple[str, ...]:
    """A key written as one name or as several."""
    return (names,) if isinstance(names, str) else tuple(names)
