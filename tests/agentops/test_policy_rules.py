"""The single rules of a policy: where they stand, what is wrong with them, and which can never apply."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.policy import Policy, Situation
from ops_pipelines.agentops.policy_explain import explain
from ops_pipelines.agentops.policy_reach import Known, never_applying
from ops_pipelines.agentops.policy_rules import Fault, faults_in, rules_in
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError

ALL = '@id("all") permit(principal, action, resource);'
REFUND = Tool("refund", {"type": "object"}, "money")


def forbids(condition, name="no"):
    return f'@id("{name}") forbid(principal, action, resource) when {{ {condition} }};'


def never(condition, **known):
    return [rule.id for rule, _ in never_applying(Policy({"a": ALL + forbids(condition)}), Known(**known))]


def test_a_rule_stands_where_its_first_word_does():
    text = f'// "a comment; with a quote\n\n{ALL}\n\n  {forbids("true")} // and more\n'
    assert [(rule.id, rule.line) for rule in rules_in({"a.cedar": text})] == [("all", 3), ("no", 5)]


def test_a_semicolon_in_a_text_ends_no_rule():
    assert [rule.id for rule in rules_in({"a": ALL.replace("all", "a;b")})] == ["a;b"]


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        (f"{ALL}\n\npermit(principal,\n  action resource);", 4, "unexpected token `resource`"),
        (f"{ALL}\n{forbids('resource.efect == 1')}", 2, "attribute `efect`"),
        ("permit(principal, action, resource);", 1, "no @id"),
        (f"{ALL}\n{ALL}", 2, "is that of a.cedar:1, too"),
        (ALL.replace("(principal", "(principal == ?principal"), 1, "a template"),
        (f"{ALL}\npermit(", 2, "unexpected end of input"),
        (f"{ALL.removesuffix(';')}\n\n{forbids('true')}", 3, "the rule before it wants a semicolon"),
        ("// nothing", 1, "no rule"),
    ],
)
def test_a_fault_is_told_with_its_line(text, line, told):
    (fault,) = faults_in({"a.cedar": text})
    assert (fault.line, told in fault.wrong) == (line, True), str(fault)


def test_a_fault_reads_as_a_place_and_what_is_wrong():
    assert str(Fault("a.cedar", 3, "it is empty")) == "a.cedar:3: it is empty"


PIECES = [
    ALL,
    forbids("true"),
    forbids("resource.effect == 1", "x"),
    "permit(",
    "// c",
    ";",
    '"',
    ALL.replace("all", "b"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=4))
def test_what_has_no_fault_is_a_policy_and_what_has_one_is_none(pieces):
    texts = {"a": "\n".join(pieces)}
    try:
        Policy(texts)
    except ConfigError:
        assert faults_in(texts)
    else:
        assert not faults_in(texts)


def test_words_that_no_call_has_and_conditions_that_exclude_each_other_never_apply():
    assert never('resource.effect == "mony"') == ["no"]
    assert never("context.amount_cents > 500 && context.amount_cents < 300") == ["no"]
    assert never('context.environment == "prod"') == ["no"]
    assert never('context.freezes.contains("a week")') == ["no"]


def test_what_some_call_fulfils_can_apply():
    assert (
        never('context.amount_cents > 500 && !context.approved && context.unseen.containsAll(["id", "amount"])') == []
    )
    assert never('context.tenant like "acme*" && context.depth > 7') == []
    assert never("context.frozen") == []
    assert never('context.arguments.contains("order=A17")') == []


def test_with_the_tools_of_an_agent_a_rule_about_another_tool_never_applies():
    assert never('resource == Tool::"note"', tools=[REFUND]) == ["no"]
    assert never('resource == Tool::"refund"', agent="refunds", tools=[REFUND]) == []
    assert never('principal == Agent::"other"', agent="refunds", tools=[REFUND]) == ["no"]


def test_a_rule_that_mentions_too_much_to_try_or_calculates_is_not_judged():
    many = ", ".join(f'"a{number}=1"' for number in range(7))
    assert never(f"context.arguments.containsAll([{many}]) && false") == []
    assert never("context.amount_cents * 3 > 9000000 && false") == []


def test_a_tenant_or_an_owner_that_no_rule_names_is_tried_too():
    assert never('context.tenant != "acme" && context.tenant != ""') == []
    assert never('resource.owner != "ada" && resource.owner != ""') == []


def test_the_smallest_changes_that_would_let_a_call_through_are_named():
    policy = Policy({"a": ALL + forbids("!context.approved", "asks") + forbids("context.frozen", "week")})
    found = explain(policy, REFUND, Situation("refunds", freezes=("release week",)))
    assert [(one.rule.id, one.applies, one.when_approved) for one in found.rules] == [
        ("all", True, True),
        ("asks", True, False),
        ("week", True, True),
    ]
    assert found.otherwise == (("a person approves it", "the freeze release week were over"),)


def test_an_allowed_call_needs_nothing_else():
    found = explain(Policy({"a": ALL}), REFUND, Situation("refunds"))
    assert (found.decision.outcome, found.otherwise) == ("allow", ())


def test_where_nothing_that_is_tried_would_do_nothing_is_named():
    found = explain(Policy({"a": ALL + forbids("true")}), REFUND, Situation("refunds"))
    assert (found.decision.outcome, found.otherwise) == ("deny", ())


ATOMS = [
    'resource.effect == "money"',
    "context.amount_cents > 500",
    "context.amount_cents < 300",
    "context.has_amount",
    "context.approved",
    "context.frozen",
    'context.unseen.contains("id")',
    'context.tenant == "acme"',
    "context.depth > 1",
    'context.arguments.contains("a=1")',
]
SITUATIONS = st.builds(
    Situation,
    st.just("refunds"),
    tenant=st.sampled_from(["", "acme", "other"]),
    depth=st.integers(0, 3),
    arguments=st.sampled_from([(), ("a=1",), ("b=2",)]),
    amount_cents=st.none() | st.integers(0, 1000),
    unseen=st.sampled_from([(), ("id",), ("amount", "id")]),
    freezes=st.sampled_from([(), ("a week",)]),
)
CONDITIONS = st.lists(st.tuples(st.sampled_from(["", "!"]), st.sampled_from(ATOMS)), min_size=1, max_size=3)


@pytest.mark.long
@given(CONDITIONS, st.sampled_from([" && ", " || "]), SITUATIONS, st.booleans())
def test_a_rule_that_applies_to_some_call_is_never_said_to_apply_to_none(parts, joined, situation, approved):
    condition = joined.join(f"{sign}({atom})" for sign, atom in parts)
    policy = Policy({"a": forbids(condition)})
    applies = bool(explain(policy, REFUND, situation, approved=approved).rules[0].applies)
    found = never_applying(policy, Known(tools=[REFUND], freezes=["a week"]))
    assert not (applies and found)
