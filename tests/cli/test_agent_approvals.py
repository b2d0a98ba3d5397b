"""A person's answer at the command line: what counts, what does not, and that each is told of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.approvals import APPROVES, answer_approval
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.agent import Budgets
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.core.audit import read_entry
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.refund_agent import HERE, paid, refund_agent, released

TASK = {"order": "A17"}


@pytest.fixture
def waiting(refunds):
    return live_agent(refunds.platform, "refunds").start(TASK)


def acts(platform):
    return [read_entry(row).action for row in platform.audit.rows()]


def test_what_waits_is_listed_with_its_exact_arguments_until_it_is_answered(ops, waiting):
    (found,) = ops("agent", "approvals", "--json").json()
    assert (found["arguments"], found["state"]) == ({"order": "A17", "amount_cents": 1200}, "pending")
    assert '{"amount_cents":1200,"order":"A17"}' in ops("agent", "approvals").out
    ops("agent", "deny", found["id"], "--note", "not this one")
    assert ops("agent", "approvals", "--json").json() == []
    (later,) = ops("agent", "approvals", "--all", "--json").json()
    assert (later["state"], later["answer"]["note"]) == ("refused", "not this one")


def test_an_approval_is_kept_and_told_of_in_the_audit_log_without_its_arguments(ops, refunds, waiting):
    said = ops("agent", "approve", waiting.waits["approval"][:6], "--note", "seen")
    assert (said.code, f"ops agent resume {waiting.run[:12]}" in said.out) == (0, True)
    last = read_entry(refunds.platform.audit.rows()[-1])
    assert (last.action, last.subject, last.facts["note"]) == (APPROVES, "refunds", "seen")
    assert "A17" not in str(last.facts)


def test_with_resume_the_run_goes_on_at_once(ops, refunds, waiting):
    (found,) = ops("agent", "approve", waiting.waits["approval"], "--resume", "--json").json()
    assert (found["counts"], found["resumed"]["result"]) == (True, {"paid": 1200})
    assert len(paid(refunds.folder)) == 2


def test_an_approval_counts_once(ops, refunds, waiting):
    ops("agent", "approve", waiting.waits["approval"], "--resume")
    said = ops("agent", "approve", waiting.waits["approval"], "--resume")
    assert (said.code, "is used, and is answered once" in said.out) == (1, True)
    assert len(paid(refunds.folder)) == 2


def test_who_asks_cannot_approve(ops, refunds, waiting, monkeypatch):
    monkeypatch.setenv("LOGNAME", "Refunds")
    said = ops("agent", "approve", waiting.waits["approval"], "--json")
    assert (said.code, said.json()[0]["counts"]) == (1, False)
    assert "another principal has to approve it" in said.json()[0]["reasons"][0]
    assert APPROVES not in acts(refunds.platform)


def test_an_expired_request_cannot_be_approved(ops, refunds):
    soon = Budgets(limits=Limits(approval=timedelta(microseconds=1)))
    released(refunds.platform, refund_agent(budgets=soon))
    ran = live_agent(refunds.platform, "refunds").start(TASK)
    said = ops("agent", "approve", ran.waits["approval"], "--resume")
    assert (said.code, "is expired" in said.out) == (1, True)
    assert paid(refunds.folder) == []


def test_a_dry_run_answers_nothing(ops, refunds, waiting):
    said = ops("agent", "approve", waiting.waits["approval"], "--resume", "--dry-run")
    assert (said.code, "would be approved by" in said.out) == (0, True)
    assert refunds.platform.approvals.held()[0].answer is None


def test_an_unknown_approval_is_answered_with_the_nearest(ops, waiting):
    approval = waiting.waits["approval"]
    said = ops("agent", "approve", approval[:-1] + "x")
    assert (said.code, f"Did you mean '{approval}'?" in said.err) == (2, True)
    assert ops("agent", "approve", approval[:3]).code == 2


def test_with_principals_only_an_approver_approves_and_only_a_proposer_goes_on(ops, refunds, waiting, monkeypatch):
    def token(name, role):
        monkeypatch.setenv("OPS_TOKEN", tokens.get("anna", ""))
        words = ("principal", "add", name, "--role", role, "--json")
        tokens[name] = ops(*words).json()[0]["token"]

    tokens: dict[str, str] = {}
    for name, role in (("anna", "admin"), ("bot", "proposer"), ("ben", "approver")):
        token(name, role)
    monkeypatch.setenv("OPS_TOKEN", tokens["bot"])
    assert ops("agent", "approve", waiting.waits["approval"]).code == 1
    monkeypatch.setenv("OPS_TOKEN", tokens["ben"])
    said = ops("agent", "approve", waiting.waits["approval"], "--resume", "--json")
    assert (said.code, said.json()[0]["by"], "may propose" in said.json()[0]["resumed"]["error"]) == (1, "ben", True)
    monkeypatch.setenv("OPS_TOKEN", tokens["bot"])
    assert ops("agent", "resume", waiting.run).code == 0


def test_what_was_altered_after_the_yes_is_not_done(refunds, waiting, ops):
    ops("agent", "approve", waiting.waits["approval"])
    agent = live_agent(refunds.platform, "refunds")
    gate = agent.gate(waiting.run, refunds.platform.clock.wall())
    gate.hear("order A17, 1201 cents")
    answer = gate.call("refund", {"order": "A17", "amount_cents": 1201}, approval=waiting.waits["approval"])
    assert "is of another call" in answer.reason
    assert paid(refunds.folder) == []


def test_an_answer_that_came_second_is_told_of_as_such(refunds, waiting):
    platform = refunds.platform

    class Slow:
        """A store in which somebody else is first."""

        held = platform.approvals.held

        def answer(self, id, answer):
            answer_approval(platform, id, granted=False, otherwise="carl")
            return platform.approvals.answer(id, answer)

    found = answer_approval(
        replace(platform, approvals=Slow()), waiting.waits["approval"], granted=True, otherwise="ben"
    )
    assert not found.counts
    assert acts(platform)[-3:] == [APPROVES, "denies a call", "answer did not count"]


def test_a_name_with_letters_that_a_terminal_hides_is_written_out(ops, refunds):
    agent = live_agent(Platform.embedded(), "refunds")
    agent.start({"order": "A17\u202e"})
    assert "A17\\u202e" in ops("agent", "approvals").out


def test_where_the_audit_log_cannot_be_written_nothing_is_approved(refunds, waiting):
    class Down:
        def append(self, **_):
            raise DataError("The disk is full", expected="room", action="Make some")

    with pytest.raises(DataError, match="disk is full"):
        answer_approval(
            replace(refunds.platform, audit=Down()), waiting.waits["approval"], granted=True, otherwise="ben"
        )
    assert refunds.platform.approvals.held()[0].answer is None


def test_a_store_of_approvals_that_is_broken_is_told_and_lets_nothing_through(ops, refunds, waiting):
    for file in refunds.folder.glob("approvals.db*"):
        file.unlink()
    refunds.folder.joinpath("approvals.db").write_bytes(b"no database, but long enough to be looked at" * 50)
    assert ops("agent", "approvals").code == 3
    assert ops("agent", "approve", waiting.waits["approval"], "--resume").code == 3
    assert paid(refunds.folder) == []


def test_what_an_agent_that_was_handed_work_asks_for_is_approved_and_its_run_goes_on(ops, refunds):
    released(refunds.platform, refund_agent(program=f"{HERE}:handing_on"))
    ran = live_agent(refunds.platform, "refunds").start(TASK)
    (shown,) = ops("agent", "show", ran.run, "--json").json()
    assert ([one["what"] for one in shown["decisions"]], len(shown["waits"])) == (["allowed", "waiting"], 1)
    (found,) = ops("agent", "approve", ran.waits["approval"], "--resume", "--json").json()
    assert found["resumed"]["result"] == {"desk": {"paid": 1200}}
    key = refunds.platform.effects.entries()[0].intent.key
    assert [node["what"] for node in ops("why", key, "--json").json()["nodes"][:4]] == [
        "effect",
        "approval",
        "run",
        "release",
    ]
