"""What a dataset must look like, and a table made to look like it.

Whether the rows of one partition are good is `mlops.dataset_quality`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops_pipelines.core.errors import ConfigError, SchemaMismatch, near_miss

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
                    action=near_miss(used, names),
                )

    def empty(self) -> "pa.Table":
        """A table of the declared columns without rows."""
        import pyarrow as pa

        return pa.table({column.name: pa.array([], type=_arrow_type(column.type)) for column in self.columns})


def declared_columns(columns: Mapping[str, str]) -> tuple[Column, ...]:
    """The columns of a YAML mapping from name to declaration."""
    return tuple(Column.declared(name, text) for name, text in columns.items())


def key_of(names: str | Sequence[str]) -> tuple[str, ...]:
    """A key written as one name or as several."""
    return (names,) if isinstance(names, str) else tuple(names)


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
                action=_renamed(column.name, _undeclared(table, spec)),
                dataset=spec.name,
                column=column.name,
            )
    arrays = {column.name: _converted(table.column(column.name), column, spec) for column in spec.columns}
    conformed = pa.table(arrays)
    return conformed.sort_by([(name, "ascending") for name in spec.key]) if conformed.num_rows else conformed


def _renamed(name: str, undeclared: list[str]) -> str:
    if not undeclared:
        return "Let the loader return it, or take it out of the YAML"
    return f"{near_miss(name, undeclared)} Rename it in the loader, or in the YAML"


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
