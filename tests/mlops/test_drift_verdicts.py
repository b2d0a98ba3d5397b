"""What is said of a week whose drift was measured."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.drift import (
    FEATURE,
    LABEL,
    PREDICTION,
    ColumnDrift,
    ColumnProfile,
    DriftRule,
    judge_drift,
    measure_drift,
    profile_column,
)

from .drift_weeks import ROWS, RULE, WEEKS, column_of, flagged


def test_each_flagged_column_is_a_reason_with_its_numbers(profiles, week) -> None:
    moved = week.assign(number=week["number"] + 3, gust=np.nan)
    verdict = judge_drift(measure_drift(profiles, moved, RULE), FEATURE, RULE)
    assert isinstance(verdict, Blocked)
    assert verdict.evidence == {"columns": 5, "judged": 5, "flagged": ["number", "gust"]}
    assert verdict.reasons[1].startswith("gust: PSI ")
    assert "above the 0.05 that its reference windows allow (missing: 20% → 100%; adjusted p " in verdict.reasons[1]


def test_roles_are_judged_apart() -> None:
    rows = pd.Series([1.0] * ROWS)
    columns = [
        ColumnProfile(role, role, (0.0,), None, (1000, 1000, 0), (0.01,) * WEEKS) for role in (FEATURE, PREDICTION)
    ]
    found = measure_drift(columns, {FEATURE: rows, PREDICTION: pd.Series([-1.0, 1.0] * 250)}, RULE)
    assert isinstance(judge_drift(found, FEATURE, RULE), Blocked)
    assert isinstance(judge_drift(found, PREDICTION, RULE), Passed)
    assert judge_drift(found, LABEL, RULE).why == "the release keeps no label to compare with"


def twenty(role: str, *, moved: int, unseen: int = 0) -> tuple[ColumnDrift, ...]:
    """Twenty columns of a week, of which some moved and some are not there."""
    profiles = [replace(column_of((0.01,) * WEEKS), name=f"x{n:02}", role=role) for n in range(20)]
    there = {f"x{n:02}": pd.Series([1.0] * ROWS if n < moved else [-1.0, 1.0] * 250) for n in range(20 - unseen)}
    return measure_drift(profiles, there, RULE)


@pytest.mark.parametrize(
    ("role", "moved", "unseen", "verdict"),
    [
        (FEATURE, 2, 0, Passed),
        (FEATURE, 3, 0, Blocked),
        (FEATURE, 2, 6, Passed),
        (FEATURE, 2, 7, Blocked),
        (FEATURE, 1, 14, Blocked),
        (PREDICTION, 1, 0, Blocked),
        (LABEL, 1, 0, Blocked),
    ],
)
def test_a_finding_about_features_needs_a_share_of_those_that_were_judged(role, moved, unseen, verdict) -> None:
    found = judge_drift(twenty(role, moved=moved, unseen=unseen), role, RULE)
    assert isinstance(found, verdict)
    assert found.evidence["flagged"] == [f"x{n:02}" for n in range(moved)]


def test_a_share_of_nothing_still_asks_for_one() -> None:
    lenient = DriftRule(feature_share=0)
    assert isinstance(judge_drift(twenty(FEATURE, moved=0), FEATURE, lenient), Passed)
    assert isinstance(judge_drift(twenty(FEATURE, moved=1), FEATURE, lenient), Blocked)


def test_too_few_rows_are_not_evaluated_however_far_they_moved() -> None:
    found = measure_drift([column_of((0.01,) * WEEKS)], {"x": pd.Series([1.0] * 499)}, RULE)
    assert not found[0].flagged
    verdict = judge_drift(found, FEATURE, RULE)
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "499 rows, and 500 are needed"
    enough = measure_drift([column_of((0.01,) * WEEKS)], {"x": pd.Series([1.0] * 500)}, RULE)
    assert isinstance(judge_drift(enough, FEATURE, RULE), Blocked)


def test_too_few_training_weeks_are_not_evaluated() -> None:
    now = {"x": pd.Series([1.0] * ROWS)}
    found = measure_drift([column_of((0.01, 0.01))], now, RULE)
    assert (found[0].limit, found[0].ratio, found[0].flagged) == (None, 0.0, False)
    verdict = judge_drift(found, FEATURE, RULE)
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "the reference has fewer than 3 windows, too few to compute a limit from"
    assert flagged([column_of((0.01, 0.01))], now, DriftRule(min_windows=2)) == ["x"]


def test_a_single_training_week_has_nothing_to_stray_from() -> None:
    assert profile_column("x", FEATURE, pd.Series([1.0, 2.0]), np.array([1, 1])).strayed == ()


def test_a_columns_row_is_plain_json(profiles, week) -> None:
    for column in measure_drift(profiles, week, RULE):
        record = json.loads(canonical_json(column.to_json()))
        assert (record["name"], record["moved"], record["ratio"]) == (column.name, column.moved, column.ratio)
        assert sum(record["current"]) == pytest.approx(1)
