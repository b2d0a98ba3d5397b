"""A training period of ten weeks, and a quiet week after it."""

import pandas as pd
import pytest

from ops_pipelines.mlops.drift import ColumnProfile

from .drift_weeks import ROWS, WEEKS, profiles_of, rows_of


@pytest.fixture(scope="module")
def profiles() -> tuple[ColumnProfile, ...]:
    return profiles_of(rows_of(1, WEEKS * ROWS))


@pytest.fixture(scope="module")
def week() -> pd.DataFrame:
    return rows_of(2, ROWS)
