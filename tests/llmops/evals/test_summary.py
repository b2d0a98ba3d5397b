import numpy as np
import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.evals.result import EvalRun, Scored
from ops_pipelines.llmops.evals.summary import EvalRule, judge_run, summarise

RULE = EvalRule({"says": 0.8})


def run_of(*values, stopped="", clusters=None, errors=()):
    """A run with a case for each value of the score `says`; None could not be told."""
    scored = [
        Scored(
            f"c{n}", clusters[n] if clusters else f"c{n}", "answerable", 0, {"says": value}, {"says": f"why {n}"}, None
        )
        for n, value in enumerate(values)
    ]
    failed = [Scored(f"e{n}", "e", "answerable", 0, {"says": None}, {}, None, error) for n, error in enumerate(errors)]
    return EvalRun("a", "b", (*scored, *failed), len(values), 0, {"says": "1"}, stopped)


def test_a_mean_comes_with_its_clustered_interval_as_worked_by_hand():
    one = summarise(run_of(1.0, 1.0, 0.0, 0.0, 1.0, 0.5, clusters="aabbcc")).scores["says"]
    # residuals by cluster are 5/6, -7/6 and 1/3: their squares sum to 78/36, times 3/2, and the root over six rows
    error = np.sqrt(78 / 36 * 3 / 2) / 6
    low, high = 7 / 12 - 4.302652729911275 * error, 7 / 12 + 4.302652729911275 * error
    assert one.mean == pytest.approx(7 / 12)
    assert one.interval == (pytest.approx(max(0, low)), pytest.approx(min(1, high)))
    assert (one.cases, one.clusters, one.missing) == (6, 3, 0)


def test_failures_are_named_with_their_reason():
    (failure,) = summarise(run_of(1.0, 0.25)).scores["says"].failures
    assert (failure.case, failure.value, failure.why) == ("c1", 0.25, "why 1")


def test_a_run_that_reaches_its_means_passes():
    assert isinstance(judge_run(run_of(1.0, 0.6), RULE), Passed)


def test_a_mean_below_its_bound_blocks_with_the_worst_answers():
    found = judge_run(run_of(1.0, 0.25), RULE)
    assert found == Blocked(
        ("says is 0.625, and at least 0.800 is required (c1: why 1)",), {"cases": 2, "means": {"says": 0.625}}
    )


def test_a_score_that_is_missing_is_never_a_pass():
    assert isinstance(judge_run(run_of(1.0, None), RULE), NotEvaluated)
    assert isinstance(judge_run(run_of(1.0, errors=["it broke"]), RULE), NotEvaluated)
    assert isinstance(judge_run(run_of(1.0, None), EvalRule({"says": 0.8}, most_missing=0.5)), Passed)


def test_a_required_score_that_was_never_made_is_never_a_pass():
    assert judge_run(run_of(1.0), EvalRule({"judge": 0.5})).why == "judge was not scored"
    assert judge_run(run_of(None), RULE).why == "says was not scored"


def test_a_run_of_nothing_is_never_a_pass():
    assert judge_run(run_of(), RULE).why == "no case was asked"


def test_a_run_that_was_stopped_is_never_a_pass():
    assert "stopped: no money" in judge_run(run_of(1.0, stopped="no money"), RULE).why


def test_a_known_refusal_wins_over_what_could_not_be_told():
    assert isinstance(judge_run(run_of(0.0, None), RULE), Blocked)


def test_one_cluster_has_a_mean_and_no_interval():
    assert summarise(run_of(1.0, 0.5, clusters="aa")).scores["says"].interval is None


def test_means_are_told_by_kind_and_errors_by_case():
    found = summarise(run_of(1.0, errors=["it broke"]))
    assert (found.by_kind, found.errors) == ({"answerable": {"says": 1.0}}, {"e0": "it broke"})


@pytest.mark.parametrize("settings", [{"least": {}}, {"least": {"says": 2}}, {"least": {"says": 1}, "most_missing": 1}])
def test_a_rule_that_could_not_refuse_is_no_rule(settings):
    with pytest.raises(ConfigError):
        EvalRule(**settings)
