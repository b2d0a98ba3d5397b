"""Rows as callers ask for them: with values that are missing or that no model has seen, column by column and plain."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

CELLS = ("as it is", "as it is", "missing", "unseen")
"""What may become of a cell; most stay as they are."""


def changed_rows(features: "pd.DataFrame", chosen: Any) -> "pd.DataFrame":
    """Some rows again, a cell of them left as it is, missing where its column may be, or a text that nobody has seen."""
    rows = features.iloc[[at for at, _ in chosen]].reset_index(drop=True)
    for row, (_, cells) in enumerate(chosen):
        for name, cell in zip(features.columns, cells, strict=True):
            is_text = features[name].dtype == object
            if cell == "missing" and features[name].isna().any():
                rows.loc[row, name] = None
            elif cell == "unseen" and is_text:
                rows.loc[row, name] = "nobody has seen this"
    return rows


def plain_columns(features: "pd.DataFrame") -> dict[str, list[Any]]:
    """The columns as a request has them: numbers, texts, booleans, None."""
    plain = features.astype(object).where(features.notna(), None)
    return {str(name): plain[name].tolist() for name in plain.columns}


def scores_or_refusal(make: Callable[[], list[float]]) -> list[float] | None:
    """The scores, or None where the rows are refused: a model may know no missing and no unseen values."""
    try:
        return make()
    except (DataError, ValueError, TypeError):
        return None
