"""Runs of an agent at the command line: started, listed, shown, resumed."""

import json

import pytest

from ops_pipelines.agentops.run_log import AGENT, MODEL
from ops_pipelines.testing.refund_agent import paid
from ops_pipelines.testing.run_log import entry_of

TASK = '{"order": "A17"}'


@pytest.fixture
def waiting(ops, refunds):
    """A run that waits for a person, as `ops agent run --json` told of it."""
    return ops("agent", "run", "refunds", "--task", TASK, "--json").json()[0]


def test_a_run_that_waits_says_the_exact_call_and_the_two_commands_that_follow(ops, refunds):
    said = ops("agent", "run", "refunds", "--task", TASK)
    assert said.code == 3
    assert 'refund {"amount_cents": 1200, "order": "A17"}' in said.out
    commands = [line.split(". ", 1)[1].split("   ")[0].split()[1:] for line in said.out.splitlines() if "  1. " in line]
    assert ops(*commands[0]).code == 0
    assert paid(refunds.folder) == []


def test_an_approved_run_goes_on_and_is_done(ops, refunds, waiting):
    ops("agent", "approve", waiting["waits"]["approval"])
    said = ops("agent", "resume", waiting["run"][:6])
    assert (said.code, 'is done: {"paid": 1200}' in said.out) == (0, True)
    assert [next(iter(one)) for one in paid(refunds.folder)] == ["refund", "note"]


def test_a_run_that_has_ended_is_not_resumed(ops, refunds, waiting):
    ops("agent", "deny", waiting["waits"]["approval"], "--resume")
    said = ops("agent", "resume", waiting["run"], "--json")
    assert (said.code, said.json()["error"]) == (1, "NotResumable")


def test_a_run_that_fails_exits_with_1_and_is_found_by_failed(ops, refunds):
    said = ops("agent", "run", "refunds", "--task", '{"orders": []}')
    assert (said.code, "failed: KeyError" in said.out) == (1, True)
    ops("agent", "run", "refunds", "--task", TASK)
    found = ops("agent", "runs", "--failed", "--json").json()
    assert [one["state"] for one in found] == ["failed"]


def test_runs_are_listed_with_state_steps_tool_calls_and_a_cost(ops, waiting):
    (found,) = ops("agent", "runs", "--tool", "order", "--since", "1h", "--json").json()
    assert (found["run"], found["state"], found["tool_calls"]) == (waiting["run"], "waiting", 1)
    assert ops("agent", "runs", "--tool", "refunded").out == "runs: nothing yet\n"
    assert waiting["run"][:12] in ops("agent", "runs", "--agent", "refunds").out


def test_a_run_is_shown_as_a_tree_with_what_the_gate_said_and_what_it_waits_for(ops, waiting):
    said = ops("agent", "show", waiting["run"][:8])
    assert "0\tagent refunds" in said.out
    assert '1\t  tool order\t{"id": "A17"}' in said.out
    assert "permitted by 'reads and notes'" in said.out
    assert f"ops agent approve {waiting['waits']['approval'][:12]}" in said.out


def test_one_step_is_shown_whole(ops, waiting):
    (found,) = ops("agent", "show", waiting["run"], "--step", "1", "--json").json()
    assert (found["input"], found["output"]["result"]) == ({"id": "A17"}, {"id": "A17", "amount_cents": 1200})
    assert [one["what"] for one in found["decisions"]] == ["allowed"]
    assert '"amount_cents": 1200' in ops("agent", "show", waiting["run"], "--step", "1").out


def test_the_whole_run_is_there_as_json(ops, waiting):
    (found,) = ops("agent", "show", waiting["run"], "--json").json()
    assert [one["step"] for one in found["steps"]] == [0, 1, None]
    assert [one["tool"] for one in found["waits"]] == ["refund"]


def test_a_task_is_read_from_a_file(ops, refunds, tmp_path):
    (tmp_path / "task.json").write_text(TASK)
    assert ops("agent", "run", "refunds", "--task", f"@{tmp_path / 'task.json'}").code == 3


def test_a_dry_run_starts_nothing(ops, refunds):
    (found,) = ops("agent", "run", "refunds", "--task", TASK, "--dry-run", "--json").json()
    assert found["tools"] == "note (write), order (read), refund (money)"
    assert ops("agent", "runs", "--json").json() == []


def test_a_run_that_has_ended_is_not_resumed_in_a_dry_run_either(ops, waiting):
    ops("agent", "deny", waiting["waits"]["approval"], "--resume")
    said = ops("agent", "resume", waiting["run"], "--dry-run")
    assert (said.code, "is done" in said.err) == (1, True)


def test_a_dry_resume_says_what_was_answered_and_changes_nothing(ops, waiting):
    (found,) = ops("agent", "resume", waiting["run"], "--dry-run", "--json").json()
    assert (found["it is"], found["not answered"]) == ("waiting", waiting["waits"]["approval"])


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "refunds", "--task", "{order: A17}"), "--task is no JSON"),
        (("run", "refunds", "--task", '{"order": NaN}'), "NaN is no value"),
        (("run", "refunds", "--task", "@gone.json"), "gone.json cannot be read"),
        (("run", "refund"), "Did you mean 'refunds'?"),
        (("run", "refunds", "--release", "ffff"), "begins with 'ffff'"),
        (("show", "ffff"), "No run begins with 'ffff'"),
        (("resume", ""), "which runs are to go on"),
        (("runs", "--since", "yesterday"), "is no time"),
        (("runs", "--since", "²d"), "is no time"),
    ],
)
def test_wrong_usage_says_what_was_expected_and_exits_with_2(ops, refunds, words, told):
    said = ops("agent", *words)
    assert (said.code, told in said.err) == (2, True), said.err


def test_an_unknown_run_is_answered_with_the_nearest_one(ops, waiting):
    wrong = waiting["run"][:-1] + "x"
    assert f"Did you mean '{waiting['run']}'?" in ops("agent", "show", wrong).err


def test_a_step_that_is_not_there_names_those_that_are(ops, waiting):
    said = ops("agent", "show", waiting["run"], "--step", "9", "--json")
    assert (said.code, json.loads(said.out)["expected"][:20]) == (2, "a number from 0 to 1")


def test_a_run_of_another_system_is_recorded_and_what_nobody_knows_of_its_cost_is_unknown(ops, refunds):
    root = entry_of("lead", kind=AGENT, run="ab" * 16)
    refunds.platform.runs.append([root, entry_of("desk-1", kind=MODEL, parent=root.step.id, run="ab" * 16)])
    (found,) = ops("agent", "runs", "--json").json()
    assert (found["state"], found["usd"], found["unpriced"]) == ("recorded", None, 1)
    assert "\tunknown\n" in ops("agent", "runs").out
    assert ops("agent", "replay", "abab").code == 3
