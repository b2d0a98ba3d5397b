"""Columns as the numbers that a booster was fitted on: codes of known categories, and NaN for what is missing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import SchemaMismatch, near_miss

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def column_codes(features: "pd.DataFrame", name: str, levels: Sequence[Any] | None) -> "np.ndarray":
    """A column as floats: the position of each value in `levels`, or its own number where there are none.

    Missing values, and levels that are not among them, are NaN. SchemaMismatch for a column that is missing, and for one
    that is neither numbers nor categories.
    """
    import numpy as np
    import pandas as pd

    if name not in features:
        raise SchemaMismatch(
            f"The column {name!r} is missing, which the model was fitted on",
            expected=f"the model's columns; given are {', '.join(map(str, features.columns)) or 'none'}",
            action=near_miss(name, map(str, features.columns)),
            column=name,
        )
    try:
        if levels is None:
            numbers: np.ndarray = features[name].to_numpy(dtype=float, na_value=np.nan)
            return numbers
        codes = pd.Categorical(features[name], categories=list(levels)).codes.astype(float)
        return np.where(codes < 0, np.nan, codes)
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(
            f"The column {name!r} of type {features[name].dtype} cannot be scored: {error}",
            expected="numbers or booleans, as the model was fitted on",
            action="Check the type of this column in the feature service",
            column=name,
        ) from error


def level_codes(levels: Sequence[Any]) -> dict[Any, float]:
    """The code of each level, for `coded`."""
    return {level: float(code) for code, level in enumerate(levels)}


def coded(values: Sequence[Any], codes: Mapping[Any, float]) -> list[float | None]:
    """What `column_codes` makes of plain values, None for what is missing or was never seen."""
    return [codes.get(value) for value in values]
