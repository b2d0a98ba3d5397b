"""The screen's data, twelve numbers and eight texts a row, and the population stability index in plain numpy.

The reference is the training period, ten windows of it; in what is screened a third of the columns moved, a fiftieth
of each column is missing, and one text column has a category that was never seen.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

NUMBERS = tuple(f"number_{position}" for position in range(12))
TEXTS = tuple(f"text_{position}" for position in range(8))
COLUMNS = (*NUMBERS, *TEXTS)
WINDOWS = 10
_MISSING = 0.02


def write_sides(folder: Path, rows: int) -> tuple[str, str]:
    """The reference and what is screened, a Parquet file each."""
    return _write(folder / "reference", rows, moved=False), _write(folder / "current", rows, moved=True)


def psi_of_numbers(values: "np.ndarray", edges: "np.ndarray", reference: "np.ndarray") -> float:
    """The index of a column of numbers against how many its reference had between these edges."""
    return _psi(reference, counts_of_numbers(values, edges))


def counts_of_numbers(values: "np.ndarray", edges: "np.ndarray") -> "np.ndarray":
    """How many of the values lie between each two edges, and how many are missing."""
    import numpy as np

    counts, _ = np.histogram(values, bins=edges)
    return np.append(counts, len(values) - counts.sum())


def deciles(values: "np.ndarray") -> "np.ndarray":
    """Ten bins of equally many values, open at both ends."""
    import numpy as np

    return np.concatenate([[-np.inf], np.nanquantile(values, np.arange(1, 10) / 10), [np.inf]])


def psi_of_texts(values: "pd.Series[Any]", reference: "pd.Series[Any]") -> float:
    """The index of a column of categories against their counts in the reference; all new ones are one category."""
    import numpy as np

    known = counts_of_texts(values).reindex(reference.index, fill_value=0).to_numpy()
    return _psi(np.append(reference.to_numpy(), 0), np.append(known, len(values) - known.sum()))


def counts_of_texts(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """How many there are of each category, missing ones included."""
    return values.value_counts(dropna=False)


def _psi(before: "np.ndarray", after: "np.ndarray") -> float:
    """The index of two histograms; half a row is added to each bin, so that an empty one has a logarithm."""
    import numpy as np

    p, q = ((counts + 0.5) / (counts + 0.5).sum() for counts in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def _write(file: Path, rows: int, *, moved: bool) -> str:
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    draw = np.random.default_rng([rows, moved])
    columns: dict[str, Any] = {}
    for position, name in enumerate(NUMBERS):
        shift = 0.3 if moved and position % 3 == 0 else 0.0
        columns[name] = pa.array(draw.normal(shift, 1, rows), mask=draw.random(rows) < _MISSING)
    for position, name in enumerate(TEXTS):
        many = 4 + 5 * position
        weights = 1 / np.arange(1, many + 1) ** (1.2 if moved and position % 3 == 0 else 1.0)
        codes = draw.choice(many, rows, p=weights / weights.sum())
        if moved and position == 1:
            codes[draw.random(rows) < 0.01] = many
        words = pa.array([f"{name}-{code}" for code in range(many + 1)])
        columns[name] = words.take(pa.array(codes, mask=draw.random(rows) < _MISSING))
    pq.write_table(pa.table(columns), file)
    return str(file)
