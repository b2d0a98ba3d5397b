from datetime import timedelta

import pytest

from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_requests import (
    NO_DATA,
    PASSED,
    ROLLED_BACK,
    Answer,
    answer_to_json,
    answer_words,
    judge_answers,
    why_wait,
)
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import RequestCost, RunCost
from ops_pipelines.testing.release_store import NEW_YEAR

WEEK = timedelta(weeks=1)
ENDED, KILLED = RunCost("r", 2.0, False, False), RunCost("r", 0.5, True, True)


def answer(outcome: str | None = None, *runs: RunCost, key: str = "a", week: float = 0, wanted: bool = True) -> Answer:
    """What became of a request as of so many weeks after New Year."""
    request = Request(key, "desk", "2013-01-01", NEW_YEAR + week * WEEK, "it is old", "ada", NEW_YEAR)
    return Answer(request, outcome, RequestCost(runs), wanted)


def judged(*answers: Answer, after: float = 1):
    return judge_answers(answers, end=NEW_YEAR + after * WEEK, patience_weeks=1)


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (answer(), "no run has begun"),
        (answer(None, KILLED), "run 1 of 3 has begun and not ended"),
        (answer(None, ENDED, ENDED), "run 2 of 3 ended without a decision"),
        (answer(None, ENDED, ENDED, ENDED), "given up after 3 runs that failed"),
        (answer(PASSED, ENDED), "passed, and not promoted"),
        (answer(NO_DATA, ENDED), "training set refused"),
    ],
)
def test_a_request_without_a_decision_is_told_with_its_state_when_patience_ends(found: Answer, state: str) -> None:
    verdict = judged(found)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == (f"a, asked for by ada as of 2013-01-01: {state}",)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (answer(), False),
        (answer(None, KILLED), False),
        (answer(PASSED, ENDED), False),
        (answer(None, ENDED, ENDED, ENDED), True),
        (answer(NO_DATA), True),
    ],
)
def test_what_nobody_goes_on_with_is_told_at_once_and_the_rest_may_take_its_time(found: Answer, told: bool) -> None:
    verdict = judged(found, after=0.9)
    assert isinstance(verdict, Blocked) is told
    assert told or verdict.evidence["waiting"] == ["a"]


@pytest.mark.parametrize("outcome", ["promoted", "refused", ROLLED_BACK])
def test_a_decision_is_an_answer_whatever_it_was(outcome: str) -> None:
    assert isinstance(judged(answer(outcome, ENDED), after=50), Passed)


def test_a_later_decision_settles_what_came_before_and_not_what_comes_after() -> None:
    lost, decided, lost_again = answer(), answer("refused", key="b", week=1), answer(key="c", week=2)
    assert isinstance(judged(lost, decided, after=9), Passed)
    verdict = judged(lost, decided, lost_again, after=9)
    assert isinstance(verdict, Blocked)
    assert [reason.partition(",")[0] for reason in verdict.reasons] == ["c"]


def test_what_nobody_wants_any_more_is_not_told() -> None:
    assert isinstance(judged(answer(wanted=False), after=9), Passed)
    assert not answer(wanted=False).is_open(NEW_YEAR, 1)


def test_where_nothing_was_asked_for_nothing_is_missing() -> None:
    assert judged() == Passed({"requests": 0, "waiting": []})


def test_the_ledger_says_what_is_unknown() -> None:
    known, unknown = answer("refused", ENDED, ENDED), answer("refused", KILLED, ENDED)
    assert answer_to_json(known, price_per_cpu_hour_usd=3.6)["usd"] == pytest.approx(0.004)
    assert answer_words(known, price_per_cpu_hour_usd=3.6)["US dollars"] == "0.0040"
    row = answer_to_json(unknown, price_per_cpu_hour_usd=3.6)
    assert (row["cpu_seconds"], row["unknown_runs"], row["usd"]) == (2.5, 1, None)
    words = answer_words(unknown, price_per_cpu_hour_usd=3.6)
    assert (words["CPU seconds"], words["US dollars"]) == ("2.5 + 1 run(s) unknown", "unknown")
    assert answer_words(answer(), price_per_cpu_hour_usd=3.6)["US dollars"] == ""


def waits(*answers: Answer, after: float, **rule: float) -> str | None:
    rows = [found.request for found in answers]
    decided = {found.request.key for found in answers if found.is_decided}
    setting = RetrainingRule(**{"cooldown_weeks": 0, **rule})
    return why_wait(rows, (), decided=decided, end=NEW_YEAR + after * WEEK, rule=setting)


def test_a_request_that_is_not_decided_holds_back_the_next_one_until_patience_ends() -> None:
    assert waits(answer(), after=0.5) == "a is not decided yet"
    assert waits(answer(), after=1) is None
    assert waits(answer(), after=1, patience_weeks=2) == "a is not decided yet"
    assert waits(answer("refused"), after=0.5) is None


def test_the_cooldown_is_named_before_an_open_request_and_that_before_the_budget() -> None:
    assert waits(answer(), after=0.5, cooldown_weeks=4) == "cooldown until 2013-01-29"
    assert waits(answer(), after=0.5, budget_runs=1) == "a is not decided yet"
    assert waits(answer(), after=1, budget_runs=1) == "the budget of 1 runs in 26 weeks is spent"
