"""What a release takes as input, and which releases a server keeps warm.

A row is refused rather than guessed at: a feature that is missing, of another kind, or null where the release never saw
it missing gives an error that names it. The kinds come from the release's own golden rows, so that nothing has to be
declared twice and an old release is asked as it was trained.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, SchemaMismatch, near_miss
from ops_pipelines.core.pointer import live_move
from ops_pipelines.core.release import Move

Columns: TypeAlias = Mapping[str, Sequence[Any]]
"""Features by name, each with one plain value a row: a number, a text, a boolean or None."""

Scorer: TypeAlias = Callable[[Columns], Sequence[float]]
"""One score a row of some columns, those of a Signature and no others."""

WIDEST = 2**63 - 1
"""The largest whole number that a feature may be; beyond it no column of the lake could hold it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TYPES: Mapping[str, frozenset[type]] = {
    "int": frozenset((int, float)),
    "float": frozenset((int, float)),
    "bool": frozenset((bool,)),
    "string": frozenset((str,)),
    "timestamp": frozenset((str, int, datetime)),
}
_USUAL: Mapping[str, type] = {"int": float, "float": float, "string": str, "bool": bool}
"""The type that a value of a kind nearly always has and that has no bounds; a timestamp has none, being converted."""
_WORDS = {
    "int": "a number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "timestamp": "an instant in ISO 8601, or microseconds since 1970",
}


@dataclass(frozen=True, slots=True)
class InputColumn:
    """One feature: its name, its kind (int, float, bool, string, timestamp), and whether it was ever seen missing."""

    name: str
    kind: str
    may_be_missing: bool

    @property
    def takes(self) -> str:
        """What a value of it has to be, in words."""
        return _WORDS[self.kind]

    @property
    def types(self) -> frozenset[type]:
        """The exact types that a value of it may have; a boolean is no number here."""
        return _TYPES[self.kind]


@dataclass(frozen=True, slots=True)
class Signature:
    """What a release takes, feature by feature, in the order in which its model was fitted."""

    columns: tuple[InputColumn, ...]
    names: tuple[str, ...] = field(init=False, compare=False, repr=False)
    has_instants: bool = field(init=False, compare=False, repr=False)
    _usual: tuple[tuple[InputColumn, type | None], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Every request asks for these, so they are found out once.
        object.__setattr__(self, "names", tuple(column.name for column in self.columns))
        object.__setattr__(self, "has_instants", any(column.kind == "timestamp" for column in self.columns))
        object.__setattr__(self, "_usual", tuple((column, _USUAL.get(column.kind)) for column in self.columns))

    def read(self, given: Columns, *, rows: int, allow_missing: bool = False) -> dict[str, Sequence[Any]]:
        """The columns of the signature, each checked; SchemaMismatch that names the feature, and the row, at fault.

        Null is taken where the release was gated on rows in which the feature was missing, and everywhere with
        `allow_missing`. A column that is no feature is refused, since it is most often a misspelt one.
        """
        read: dict[str, Sequence[Any]] = {}
        for column, usual in self._usual:
            values = given.get(column.name, ())
            # One value of the usual type, as nearly all are, is good without more questions.
            is_usual = len(values) == rows == 1 and type(values[0]) is usual
            read[column.name] = values if is_usual else _checked(column, given, rows, allow_missing)
        if len(given) != len(read):
            self._refuse_strangers(given)
        return read

    def _refuse_strangers(self, given: Columns) -> None:
        stranger = next(name for name in given if name not in self.names)
        raise SchemaMismatch(
            f"{stranger!r} is no feature of this release",
            expected=f"its features: {', '.join(self.names)}",
            action=near_miss(stranger, self.names),
            field=stranger,
        )


def signature_of(names: Sequence[str], kinds: Mapping[str, str], seen_missing: Mapping[str, bool]) -> Signature:
    """The signature of a model that was fitted on some features, in their order.

    A feature that the golden rows do not hold is taken as a number that may be missing: releases from before golden
    rows have nothing better.
    """
    columns = (InputColumn(name, kinds.get(name, "float"), seen_missing.get(name, True)) for name in names)
    return Signature(tuple(columns))


def previous_release(history: Sequence[Move]) -> str | None:
    """The release that was live before the present one, by promotion or rollback; None where there was no other.

    It stays warm: it is what the next move most likely names.
    """
    live = live_move(history)
    return next((move.release for move in reversed(history) if live and move.release != live.release), None)


def _checked(column: InputColumn, given: Columns, rows: int, allow_missing: bool) -> Sequence[Any]:
    values = given.get(column.name)
    if values is None:
        raise SchemaMismatch(
            f"The feature {column.name!r} is missing",
            expected=f"{column.takes} for each row",
            action=near_miss(column.name, given),
            field=column.name,
        )
    if len(values) != rows:
        raise SchemaMismatch(
            f"The feature {column.name!r} has {len(values)} values for {rows} rows",
            expected=f"{column.takes} for each row",
            action="Give every feature one value for each row",
            field=column.name,
        )
    types, nullable = column.types, column.may_be_missing or allow_missing
    for row, value in enumerate(values):
        if value is None:
            if not nullable:
                raise _unseen_missing(column, row)
        elif type(value) not in types or (type(value) is int and not -WIDEST <= value <= WIDEST):
            raise _other_kind(column, row, value)
    return values if column.kind != "timestamp" else [_instant(column, row, value) for row, value in enumerate(values)]


def _instant(column: InputColumn, row: int, value: str | int | datetime | None) -> datetime | None:
    """The instant that a value names, in UTC; SchemaMismatch where it names none, or one without a time zone."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        if isinstance(value, int):
            return EPOCH + timedelta(microseconds=value)
        return utc(datetime.fromisoformat(value))
    except (ValueError, OverflowError, ConfigError) as error:
        raise _other_kind(column, row, value) from error


def _unseen_missing(column: InputColumn, row: int) -> SchemaMismatch:
    return SchemaMismatch(
        f"The feature {column.name!r} is null in row {row}, and was never missing where this release was gated",
        expected=column.takes,
        action="Send the value, or allow missing features if a score without it is what you want",
        field=column.name,
        row=row,
    )


def _other_kind(column: InputColumn, row: int, value: Any) -> SchemaMismatch:
    shown = repr(value)
    return SchemaMismatch(
        f"The feature {column.name!r} is {shown if len(shown) <= 60 else shown[:57] + '...'} in row {row}",
        expected=column.takes,
        action="Send the kind of value that the release was trained on",
        field=column.name,
        row=row,
    )
