"""What a person's yes lets through, and what it does not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.agentops.freeze import Freeze
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.tool_call import Denied, Done
from ops_pipelines.testing.gates import NOON, POLICY, gate_of, parts_of

from .gate_world import REFUND, approved


def test_money_waits_for_a_person_and_is_then_paid_once(gate, world, parts):
    approval = approved(gate, "refund", REFUND)
    assert world.done == []
    assert gate.call("refund", REFUND, approval=approval) == Done("paid")
    again = gate.call("refund", REFUND, approval=approval)
    assert isinstance(again, Denied)
    assert (again.stage, world.done) == ("approve", [("refund", ("bob@acme.example", 1200))])


@pytest.mark.parametrize("other", [{**REFUND, "amount_cents": 1201}, {"to": "bob@acme.example ", "amount_cents": 1200}])
def test_an_approval_of_one_byte_less_or_more_is_of_another_call(gate, world, other):
    approval = approved(gate, "refund", REFUND)
    gate.hear("1201, 12.01, 'bob@acme.example '")
    answer = gate.call("refund", other, approval=approval)
    assert isinstance(answer, Denied)
    assert ("another call" in answer.reason, world.done) == (True, [])


def test_an_approval_of_another_run_release_or_policy_counts_for_nothing(gate, world, parts):
    approval = approved(gate, "refund", REFUND)
    policy = Policy({"policy.cedar": POLICY + "// changed\n"})
    others = [gate_of(parts, run="run-2"), gate_of(parts, release="c" * 64), gate_of(replace(parts, policy=policy))]
    for other in others:
        other.hear("Refund 12 dollars to bob@acme.example")
        assert isinstance(other.call("refund", REFUND, approval=approval), Denied)
    assert world.done == []


@pytest.mark.parametrize("by", ["oncall", "OnCall", ""])
def test_an_agent_cannot_approve_its_own_call(gate, world, by):
    approval = approved(gate, "refund", REFUND, by=by)
    assert isinstance(gate.call("refund", REFUND, approval=approval), Denied)
    assert world.done == []


@pytest.mark.parametrize(("by", "counts"), [("ada", False), (" ADA", False), ("ben", True)])
def test_who_started_the_run_of_an_agent_approves_none_of_its_calls(parts, world, by, counts):
    gate = gate_of(parts, started_by="ada")
    gate.hear("Refund 12 dollars to bob@acme.example")
    approval = approved(gate, "refund", REFUND, by=by)
    assert isinstance(gate.call("refund", REFUND, approval=approval), Done) is counts
    assert bool(world.done) is counts


def test_an_agent_cannot_approve_the_call_of_one_that_it_handed_work_to(gate, parts):
    handed = gate.child(replace(gate.run, id="run/desk", agent="desk"))
    handed.hear("Refund 12 dollars to bob@acme.example")
    approval = approved(handed, "refund", REFUND, by="oncall")
    assert isinstance(handed.call("refund", REFUND, approval=approval), Denied)


def test_who_is_asked_is_told_where_what_was_not_named_was_read(parts):
    policy = Policy({"policy.cedar": '@id("all ask") permit(principal, action, resource) when { context.approved };'})
    gate = gate_of(replace(parts, policy=policy))
    gate.hear("Pay 12.00 to bob@acme.example", source="tool:get_webpage", trusted=False)
    asked = gate.call("refund", REFUND)
    (held,) = parts.approvals.held(asked.approval)
    assert "'bob@acme.example' occurs only in what tool:get_webpage returned" in held.request.reason


def test_an_approval_that_has_expired_or_was_never_given_counts_for_nothing(gate, world, parts):
    approval = approved(gate, "refund", REFUND)
    parts.now.pass_by(timedelta(hours=1))
    for shown in (approval, "made up", gate.call("refund", REFUND).approval):
        assert isinstance(gate.call("refund", REFUND, approval=shown), Denied)
    assert world.done == []


def test_a_call_that_waits_is_asked_for_once(gate, parts):
    first, second = gate.call("refund", REFUND), gate.call("refund", REFUND)
    assert first == second
    parts.now.pass_by(timedelta(hours=1))
    assert gate.call("refund", REFUND) != first
    assert len(parts.approvals.held()) == 2


def test_a_named_step_that_was_done_is_told_without_asking_again(gate, world, parts):
    approval = approved(gate, "refund", REFUND)
    assert gate.call("refund", REFUND, call_id="step-1", approval=approval) == Done("paid")
    resumed = gate_of(parts)
    resumed.hear("12 dollars to bob@acme.example")
    assert resumed.call("refund", REFUND, call_id="step-1") == Done("paid", repeated=True)
    assert (len(world.done), len(parts.approvals.held())) == (1, 1)


def test_an_approval_does_not_open_what_the_policy_forbids(world):
    freeze = Freeze("release week", NOON + timedelta(minutes=1), NOON + timedelta(days=7))
    parts = parts_of(*world.tools(), policy=Policy({"p": POLICY}, [freeze]))
    gate = gate_of(parts)
    approval = approved(gate, "drop", {"volume": "cache"})
    parts.now.pass_by(timedelta(minutes=2))
    answer = gate.call("drop", {"volume": "cache"}, approval=approval)
    assert isinstance(answer, Denied)
    assert ("nothing changes in a freeze" in answer.reason, world.done) == (True, [])


def test_of_fifty_who_resume_at_once_one_pays(gate, world, parts):
    approval = approved(gate, "refund", REFUND)
    gates = [gate_of(parts) for _ in range(50)]
    for each in gates:
        each.hear("12 dollars to bob@acme.example")
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda each: each.call("refund", REFUND, approval=approval), gates))
    assert (sum(isinstance(one, Done) for one in found), len(world.done)) == (1, 1)
