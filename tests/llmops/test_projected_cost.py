from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.chat_model import Message
from ops_pipelines.llmops.projected_cost import AskedCase, CostRule, judge_projected_cost
from ops_pipelines.llmops.prompt import Prompt

FIRST = Prompt(
    name="answers",
    messages=(Message("user", "{{ question }}"),),
    variables={"question": "text"},
    provider="openai",
    model="small",
    parameters={"max_tokens": 100},
)
LONGER = replace(FIRST, messages=(Message("user", "Think of everything first. " * 40 + "{{ question }}"),))
TWICE = replace(FIRST, messages=(Message("user", "{{ question }}{{ question }}"),))
CASES = [AskedCase("short", {"question": "x" * 40}), AskedCase("long", {"question": "x" * 4_000})]
RULE = CostRule(most_times=1.5)


def price_of(provider, model, usage):
    """A dollar for each token that goes in, and two for each that comes out."""
    return Decimal(usage.input_tokens + 2 * usage.output_tokens) if model != "unlisted" else None


def judge(after, cases=CASES, rule=RULE, before=FIRST):
    return judge_projected_cost(before, after, cases, price_of, rule)


def test_the_average_is_what_the_cases_cost_by_how_often_they_are_asked():
    # In: 8 a message and a token for 4 characters; out: the limit of 100. So 10 + 8 + 200, and 1,000 + 8 + 200.
    cases = [replace(CASES[0], weight=3.0), CASES[1]]
    assert judge(FIRST, cases).evidence["usd_before"] == (3 * 218 + 1208) / 4
    assert judge(FIRST, cases).evidence["times"] == 1


def test_a_rise_beyond_the_rule_is_blocked_with_the_cases_that_cause_it():
    verdict = judge(TWICE, CASES, CostRule(most_times=1.2))
    assert isinstance(verdict, Blocked)
    assert "1.71 times as much as before" in verdict.reasons[0]
    assert [cause["case"] for cause in verdict.evidence["causes"]] == ["long", "short"]
    assert verdict.reasons[1].startswith("most of it comes from long ($1208.000000 to $2208.000000)")


def test_how_often_a_case_is_asked_decides_what_causes_the_rise():
    cases = [replace(CASES[0], weight=1_000.0), CASES[1]]
    causes = judge(LONGER, cases).evidence["causes"]
    assert [cause["case"] for cause in causes] == ["short", "long"]


def test_a_rise_within_the_rule_passes_and_a_limit_in_dollars_holds_by_itself():
    assert isinstance(judge(TWICE, CASES, CostRule(most_times=2)), Passed)
    assert isinstance(judge(TWICE, CASES, CostRule()), Passed)
    verdict = judge(FIRST, CASES, CostRule(most_usd=Decimal(700)))
    assert verdict.reasons == (
        "a request costs $713.000000 on the average, and may cost $700",
        "no case costs more than before",
    )


def test_another_model_is_priced_as_itself():
    assert isinstance(judge(replace(FIRST, model="unlisted")), NotEvaluated)
    assert (
        judge(replace(FIRST, model="unlisted")).why == "the price of openai/unlisted is unknown, which is not nothing"
    )


def test_a_recorded_length_counts_for_both_up_to_the_limit_of_each():
    cases = [replace(CASES[0], output_tokens=60)]
    tighter = replace(FIRST, parameters={"max_tokens": 10})
    evidence = judge(tighter, cases).evidence
    assert (evidence["usd_before"], evidence["usd_after"]) == (18 + 2 * 60, 18 + 2 * 10)


@pytest.mark.parametrize(
    ("after", "cases", "why"),
    [
        (FIRST, [], "no case"),
        (FIRST, [replace(CASES[0], weight=0)], "no case"),
        (replace(FIRST, parameters={}), CASES, "sets no max_tokens"),
        (FIRST, [AskedCase("odd", {"qestion": "x"})], "case 'odd' cannot be asked"),
        (replace(FIRST, messages=(Message("user", "{{ range(3) }}"),)), CASES, "case 'short' cannot be asked"),
    ],
)
def test_what_cannot_be_projected_is_never_a_pass(after, cases, why):
    verdict = judge(after, cases)
    assert isinstance(verdict, NotEvaluated)
    assert why in verdict.why


def test_a_variable_that_only_one_of_them_takes_is_given_to_that_one():
    second = replace(
        FIRST, messages=(Message("user", "{{ question }} {{ tone }}"),), variables={"question": "text", "tone": "text"}
    )
    assert isinstance(judge(second, [AskedCase("kind", {"question": "x", "tone": "kind"})]), Passed)


@given(st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 50)), min_size=1, max_size=8), st.floats(1.01, 4))
def test_a_verdict_says_what_its_averages_say(lengths, most):
    cases = [AskedCase(str(n), {"question": "x" * size}, weight) for n, (size, weight) in enumerate(lengths)]
    verdict = judge(TWICE, cases, CostRule(most_times=most))
    before, after = verdict.evidence["usd_before"], verdict.evidence["usd_after"]
    assert after >= before
    assert isinstance(verdict, Blocked) == (after > before * most)
