"""Weeks of columns of each kind, and how they are measured: what tests of drift need."""

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from ops_pipelines.mlops.drift import (
    FEATURE,
    ColumnDrift,
    ColumnProfile,
    DriftRule,
    measure_drift,
    profile_column,
)

RULE, WEEKS, ROWS = DriftRule(), 10, 500
PERIOD = np.repeat(np.arange(WEEKS), ROWS)
COUNTS = st.lists(st.integers(0, 1000), min_size=3, max_size=3).map(np.array)


def rows_of(seed: int, rows: int) -> pd.DataFrame:
    """Columns of each kind: a normal number, one with many zeros, text, a boolean and one with a fifth missing."""
    random = np.random.default_rng(seed)
    number = random.normal(size=rows)
    return pd.DataFrame(
        {
            "number": number,
            "rain": np.where(random.random(rows) < 0.95, 0.0, random.exponential(size=rows)),
            "carrier": random.choice(["UA", "B6", "AA", "HA"], size=rows, p=[0.4, 0.3, 0.2, 0.1]),
            "weekend": random.random(rows) < 0.3,
            "gust": np.where(random.random(rows) < 0.2, np.nan, random.normal(size=rows)),
        }
    )


def profiles_of(frame: pd.DataFrame, windows: np.ndarray = PERIOD) -> tuple[ColumnProfile, ...]:
    return tuple(profile_column(name, FEATURE, frame[name], windows) for name in frame)


def measured(profiles, week, rule: DriftRule = RULE) -> dict[str, ColumnDrift]:
    return {column.name: column for column in measure_drift(profiles, week, rule)}


def flagged(profiles, week, rule: DriftRule = RULE) -> list[str]:
    return [name for name, column in measured(profiles, week, rule).items() if column.flagged]


def column_of(effects: tuple[float, ...], *, counts: tuple[int, ...] = (1000, 1000, 0)) -> ColumnProfile:
    """A numeric column around 0 whose training weeks strayed so far."""
    return ColumnProfile("x", FEATURE, (0.0,), None, counts, effects)
