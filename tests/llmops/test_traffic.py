from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.chat_model import Message, Usage
from ops_pipelines.llmops.passages import Passage
from ops_pipelines.llmops.projected_cost import CostRule, judge_projected_cost
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.traffic import cases_of_traffic
from ops_pipelines.testing.answer_log import MONDAY, WEEK, MemoryAnswerLog, answered_of

BEFORE = Prompt(
    name="answers",
    messages=(Message("user", "{{ passages }}\n{{ question }}"),),
    variables={"question": "text", "passages": "text"},
    provider="openai",
    model="small",
)
FIVE_TIMES = Prompt(
    name="answers",
    messages=(Message("user", "{{ passages }}\n{{ question }}\n" * 5),),
    variables=BEFORE.variables,
    provider="openai",
    model="small",
)
LOOK = (Passage("a.md", "1", "Look. " * 50),)


def asked(number, question, tokens=40, passages=LOOK, **changes):
    usage = None if tokens is None else Usage(100, tokens)
    at = MONDAY + timedelta(minutes=number)
    return answered_of(str(number), at=at, question=question, usage=usage, passages=passages, **changes)


def price_of(_provider, _model, usage):
    return Decimal(usage.input_tokens + usage.output_tokens)


def test_a_question_counts_as_often_as_it_was_asked_with_the_length_that_its_answers_had():
    cases = cases_of_traffic([asked(1, "why?", 40), asked(2, "why?", 61), asked(3, "how?", 10)])
    found = {case.values["question"]: (case.weight, case.output_tokens) for case in cases}
    assert found == {"why?": (2.0, 51), "how?": (1.0, 10)}


def test_the_same_question_with_other_passages_is_another_case():
    other = (Passage("b.md", "1", "Wait."),)
    assert len(cases_of_traffic([asked(1, "why?"), asked(2, "why?", passages=other)])) == 2


def test_what_no_model_answered_costs_nothing_and_is_no_case():
    stopped = asked(1, "why?", None, outcome="stopped")
    assert cases_of_traffic([stopped]) == []


@given(st.permutations(range(30)), st.integers(1, 30))
def test_a_sample_of_many_questions_is_the_same_in_whatever_order_they_came(order, most):
    sample = cases_of_traffic([asked(number, f"question {number}") for number in order], most=most)
    assert len(sample) == most
    assert sample == cases_of_traffic([asked(number, f"question {number}") for number in range(30)], most=most)


def test_a_dearer_prompt_is_blocked_on_the_traffic_of_the_week_with_the_questions_that_cause_it():
    log = MemoryAnswerLog()
    log.keep([*(asked(number, "why?") for number in range(9)), asked(9, "how?", passages=())])
    cases = cases_of_traffic(log.answers(WEEK, "runbook_answers"))
    verdict = judge_projected_cost(BEFORE, FIVE_TIMES, cases, price_of, CostRule(most_times=2))
    assert isinstance(verdict, Blocked)
    why = next(case.id for case in cases if case.values["question"] == "why?")
    assert verdict.evidence["causes"][0]["case"] == why
    assert isinstance(judge_projected_cost(BEFORE, BEFORE, cases, price_of, CostRule(most_times=1)), Passed)
