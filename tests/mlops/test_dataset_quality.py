from datetime import timedelta

import pyarrow as pa
import pytest

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.mlops.dataset import Column, DatasetSpec, conform
from ops_pipelines.mlops.dataset_quality import Summary, judge_partition, summarize
from ops_pipelines.testing.datasets import DAY, SPEC, landings

WINDOW = Window(DAY, DAY + timedelta(days=1))


def judged(table: pa.Table, last_good: Summary | None = None, window: Window | None = WINDOW):
    return judge_partition(conform(table, SPEC), SPEC, window=window, last_good=last_good)


def test_a_good_partition_passes_with_its_summary_as_evidence() -> None:
    verdict = judged(landings(), Summary(3))
    assert isinstance(verdict, Passed)
    assert verdict.evidence["summary"]["rows"] == verdict.evidence["compared_with"]["rows"] == 3


def test_a_partition_without_rows_is_not_evaluated() -> None:
    verdict = judged(landings(0))
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "dataset 'landings' has no rows in 2013-01-01 00:00 to 2013-01-02 00:00"


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (
            {"flight": ["UA1", "UA1", "UA2"]},
            "1 keys of 'landings' occur more than once, for instance {'flight': 'UA1'}",
        ),
        ({"flight": ["UA1", None, "UA2"]}, "33.3% of 'flight' is missing, and it is declared as always present"),
        ({"seats": [1, 601, 2]}, "'seats' goes up to 601, and 600 is the most allowed"),
        ({"delay": [0.0, -180.5, None]}, "'delay' goes down to -180.5, and -180 is the least allowed"),
    ],
)
def test_a_bad_partition_is_blocked_with_the_reason(columns, reason: str) -> None:
    assert reasons_of(judged(landings(**columns))) == (reason,)


def test_all_reasons_are_given_at_once() -> None:
    verdict = judged(landings(flight=["UA1"] * 3, seats=[0, 1, 601]))
    assert isinstance(verdict, Blocked)
    assert len(verdict.reasons) == 3


@pytest.mark.parametrize(("rows", "good"), [(4, False), (5, True), (10, True), (20, True), (21, False)])
def test_the_row_count_may_halve_or_double_and_no_more(rows: int, good: bool) -> None:
    assert isinstance(judged(landings(rows), Summary(10)), Passed) == good


def test_missing_values_may_grow_by_the_declared_share_and_no_more() -> None:
    before = summarize(landings(4))
    assert isinstance(judged(landings(10, delay=[None] * 2 + [0.0] * 8), Summary(10, before.null_share)), Passed)
    grown = judged(landings(10, delay=[None] * 3 + [0.0] * 7), Summary(10, before.null_share))
    assert reasons_of(grown) == ("30.0% of 'delay' is missing, 0.0% in the last good partition",)


def test_the_first_partition_is_judged_by_the_schema_alone() -> None:
    assert isinstance(judged(landings(3, delay=pa.array([None] * 3, pa.float64()))), Passed)


@pytest.mark.parametrize(
    ("late", "outside"),
    [(timedelta(0), False), (timedelta(days=1, microseconds=-1), False), (timedelta(days=1), True)],
    ids=["at the start", "just before the end", "at the end"],
)
def test_a_window_includes_its_start_and_not_its_end(late: timedelta, outside: bool) -> None:
    verdict = judged(landings(1, landed_at=[DAY + late]))
    assert bool(reasons_of(verdict)) == outside


def test_rows_of_another_day_are_counted() -> None:
    verdict = judged(landings(3, landed_at=[DAY, DAY - timedelta(microseconds=1), DAY + timedelta(days=2)]))
    assert reasons_of(verdict) == ("2 rows have 'landed_at' outside 2013-01-01 00:00 to 2013-01-02 00:00",)
    assert isinstance(judged(landings(1, landed_at=[DAY - timedelta(9)]), window=None), Passed)


def test_nan_counts_as_missing() -> None:
    table = landings(delay=[float("nan"), 1.0, 2.0], seats=pa.array([float("nan"), 1.0, 2.0]))
    spec = DatasetSpec("d", (Column("flight", "string"), Column("delay", "float"), Column("seats", "int")), ("flight",))
    conformed = conform(table, spec)
    assert (conformed.column("delay").null_count, conformed.column("seats").null_count) == (1, 1)
    verdict = judge_partition(conformed, spec, window=None, last_good=None)
    assert [reason[:18] for reason in reasons_of(verdict)] == ["33.3% of 'delay' i", "33.3% of 'seats' i"]
