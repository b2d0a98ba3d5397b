"""The journal of effects at the command line, and what a person found out of the unknown ones."""

from datetime import timedelta

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.settled_effects import SETTLES
from ops_pipelines.agentops.effects import DONE, Intent
from ops_pipelines.core.audit import read_entry
from ops_pipelines.testing.refund_agent import paid


@pytest.fixture
def lost(refunds):
    """A run whose process died while it paid: the key of that effect, of which nobody knows."""
    platform = refunds.platform
    agent = live_agent(platform, "refunds")
    ran = agent.start({"order": "A17"})
    now = platform.clock.wall()
    key = f"{ran.run}/{ran.waits['call']}"
    intent = Intent(key, "refund", '{"amount_cents":1200,"order":"A17"}', ran.run, agent.manifest.digest)
    platform.effects.start(intent, at=now - timedelta(minutes=5), until=now - timedelta(minutes=4))
    return key


def test_an_effect_of_which_nobody_knows_is_listed_and_settled_once(ops, refunds, lost):
    (found,) = ops("agent", "effects", "--unknown", "--json").json()
    assert (found["key"], found["state"]) == (lost, "unknown")
    said = ops("agent", "settle", found["effect"][:6], "--done", "--note", "the bank says so", "--result", '"paid"')
    assert (said.code, "is settled as done by" in said.out) == (0, True)
    assert ops("agent", "effects", "--unknown", "--json").json() == []
    assert ops("agent", "settle", lost, "--not-done", "--note", "no").code == 1


def test_what_was_settled_is_what_the_run_goes_on_with(ops, refunds, lost):
    ops("agent", "settle", lost, "--done", "--note", "the bank says so")
    run = lost.partition("/")[0]
    approval = refunds.platform.approvals.held()[0].request.id
    said = ops("agent", "approve", approval, "--resume", "--json")
    assert said.json()[0]["resumed"]["result"] == {"paid": 1200}
    assert [next(iter(one)) for one in paid(refunds.folder)] == ["note"]
    assert refunds.platform.runs.steps(run)


def test_who_settled_it_is_told_of_in_the_audit_log(ops, refunds, lost):
    ops("agent", "settle", lost, "--not-done", "--note", "the bank knows nothing")
    last = read_entry(refunds.platform.audit.rows()[-1])
    assert (last.action, last.subject, last.facts["settled"]) == (SETTLES, "refunds", "not done")


def test_an_effect_whose_tool_may_still_answer_is_not_settled(ops, refunds, lost):
    platform, now = refunds.platform, refunds.platform.clock.wall()
    intent = Intent("r/s/refund/1", "refund", "{}", lost.partition("/")[0], "")
    platform.effects.start(intent, at=now, until=now + timedelta(minutes=1))
    said = ops("agent", "settle", "r/s/refund/1", "--done", "--note", "I am quick")
    assert (said.code, "may still answer" in said.out) == (1, True)


def test_a_dry_run_settles_nothing(ops, refunds, lost):
    said = ops("agent", "settle", lost, "--done", "--note", "yes", "--dry-run", "--json")
    assert (said.json()[0]["settled"], said.json()[0]["counts"]) == (DONE, True)
    assert refunds.platform.effects.entries(lost)[0].outcome is None


@pytest.mark.parametrize(
    "words",
    [("--done",), ("--note", "why"), ("--not-done", "--note", "why", "--result", "1"), ("--done", "--note", " ")],
)
def test_what_came_of_it_and_how_one_knows_have_to_be_said(ops, lost, words):
    assert ops("agent", "settle", lost, *words).code == 2


def test_an_unknown_key_is_answered_with_the_nearest(ops, lost):
    said = ops("agent", "settle", f"{lost}x", "--done", "--note", "why")
    assert (said.code, f"Did you mean '{lost}'?" in said.err) == (2, True)
