"""Does the release still say what it said when its gate let it in? A few rows of its holdout tell, in milliseconds.

**Golden vectors** are rows with the scores that the gated model gave them, kept with the release. Whoever loads the
model (a promotion, a scoring run, a server) scores them again; another answer means that something which no digest names
has changed: a library, a default, a processor. Scores are compared and not bytes, because a sum in another order may move
the last digits.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

ROWS = 32
"""How many rows are kept by their scores."""
TOLERANCE = 1e-6
"""How far a score may move: absolutely up to a score of 1, and as a share of it beyond."""


@dataclass(frozen=True, slots=True)
class GoldenVectors:
    """Rows of features as the model was given them, and the score of each."""

    features: "pa.Table"
    scores: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """The rows as plain JSON, column by column, read back by `from_json` to the bit."""
        columns = [_column_to_json(name, self.features.column(name)) for name in self.features.column_names]
        return {"columns": columns, "scores": list(self.scores)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "GoldenVectors":
        """The vectors that `to_json` wrote."""
        import pyarrow as pa

        columns = {column["name"]: _column_from_json(column) for column in record["columns"]}
        return cls(pa.table(columns), tuple(record["scores"]))


def pick_golden(features: "pa.Table", scores: "np.ndarray", *, rows: int = ROWS) -> GoldenVectors:
    """Rows over the whole range of scores, and for each column that is missing somewhere the first row where it is.

    The same rows in the same order give the same vectors: of equally many ranks of score one row each, the lowest and the
    highest among them. All rows where there are no more than asked for; none for no rows. ValueError where scores and
    rows are not equally many; DataError for a column that JSON cannot hold.
    """
    import numpy as np
    import pyarrow as pa

    if len(scores) != features.num_rows:
        raise ValueError(f"{len(scores)} scores for {features.num_rows} rows")
    ranked = np.argsort(scores, kind="stable")
    places = np.linspace(0, len(ranked) - 1, min(rows, len(ranked))).round().astype(np.int64)
    missing = [column.is_null().index(pa.scalar(True)).as_py() for column in features.columns if column.null_count]
    chosen = sorted({*ranked[places].tolist(), *missing})
    plain = pa.table({name: _plain(name, features.column(name)) for name in features.column_names})
    return GoldenVectors(plain.take(pa.array(chosen, pa.int64())), tuple(float(scores[row]) for row in chosen))


def judge_golden(golden: GoldenVectors | None, scores: "np.ndarray", *, tolerance: float = TOLERANCE) -> Verdict:
    """Passed where the model gives each golden row the score that it gave when it was gated; Blocked where not.

    NotEvaluated where the release keeps none, and where there is not one score for each.
    """
    if golden is None or not golden.scores:
        return NotEvaluated("the release keeps no golden vectors to score again")
    if scores.shape != (len(golden.scores),):
        return NotEvaluated(f"{len(golden.scores)} golden rows gave scores of shape {scores.shape}")
    pairs = [(before, float(now)) for before, now in zip(golden.scores, scores, strict=True)]
    moved = [_moved(before, now) for before, now in pairs]
    apart = [position for position, by in enumerate(moved) if not by <= tolerance]
    evidence = {"rows": len(pairs), "apart": len(apart), "tolerance": tolerance, "furthest": _finite(max(moved))}
    if not apart:
        return Passed(evidence)
    before, now = pairs[max(apart, key=moved.__getitem__)]
    return Blocked(
        (
            f"{len(apart)} of {len(pairs)} golden rows score otherwise than when the gate let the release in, "
            f"the furthest {now:.6g} where it was {before:.6g}",
        ),
        evidence,
    )


def _moved(before: float, now: float) -> float:
    return abs(now - before) / max(1.0, abs(before)) if isfinite(now) else float("inf")


def _finite(number: float) -> float | None:
    """The number, or None where JSON has none for it."""
    return number if isfinite(number) else None


def _plain(name: str, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    """The column in the one type of its kind; DataError where it is of none."""
    import pyarrow as pa

    values = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    for kind, type_of in _types().items():
        if _is(kind, values.type):
            return values.cast(type_of)
    raise DataError(
        f"Feature {name!r} has the type {column.type}, which golden vectors cannot hold",
        expected="text, booleans, numbers or timestamps in UTC",
        action="Flatten the feature where its dataset is made",
        column=name,
    )


def _is(kind: str, given: "pa.DataType") -> bool:
    import pyarrow.types as kinds

    return bool(
        {
            "string": kinds.is_string(given) or kinds.is_large_string(given) or kinds.is_null(given),
            "int": kinds.is_integer(given),
            "float": kinds.is_floating(given),
            "bool": kinds.is_boolean(given),
            "timestamp": kinds.is_timestamp(given) and given.tz is not None,
        }[kind]
    )


def _types() -> "dict[str, pa.DataType]":
    import pyarrow as pa

    utc = pa.timestamp("us", tz="UTC")
    return {"string": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "timestamp": utc}


def _column_to_json(name: str, column: "pa.ChunkedArray") -> dict[str, Any]:
    import pyarrow as pa

    plain = _plain(name, column)
    kind = next(kind for kind, type_of in _types().items() if type_of == plain.type)
    if kind == "timestamp":
        plain = plain.cast(pa.int64())
    values = plain.to_pylist()
    # JSON has no infinity and no NaN; as text they come back as what they were.
    told = [str(value) if isinstance(value, float) and not isfinite(value) else value for value in values]
    return {"name": name, "type": kind, "values": told}


def _column_from_json(record: Mapping[str, Any]) -> "pa.Array":
    import pyarrow as pa

    kind, values = record["type"], record["values"]
    if kind == "float":
        values = [None if value is None else float(value) for value in values]
    if kind == "timestamp":
        return pa.array(values, pa.int64()).cast(_types()[kind])
    return pa.array(values, _types()[kind])
