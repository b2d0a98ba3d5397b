"""`ops why` from an agent's action to who approved it, and to its release."""

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.agentops.approval import Answer


@pytest.fixture
def done(refunds):
    platform = refunds.platform
    agent = live_agent(platform, "refunds")
    ran = agent.start({"order": "A17"})
    platform.approvals.answer(ran.waits["approval"], Answer("ben", True, platform.clock.wall(), "seen"))
    agent.resume(ran.run)
    return ran


def kinds(said):
    return [node["what"] for node in said.json()["nodes"]]


def test_an_effect_is_walked_to_its_approval_its_run_its_release_and_its_policy(ops, refunds, done):
    key = refunds.platform.effects.entries()[0].intent.key
    said = ops("why", key, "--json")
    assert (said.code, kinds(said)) == (0, ["effect", "approval", "run", "release", *["part"] * 5])
    approval = said.json()["nodes"][1]["facts"]
    assert (approval["answered_by"], approval["note"], approval["asked_by"]) == ("ben", "seen", "refunds")
    assert "part\tpolicy@" in ops("why", key).out


@pytest.mark.parametrize("which", ["run", "approval", "decision", "step"])
def test_runs_approvals_decisions_and_steps_are_named_by_their_first_digits(ops, refunds, done, which):
    step = refunds.platform.runs.steps(done.run)[1]
    decision = refunds.platform.decisions.decisions()[0]
    names = {"run": done.run[:8], "approval": done.waits["approval"][:8], "decision": decision.id[:8]}
    said = ops("why", {**names, "step": f"{done.run[:8]}/{step.id[:6]}"}[which], "--json")
    assert (said.code, kinds(said)[0]) == (0, which)


def test_a_release_is_still_named_by_its_digits(ops, refunds, done):
    digest = refunds.platform.live("production", "refunds")
    assert kinds(ops("why", digest[:8], "--json"))[0] == "release"


def test_a_step_that_is_not_there_is_a_missing_link(ops, done):
    assert ops("why", f"{done.run[:8]}/ffff").code == 3
