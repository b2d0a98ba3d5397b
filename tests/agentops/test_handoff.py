from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.handoff import DelegationPolicy, Handoff, HandoffRule, judge_handoff
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Passed, reasons_of

POLICY = DelegationPolicy(
    (
        HandoffRule("oncall", "reader", tools=frozenset({"search", "open"})),
        HandoffRule("oncall", "operator", frozenset({"roll back"}), frozenset({"rollback"})),
        HandoffRule("reader", "judge"),
        HandoffRule("judge", "oncall"),
    )
)
GOOD = Handoff(("oncall",), "reader", "find the cause", frozenset({"search"}), frozenset({"search", "rollback"}))


def test_what_a_rule_allows_is_handed_on():
    assert judge_handoff(POLICY, GOOD) == Passed({"sender": "oncall", "receiver": "reader", "tools": ["search"]})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"receiver": "readers"}, "no rule lets 'oncall' hand anything to 'readers'. Did you mean 'reader'?"),
        ({"line": ()}, "no rule lets '' hand anything"),
        ({"receiver": "operator", "tools": frozenset()}, "may not hand 'find the cause' to 'operator'"),
        ({"tools": frozenset({"rollback"})}, "no rule lets 'reader' have rollback"),
        ({"granted": frozenset()}, "may not use search itself"),
        ({"line": ("reader", "oncall")}, "'reader' waits for this task itself: reader -> oncall"),
        ({"line": ("a", "b", "oncall")}, "3 agents stand in line already, and at most 3 may"),
        ({"receiver_tenant": "globex"}, "for tenant '', and the receiver works for 'globex'"),
    ],
)
def test_what_no_rule_allows_is_refused_with_its_reason(change, reason):
    (said,) = reasons_of(judge_handoff(POLICY, replace(GOOD, **change)))
    assert reason in said


def test_all_reasons_are_given_at_once():
    verdict = judge_handoff(POLICY, replace(GOOD, line=("reader", "b", "oncall"), granted=frozenset()))
    assert len(reasons_of(verdict)) == 3


def test_a_name_that_begins_like_an_allowed_one_is_another_agent():
    assert reasons_of(judge_handoff(POLICY, replace(GOOD, receiver="reader_admin")))


def test_a_policy_without_rules_lets_nothing_through():
    assert reasons_of(judge_handoff(DelegationPolicy(()), GOOD))


def test_a_policy_for_no_agent_at_all_is_refused():
    with pytest.raises(ConfigError, match="1 or more"):
        DelegationPolicy((), deepest=0)


@settings(deadline=None)
@given(st.lists(st.sampled_from(["oncall", "reader", "judge"]), max_size=12), st.integers(1, 4))
def test_no_chain_of_handoffs_is_deeper_than_allowed_or_comes_back(receivers, deepest):
    policy, line = replace(POLICY, deepest=deepest), ("oncall",)
    for receiver in receivers:
        if isinstance(judge_handoff(policy, Handoff(line, receiver, "any")), Passed):
            line = (*line, receiver)
    assert len(line) <= deepest
    assert len(set(line)) == len(line)


@settings(deadline=None)
@given(
    st.sets(st.sampled_from(["search", "open", "rollback"])), st.sets(st.sampled_from(["search", "open", "rollback"]))
)
def test_no_agent_hands_on_a_tool_that_it_was_not_granted(tools, granted):
    handoff = replace(GOOD, tools=frozenset(tools), granted=frozenset(granted))
    if isinstance(judge_handoff(POLICY, handoff), Passed):
        assert tools <= granted & {"search", "open"}
