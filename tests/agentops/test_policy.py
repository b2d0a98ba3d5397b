import tracemalloc
from datetime import UTC, datetime

import pytest

from ops_pipelines.agentops.freeze import Freeze, frozen_by
from ops_pipelines.agentops.policy import ALLOW, ASK, DENY, Policy, Situation
from ops_pipelines.agentops.tool_registry import DESTRUCTIVE, EFFECTS, MONEY, READ, WRITE, Tool
from ops_pipelines.core.errors import ConfigError

READS = '@id("reads") permit(principal, action, resource) when { resource.effect == "read" };'
WRITES = '@id("writes") permit(principal, action, resource) when { ["write", "money"].contains(resource.effect) };'
ASKED = """@id("money is approved")
forbid(principal, action, resource) when { resource.effect == "money" } unless { context.approved };"""
CAPPED = '@id("cap") forbid(principal, action, resource) when { context.amount_cents > 10000 };'
FROZEN = '@id("freeze") forbid(principal, action, resource) when { context.frozen && resource.effect != "read" };'
MINE = '@id("own tenant") forbid(principal, action, resource) unless { context.tenant == "acme" };'
NAMED = '@id("named") forbid(principal, action, resource) when { context.unseen.contains("destination") };'
PRODUCTION = (
    '@id("not there") forbid(principal, action, resource) when { context.arguments.contains("where=production") };'
)
SITUATION = Situation("oncall", tenant="acme")


def tool(effect: str, name: str = "act") -> Tool:
    return Tool(name, {"type": "object"}, effect)


def policy(*texts: str) -> Policy:
    return Policy({f"{number}.cedar": text for number, text in enumerate(texts)})


def test_what_no_policy_permits_is_denied():
    for effect in EFFECTS:
        assert policy(READS).decide(tool(effect), SITUATION).outcome == (ALLOW if effect == READ else DENY)
    assert policy(READS).decide(tool(DESTRUCTIVE), SITUATION).reason == "is forbidden: no policy permits it"


def test_a_decision_names_the_policies_that_made_it():
    found = policy(READS, WRITES, CAPPED).decide(tool(WRITE), Situation("oncall", amount_cents=10001))
    assert (found.outcome, found.by, found.reason) == (DENY, ("cap",), "is forbidden ('cap')")
    assert policy(READS).decide(tool(READ), SITUATION).reason == "permitted by 'reads'"
    asked = policy('@id("yes") permit(principal, action, resource) when { context.approved };')
    assert asked.decide(tool(READ), SITUATION).reason == "may be done once a person has approved it"


def test_what_an_approval_would_allow_is_asked_and_once_approved_allowed():
    rules = policy(WRITES, ASKED, CAPPED)
    assert rules.decide(tool(MONEY), SITUATION).outcome == ASK
    assert rules.decide(tool(MONEY), SITUATION).by == ("money is approved",)
    assert rules.decide(tool(MONEY), SITUATION, approved=True).outcome == ALLOW
    assert rules.decide(tool(MONEY), Situation("oncall", amount_cents=10001)).outcome == DENY


@pytest.mark.parametrize(
    ("text", "situation"),
    [
        (FROZEN, Situation("oncall", tenant="acme", freezes=("release week",))),
        (MINE, Situation("oncall", tenant="other")),
        (NAMED, Situation("oncall", tenant="acme", unseen=("destination",))),
        (PRODUCTION, Situation("oncall", tenant="acme", arguments=("where=production",))),
    ],
)
def test_freezes_tenants_provenance_and_arguments_can_forbid(text, situation):
    assert policy(WRITES, text).decide(tool(WRITE), SITUATION).outcome == ALLOW
    assert policy(WRITES, text).decide(tool(WRITE), situation).outcome == DENY


def test_a_policy_that_cannot_be_evaluated_denies_though_cedar_would_allow():
    overflow = '@id("sum") forbid(principal, action, resource) when { context.amount_cents + 9223372036854775807 < 0 };'
    found = policy(WRITES, overflow).decide(tool(WRITE), Situation("oncall", amount_cents=1))
    assert (found.outcome, len(found.errors)) == (DENY, 1)
    assert "could not be evaluated" in found.reason


@pytest.mark.parametrize("amount", [2**63, -1])
def test_an_amount_that_cedar_cannot_hold_denies(amount):
    found = policy(READS).decide(tool(READ), Situation("oncall", amount_cents=amount))
    assert (found.outcome, len(found.errors)) == (DENY, 1)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("permit(", "cannot be used"),
        ("", "empty"),
        ("// nothing", "there is none"),
        ("permit(principal, action, resource);", "no @id"),
        (READS + READS, "that of two"),
        (READS.replace("resource.effect", "resource.colour"), "colour"),
        (READS.replace('"read"', "3"), "cannot be used"),
        ('@id("x") permit(principal == ?principal, action, resource);', "template"),
    ],
)
def test_a_policy_that_would_not_do_is_refused_when_it_is_read(text, why):
    with pytest.raises(ConfigError, match=why):
        policy(text)


def test_a_name_with_quotes_is_a_name_and_no_policy():
    odd = 'a"; permit(principal, action, resource); //'
    assert policy(READS).decide(tool(WRITE, odd), Situation(odd)).outcome == DENY
    assert policy(READS).decide(tool(READ, odd), Situation(odd)).outcome == ALLOW


def test_a_tool_of_another_effect_is_never_judged_by_what_was_parsed_before():
    assert policy(READS).decide(tool(READ, "same"), SITUATION).outcome == ALLOW
    assert policy(READS).decide(tool(WRITE, "same"), SITUATION).outcome == DENY


def test_a_decision_that_was_made_before_is_never_that_of_another_question():
    rules = policy(READS, WRITES, ASKED, PRODUCTION)
    asked = [
        (tool(effect), Situation("oncall", amount_cents=cents, arguments=arguments), approved)
        for effect in EFFECTS
        for cents in (None, 1, 20000)
        for arguments in ((), ("where=production",))
        for approved in (True, False)
    ]
    fresh = [policy(READS, WRITES, ASKED, PRODUCTION).decide(one, where, approved=yes) for one, where, yes in asked]
    for _ in range(2):
        assert [rules.decide(one, where, approved=yes) for one, where, yes in asked] == fresh


def test_the_digest_moves_with_a_policy_and_with_a_freeze():
    freeze = Freeze("week", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC))
    digests = {policy(READS).digest, policy(WRITES).digest, Policy({"0.cedar": READS}, [freeze]).digest}
    assert len(digests) == 3
    assert policy(READS).digest == policy(READS).digest


def test_a_freeze_holds_from_its_start_until_its_end():
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC)
    freeze = Freeze("week", start, end)
    assert [frozen_by([freeze], at) for at in (start, end)] == [("week",), ()]
    assert Freeze.from_json(freeze.to_json()) == freeze
    with pytest.raises(ConfigError, match="holds no time"):
        Freeze("week", end, start)
    with pytest.raises(ConfigError, match="cannot be read"):
        Freeze.from_json({"name": "week"})


def test_a_name_that_is_not_ascii_is_judged_like_any_other():
    assert policy(READS).decide(tool(READ, "größe"), Situation("zoë")).outcome == ALLOW


def test_long_arguments_are_judged_and_not_kept_in_memory():
    rules = policy(READS, PRODUCTION)
    tracemalloc.start()
    for number in range(200):
        asked = Situation("oncall", arguments=("where=production", f"text={number:0100000d}"))
        assert rules.decide(tool(READ), asked).outcome == DENY
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 5_000_000
