"""Policies at the command line: checked, explained, and asked what they would have said."""

import pytest

from ops_pipelines.adapters.agents import live_agent

LOOSE = '@id("all") permit(principal, action, resource);\n'
STRICT = """@id("looks") permit(principal, action, resource) when { resource.effect == "read" };
@id("never") forbid(principal, action, resource) when { resource.effect == "mony" };
"""
BROKEN = """@id("all") permit(principal, action, resource);

@id("half") permit(principal,
    action resource);
permit(principal, action, resource);
"""


@pytest.fixture
def folder(tmp_path, refunds):
    def write(text):
        (tmp_path / "policy").mkdir(exist_ok=True)
        (tmp_path / "policy" / "a.cedar").write_text(text)
        return str(tmp_path / "policy")

    return write


@pytest.fixture
def decided(refunds):
    live_agent(refunds.platform, "refunds").start({"order": "A17"})
    return refunds.platform.decisions.decisions()


def test_a_fault_is_told_with_its_file_and_line(ops, folder):
    said = ops("policy", "check", folder(BROKEN))
    assert said.code == 1
    assert "a.cedar:4: Policy parse error: unexpected token `resource`" in said.out
    assert "a.cedar:5: it has no @id" in said.out


def test_a_rule_that_can_never_apply_is_a_warning_with_a_guess(ops, folder):
    (found,) = ops("policy", "check", folder(STRICT), "--json").json()
    assert (found["usable"], [one["is"] for one in found["findings"]]) == (True, ["warning"])
    assert "'mony': Did you mean 'money'?" in found["findings"][0]["what"]


def test_the_policy_of_an_agent_is_checked_by_its_name(ops, refunds):
    said = ops("policy", "check", "refunds")
    assert (said.code, "3 rules, 0 warnings" in said.out) == (0, True)
    assert "Did you mean 'refunds'?" in ops("policy", "check", "refund").err


def test_a_call_is_explained_rule_by_rule_with_what_would_let_it_through(ops, refunds):
    call = ("--tool", "refund", "--arguments", '{"order": "A17", "amount_cents": 1200}')
    (found,) = ops("policy", "explain", "refunds", *call, "--unseen", "id", "--json").json()
    applying = [one["id"] for one in found["rules"] if one["applies"]]
    assert (found["decision"]["outcome"], applying) == ("deny", ["ids and amounts are traced"])
    assert ["a person approves it", "what it names (id) had occurred in what the agent was told"] in found["otherwise"]
    assert "the policy says ask" in ops("policy", "explain", "refunds", *call).out


def test_a_decision_that_was_made_is_explained_by_its_id_and_by_another_policy(ops, decided, folder):
    said = ops("policy", "explain", "--decision", decided[1].id[:8])
    assert ("was waiting at approve" in said.out, "if a person approves it" in said.out) == (True, True)
    other = ops("policy", "explain", "--decision", decided[1].id, "--policy", folder(LOOSE))
    assert "the policy says allow: permitted by 'all'" in other.out


def test_what_a_looser_policy_would_change_is_refused_unless_it_is_meant(ops, decided, folder):
    said = ops("policy", "backtest", folder(LOOSE), "--agent", "refunds")
    assert (said.code, "looser: 1 recorded calls of refund would be allowed" in said.out) == (1, True)
    meant = ops("policy", "backtest", folder(LOOSE), "--agent", "refunds", "--allow-looser", "--json")
    assert (meant.code, meant.json()[0]["groups"][0]["calls"]) == (0, 1)


def test_what_a_stricter_policy_would_change_is_told(ops, decided, folder):
    (found,) = ops("policy", "backtest", folder(STRICT), "--agent", "refunds", "--json").json()
    (group,) = found["groups"]
    assert found["loosened"] == []
    assert (group["before"], group["after"]) == ("ask (no rule permits it)", "deny (no rule permits it)")


def test_without_a_decision_nobody_can_tell(ops, folder, decided):
    assert ops("policy", "backtest", folder(LOOSE), "--agent", "refunds", "--since", "0s").code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("explain",),
        ("explain", "refunds", "--tool", "refnd"),
        ("explain", "refunds", "--tool", "order", "--arguments", '{"id": "A17"}', "--tainted", "adress"),
        ("explain", "--decision", "ffff"),
        ("check", "."),
        ("backtest", "gone", "--agent", "refunds"),
    ],
)
def test_wrong_usage_exits_with_2(ops, decided, words):
    assert ops("policy", *words).code == 2


def test_a_policy_of_this_project_has_no_fault_and_no_rule_that_never_applies(ops, home):
    (found,) = ops("policy", "check", "oncall", "--json").json()
    assert (found["usable"], found["findings"]) == (True, [])
