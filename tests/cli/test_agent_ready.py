"""`ops agent resume --ready`: every run that may goes on, from the command line or from CI."""

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.agentops.run_named import ALWAYS
from ops_pipelines.testing.refund_agent import paid

TASK = {"order": "A17"}
READY = ("agent", "resume", "--ready")


@pytest.fixture
def waiting(refunds):
    """Two runs that wait for a person."""
    return [live_agent(refunds.platform, "refunds").start(TASK) for _ in range(2)]


def kept(home):
    """What stands in every store: how a database holds it, in its file or in its log, is another matter."""
    platform = home.platform
    steps = {run.run: platform.runs.steps(run.run) for run in platform.runs.runs(ALWAYS)}
    return steps, platform.approvals.held(), platform.effects.entries(), platform.decisions.decisions()


def answer(ops, ran, said="approve"):
    ops("agent", said, ran.waits["approval"])


def test_every_run_that_was_answered_goes_on_once_and_the_others_stay(ops, refunds, waiting):
    answer(ops, waiting[0])
    said = ops(*READY, "--json")
    assert (said.code, [(one["run"], one["state"], one["result"]) for one in said.json()]) == (
        0,
        [(waiting[0].run, "done", {"paid": 1200})],
    )
    again = ops(*READY)
    assert (again.code, again.out, len(paid(refunds.folder))) == (0, "runs that go on: nothing yet\n", 2)


def test_a_denial_is_what_the_agent_reads(ops, refunds, waiting):
    answer(ops, waiting[0], "deny")
    said = ops(*READY)
    assert (said.code, waiting[0].run[:12] in said.out, "refused" in said.out) == (0, True, True)
    assert paid(refunds.folder) == []


def test_a_dry_run_lists_which_go_on_and_which_not_and_why(ops, refunds, waiting):
    answer(ops, waiting[0])
    before = kept(refunds)
    found = {one["run"]: (one["state"], one["why"]) for one in ops(*READY, "--dry-run", "--json").json()}
    assert found == {
        waiting[0].run: ("goes on", "what it waited for was answered"),
        waiting[1].run: ("not yet", "nobody has answered what it waits for"),
    }
    assert paid(refunds.folder) == []
    assert kept(refunds) == before


def test_a_run_that_cannot_be_gone_on_with_is_told_with_why(ops, refunds, waiting):
    answer(ops, waiting[0])
    ops("principal", "add", "anna", "--role", "admin")
    said = ops(*READY, "--json")
    (one,) = said.json()
    assert (said.code, one["state"], "OPS_TOKEN" in one["why"]) == (1, "did not go on", True)
    assert ops(*READY).code == 1
    assert "did not go on" not in ops("agent", "show", waiting[0].run).out


@pytest.mark.parametrize("words", [(), ("4b", "--ready"), ("--ready", "--anyway")])
def test_which_runs_are_meant_has_to_be_clear(ops, refunds, words):
    said = ops("agent", "resume", *words)
    assert (said.code, "--ready" in said.err) == (2, True)
