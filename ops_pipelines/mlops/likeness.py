"""Which values of two columns are the same: whole numbers and texts exactly, floats to a relative 1e-9."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

RELATIVE = 1e-9


def has_value(column: "pa.ChunkedArray") -> "np.ndarray":
    """Where a column has a value; not-a-number is none."""
    import pyarrow.compute as pc

    there: np.ndarray = pc.invert(pc.is_null(column, nan_is_null=True)).to_numpy()
    return there


def alike(ours: "pa.ChunkedArray", theirs: "pa.ChunkedArray") -> "np.ndarray":
    """Where two columns hold the same value: whole numbers and texts exactly, floats nearly; never where one has none."""
    import numpy as np
    import pyarrow as pa

    if not any(pa.types.is_floating(column.type) for column in (ours, theirs)):
        pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
        return np.fromiter((a is not None and a == b for a, b in pairs), dtype=bool, count=len(ours))
    if not all(_is_number(column.type) for column in (ours, theirs)):
        return np.zeros(len(ours), dtype=bool)
    left, right = (column.cast(pa.float64()).to_numpy() for column in (ours, theirs))
    with np.errstate(invalid="ignore"):  # infinity less infinity, which is equal and not near
        near = np.abs(left - right) <= RELATIVE * np.maximum(np.abs(left), np.abs(right))
    same: np.ndarray = (left == right) | (near & np.isfinite(left) & np.isfinite(right))
    return same


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind))
