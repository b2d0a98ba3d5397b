import json
import math

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.mlops.evaluation import GateRule, compare, judge_challenger
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION

RULE = GateRule(confidence=0.95, min_rows=4, slice_margin=0.02 / math.log(2))
"""Where the champion says 0.5 throughout, its loss is log 2, and the margin 0.02 nats."""


def compared(champion, challenger, *, days=None, origins=None, rule: GateRule = RULE):
    """A comparison on rows that were all late: a row's loss is minus the logarithm of its score."""
    rows = len(champion)
    return compare(
        task=CLASSIFICATION,
        labels=np.ones(rows),
        challenger=np.array(challenger, dtype=float),
        champion=np.array(champion, dtype=float),
        days=list(range(rows)) if days is None else days,
        slices=pd.DataFrame({} if origins is None else {"origin": origins}, index=range(rows)),
        rule=rule,
    )


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("confidence", 0.5, "more than 0.5 and less than 1"),
        ("confidence", 1.0, "more than 0.5 and less than 1"),
        ("confidence", math.nan, "more than 0.5 and less than 1"),
        ("min_rows", 0, "at least 1"),
        ("slice_margin", -0.001, "a share of the champion's loss, 0 or more"),
        ("slice_margin", math.nan, "a share of the champion's loss, 0 or more"),
    ],
)
def test_a_rule_that_could_not_judge_is_refused(setting: str, value: float, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        GateRule(**{setting: value})
    hint = f"Set {setting} under `gate` in the YAML."
    assert str(refused.value) == f"{setting} under `gate` is {value}. Expected: {expected}. {hint}"


def test_a_rule_may_ask_for_little() -> None:
    assert GateRule(confidence=0.51, min_rows=1, slice_margin=0).min_rows == 1


def test_a_challenger_that_beats_the_base_rate_every_day_passes() -> None:
    labels = np.tile([1.0, 0.0, 0.0, 0.0], 10)
    better = np.where(labels == 1, 0.4, 0.2) + np.linspace(0, 0.05, 40)
    found = compare(
        task=CLASSIFICATION,
        labels=labels,
        challenger=better,
        champion=np.full(40, labels.mean()),
        days=np.repeat(range(10), 4).tolist(),
        slices=pd.DataFrame(index=range(40)),
        rule=RULE,
    )
    assert isinstance(judge_challenger(found, RULE), Passed)


def test_the_gain_and_its_bound_by_hand() -> None:
    # gains log 2, log 4, log 6: mean log(48)/3; one row a day; t of 0.95 with 2 degrees is 2.919986
    found = compared([0.1, 0.1, 0.1], [0.2, 0.4, 0.6])
    gains = np.log([2, 4, 6])
    error = gains.std(ddof=1) / math.sqrt(3)
    assert (found.gain, found.rows, found.days) == (pytest.approx(gains.mean()), 3, 3)
    assert found.gain_lower_bound == pytest.approx(gains.mean() - 2.919986 * error, abs=1e-6)
    assert found.gain_interval == pytest.approx((found.gain_lower_bound, 2 * found.gain - found.gain_lower_bound))
    assert found.champion_loss - found.challenger_loss == pytest.approx(found.gain)


def test_the_same_scores_gain_nothing_and_are_blocked() -> None:
    verdict = judge_challenger(compared([0.5] * 4, [0.5] * 4), RULE)
    assert isinstance(verdict, Blocked)
    assert "a gain of +0.0000" in verdict.reasons[0]


def test_a_worse_challenger_is_blocked() -> None:
    assert isinstance(judge_challenger(compared([0.6, 0.5, 0.6], [0.3, 0.2, 0.25]), RULE), Blocked)


def test_one_lucky_day_is_not_enough() -> None:
    champion, challenger = [0.5] * 40, [0.9] * 10 + [0.49] * 30
    days = np.repeat(range(4), 10).tolist()
    by_day, by_row = compared(champion, challenger, days=days), compared(champion, challenger)
    assert isinstance(judge_challenger(by_row, RULE), Passed)
    assert isinstance(judge_challenger(by_day, RULE), Blocked)
    assert by_day.gain == by_row.gain > 0


def test_one_day_of_rows_is_not_evaluated() -> None:
    verdict = judge_challenger(compared([0.5] * 4, [0.9] * 4, days=["mon"] * 4), RULE)
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "the holdout has 1 day of labelled rows, and an interval needs two"


def test_no_rows_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="at least one"):
        compared([], [])


def test_a_slice_that_got_worse_blocks_what_is_better_overall() -> None:
    champion = [0.5] * 12
    challenger = [0.7] * 8 + [0.4] * 4
    verdict = judge_challenger(compared(champion, challenger, origins=["EWR"] * 8 + ["JFK"] * 4), RULE)
    assert (
        f"slice origin=JFK (4 rows) got worse by {math.log(0.5 / 0.4):.4f}, more than its margin 0.0200"
        in reasons_of(verdict)
    )


def test_a_slice_may_lose_its_margin_and_no_more() -> None:
    champion, lost = [0.5] * 12, 0.5 * math.exp(-0.0199)
    found = compared(champion, [0.8, 0.81] * 4 + [lost] * 4, origins=["EWR"] * 8 + ["JFK"] * 4)
    assert isinstance(judge_challenger(found, RULE), Passed)
    assert isinstance(judge_challenger(found, GateRule(min_rows=4, slice_margin=0.0198 / math.log(2))), Blocked)


def test_small_slices_are_listed_pooled_and_do_not_gate() -> None:
    origins = ["EWR"] * 8 + ["JFK"] * 3 + ["LGA"]
    found = compared([0.5] * 12, [0.9, 0.91] * 4 + [0.4] * 4, origins=origins)
    listed = {part.name: (part.rows, part.judged) for part in found.slices}
    assert listed == {
        "origin=EWR": (8, True),
        "origin=JFK": (3, False),
        "origin=LGA": (1, False),
        "origin=other": (4, False),
    }
    assert {part.name: part.gain for part in found.slices}["origin=other"] == pytest.approx(math.log(0.4 / 0.5))
    assert isinstance(judge_challenger(found, RULE), Passed)


def test_rows_without_a_slice_value_are_a_slice_of_their_own() -> None:
    found = compared([0.5] * 8, [0.9] * 8, origins=["EWR"] * 4 + [None] * 4)
    assert [part.name for part in found.slices] == ["origin=EWR", "origin=missing"]


def test_the_verdict_carries_the_comparison_as_plain_json() -> None:
    found = compared([0.5] * 8, [0.9, 0.8] * 4, origins=["EWR"] * 4 + ["JFK"] * 4)
    evidence = judge_challenger(found, RULE).evidence
    assert json.loads(canonical_json(dict(evidence)))["comparison"]["gain"] == found.gain


def test_a_regression_is_compared_by_its_absolute_error_in_the_labels_unit() -> None:
    labels = np.array([10.0, 20.0, 30.0, 40.0] * 3)
    found = compare(
        task=REGRESSION,
        labels=labels,
        champion=labels + np.tile([4.0, -4.0], 6),
        challenger=labels + np.tile([1.0, -2.0, 1.5], 4),
        days=np.repeat(range(3), 4).tolist(),
        slices=pd.DataFrame(index=range(12)),
        rule=RULE,
    )
    assert (found.loss, found.champion_loss, found.challenger_loss) == ("absolute_error", 4.0, 1.5)
    assert isinstance(judge_challenger(found, RULE), Passed)


def test_a_regression_that_is_refused_says_by_how_much_in_the_labels_unit() -> None:
    labels = np.arange(12.0)
    found = compare(
        task=REGRESSION,
        labels=labels,
        champion=labels + 1,
        challenger=labels + 2,
        days=np.repeat(range(3), 4).tolist(),
        slices=pd.DataFrame(index=range(12)),
        rule=RULE,
    )
    (reason,) = reasons_of(judge_challenger(found, RULE))
    assert reason.startswith("absolute error 2.0000 against 1.0000: a gain of -1.0000")
