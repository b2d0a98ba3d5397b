"""Runs replayed, stepped through, forked, compared and drawn at the command line."""

import io
import sys

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.testing.refund_agent import paid


@pytest.fixture
def waiting(refunds):
    return live_agent(refunds.platform, "refunds").start({"order": "A17"})


@pytest.fixture
def done(refunds, waiting):
    """The id of a run that was approved and is done."""
    platform = refunds.platform
    platform.approvals.answer(waiting.waits["approval"], Answer("ben", True, platform.clock.wall()))
    return live_agent(platform, "refunds").resume(waiting.run).run


def typed(monkeypatch, text):
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_run_replays_identically_and_does_nothing(ops, refunds, done):
    (found,) = ops("agent", "replay", done[:8], "--json").json()
    assert (found["identical"], found["steps"], found["digest"]) == (True, 5, found["recorded"])
    assert len(paid(refunds.folder)) == 2


def test_a_run_that_waits_is_replayed_as_far_as_it_came(ops, waiting):
    said = ops("agent", "replay", waiting.run)
    assert (said.code, "has not ended" in said.out) == (0, True)


def test_a_run_that_waits_is_held_against_the_installed_code_as_far_as_it_came(ops, waiting):
    said = ops("agent", "replay", waiting.run, "--installed")
    assert (said.code, "takes the same turns" in said.out) == (0, True)


def test_without_a_terminal_all_steps_are_told(ops, done, monkeypatch):
    typed(monkeypatch, "")
    said = ops("agent", "step", done)
    assert said.code == 0
    assert said.out.splitlines()[1:3] == [
        '0 agent refunds {"order": "A17"} -> ',
        '1 tool order {"id": "A17"} -> {"amount_cents": 1200, "id": "A17"}',
    ]
    assert len(said.out.splitlines()) == 6


def test_steps_are_asked_for_one_by_one_printed_and_ended(ops, done, monkeypatch):
    typed(monkeypatch, "\np\nwhat\nq\n")
    said = ops("agent", "step", done, "--ask")
    assert '"amount_cents": 1200' in said.out
    assert said.out.count("enter: next") == 2
    assert "2 tool refund" not in said.out


def test_it_goes_on_to_a_step_or_to_the_first_failure(ops, refunds, waiting, monkeypatch):
    platform = refunds.platform
    platform.approvals.answer(waiting.waits["approval"], Answer("ben", False, platform.clock.wall()))
    live_agent(platform, "refunds").resume(waiting.run)
    typed(monkeypatch, "b 1\nc\nq\n")
    said = ops("agent", "step", waiting.run, "--ask")
    assert [line.split()[0] for line in said.out.splitlines()[1:]] == ["0", "1", "2"]
    assert "denied" in said.out


def test_a_fork_says_what_waits_and_where_it_parts_from_its_parent(ops, refunds, done):
    said = ops("agent", "fork", done, "--at", "1", "--result", '{"id": "A17", "amount_cents": 9900}')
    assert (said.code, "refund" in said.out, "cause: tool result" in said.out) == (3, True, True)
    assert '{"amount_cents": 9900, "order": "A17"}' in said.out
    assert len(paid(refunds.folder)) == 2


def test_a_fork_is_shown_and_explained_with_what_it_was_to_do(ops, done):
    (forked,) = ops("agent", "fork", done, "--at", "0", "--set", "order=C3", "--json").json()
    assert ops("agent", "show", forked["run"], "--json").json()[0]["task"] == '{"order": "C3"}'
    assert 'task {"order": "C3"}' in ops("why", forked["run"]).out
    assert ops("agent", "graph", forked["run"]).code == 0


def test_a_fork_that_waited_goes_on_by_the_policy_under_which_it_asked(ops, refunds, done):
    (forked,) = ops("agent", "fork", done, "--at", "0", "--request", '{"order": "C3"}', "--json").json()
    (found,) = ops("agent", "approve", forked["waits"]["approval"], "--resume", "--json").json()
    assert found["resumed"]["waits"]["tool"] == "note"
    assert [one.get("refund") for one in paid(refunds.folder)] == ["A17", None, "C3"]


def test_a_fork_that_asks_for_the_same_does_nothing_again(ops, refunds, done):
    (found,) = ops("agent", "fork", done, "--at", "2", "--json").json()
    assert (found["state"], found["diff"]["same"]) == ("done", True)
    assert found["not_done_again"] == ["tool refund", "tool note"]
    assert len(paid(refunds.folder)) == 2


def test_a_fork_under_another_policy_is_denied_what_that_forbids(ops, refunds, done, tmp_path):
    (tmp_path / "strict").mkdir()
    (tmp_path / "strict" / "a.cedar").write_text(
        '@id("looks") permit(principal, action, resource) when { resource.effect == "read" };'
    )
    edit = ("--at", "0", "--request", '{"order": "C3"}', "--policy", str(tmp_path / "strict"))
    (found,) = ops("agent", "fork", done, *edit, "--json").json()
    assert "no policy permits it" in found["result"]["refused"]


def test_another_question_to_a_reading_tool_goes_through_the_gate(ops, refunds, done):
    ops("agent", "fork", done, "--at", "1", "--request", '{"id": "D4"}')
    assert '{"id":"D4"}' in [one.arguments for one in refunds.platform.decisions.decisions()]


def test_a_part_of_what_a_step_was_asked_is_set_by_its_path(ops, refunds, done):
    (forked,) = ops("agent", "fork", done, "--at", "0", "--set", "order=C3", "--json").json()
    assert forked["waits"]["arguments"]["order"] == "C3"


def test_what_is_no_json_is_set_as_the_text_that_it_is(ops, refunds, done):
    (found,) = ops("agent", "fork", done, "--at", "0", "--set", "order=NaN", "--dry-run", "--json").json()
    assert found["asked"] == {"order": "NaN"}
    assert '{"order": "NaN"}' in ops("agent", "fork", done, "--at", "0", "--set", "order=NaN", "--dry-run").out


def test_a_fork_parts_by_the_request_that_a_person_edited_and_not_by_code(ops, done):
    edit = ("--at", "1", "--set", "id=D4")
    (forked,) = ops("agent", "fork", done, *edit, "--json").json()
    assert forked["diff"]["divergence"]["cause"] == "request"
    assert ops("agent", "diff", forked["run"], done, "--json").json()[0]["divergence"]["cause"] == "request"


def test_a_dry_fork_changes_nothing(ops, refunds, done):
    (found,) = ops("agent", "fork", done, "--at", "1", "--result", "1", "--dry-run", "--json").json()
    assert (found["edited"], found["comes to"]) == ("tool order", {"result": 1, "status": "done"})
    assert len(ops("agent", "runs", "--json").json()) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--at", "9"),
        ("--at", "9", "--result", "1"),
        ("--at", "9", "--dry-run"),
        ("--at", "1", "--result", ""),
        ("--at", "1", "--result", "1", "--request", "1"),
        ("--at", "1", "--result", "{"),
        ("--at", "1", "--request", '{"no": "argument"}'),
        ("--at", "2", "--request", '{"order": "A17", "amount_cents": 1}'),
        ("--at", "1", "--policy", "gone"),
        ("--at", "1", "--set", "id"),
        ("--at", "1", "--set", "order.id=1"),
        ("--at", "1", "--set", "id=D4", "--result", "1"),
    ],
)
def test_a_fork_that_cannot_be_made_exits_with_2(ops, done, words):
    assert ops("agent", "fork", done, *words).code == 2


def test_two_runs_are_told_apart_by_the_first_difference_and_its_cause(ops, refunds, waiting):
    other = live_agent(refunds.platform, "refunds").start({"order": "B2"})
    said = ops("agent", "diff", waiting.run, other.run)
    assert (said.code, "cause: task" in said.out, ">\t0\tagent refunds" in said.out) == (1, True, True)


def test_a_difference_that_no_line_has_room_for_is_told_by_its_path(ops, refunds, waiting):
    agent, long = live_agent(refunds.platform, "refunds"), "was late " * 40
    one, other = (agent.start({"order": "A17", "why": f"{long}{word}"}).run for word in ("again", "twice"))
    (told,) = (line for line in ops("agent", "diff", one, other).out.splitlines() if "differs in why" in line)
    assert told.endswith("was late was late twice")


def test_a_run_does_what_it_does(ops, done):
    (found,) = ops("agent", "diff", done, done, "--json").json()
    assert (found["same"], found["divergence"]) == (True, None)


def test_a_run_is_drawn_in_every_form(ops, done, tmp_path):
    assert "  2 tool refund" in ops("agent", "graph", done).out
    assert ops("agent", "graph", done, "--format", "mermaid").out.startswith("flowchart TD")
    assert ops("agent", "graph", done, "--format", "dot").out.startswith("digraph run")
    ops("agent", "graph", done, "--to", str(tmp_path / "run.html"))
    nowhere = ops("agent", "graph", done, "--to", str(tmp_path / "nowhere" / "run.txt"))
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)
    page = (tmp_path / "run.html").read_text()
    assert all(word in page for word in ("<svg", "2 tool refund", "{&quot;amount_cents&quot;: 1200"))
    (found,) = ops("agent", "graph", done, "--json").json()
    assert (found["whole"], len(found["edges"]), found["cost"][""]["usd"]) == (True, 6, "0")


def test_a_fork_under_a_looser_policy_repeats_nothing(refunds, done):
    forked = live_agent(refunds.platform, "refunds").fork(
        done, at=1, policy=Policy({"all": '@id("all") permit(principal, action, resource);'})
    )
    assert forked.result["state"] == "done"
    assert len(paid(refunds.folder)) == 2
