import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.answer_log import OUTCOMES
from ops_pipelines.llmops.answer_rates import ERRORS, RateRule, judge_errors, judge_stopped

RULE = RateRule(most_failed=0.1, most_stopped=0.2, least=10)
GOOD = ["answered"] * 9


def test_as_many_errors_as_may_be_pass_and_one_more_does_not():
    assert isinstance(judge_errors([*GOOD, "timeout"], RULE), Passed)
    verdict = judge_errors([*GOOD, "timeout", "cut"], RULE)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("2 of 11 questions failed (1 cut, 1 timeout), and 10.0% may",)
    assert verdict.evidence["answered"] == 9


def test_what_a_guardrail_a_budget_or_the_caller_ended_is_no_error():
    assert isinstance(judge_errors([*GOOD, "stopped", "over_budget", "abandoned"], RULE), Passed)
    assert {"answered", "stopped", "over_budget", "abandoned"} == OUTCOMES - ERRORS


def test_guardrails_that_stop_more_than_they_should_are_told():
    assert isinstance(judge_stopped([*GOOD, "stopped"], RULE), Passed)
    assert isinstance(judge_stopped([*GOOD, *["stopped"] * 3], RULE), Blocked)


def test_a_handful_of_questions_is_not_judged():
    assert isinstance(judge_errors(GOOD, RULE), NotEvaluated)
    assert isinstance(judge_stopped([], RULE), NotEvaluated)


def test_a_share_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="most_failed"):
        RateRule(most_failed=2)
