import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.messages import UNANSWERED, Conversation, Imported, import_messages
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import AGENT, MESSAGE, MODEL, TOOL, Tally, fault_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_graph import trace_graph
from ops_pipelines.testing.run_log import RUN, MemoryRunLog

CONVERSATION = Conversation(RUN, "airline", datetime(2026, 3, 2, tzinfo=UTC), {"task": 1}, "desk-1")
DATA = Path(os.environ.get("OPS_BENCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
TAU = DATA / "agents" / "tau_airline_dev.jsonl"
JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=9),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=9), one, max_size=3),
    max_leaves=6,
)


def call(id: str, name: str = "refund", arguments: str = '{"cents": 5}') -> dict[str, object]:
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": id, "function": {"name": name, "arguments": arguments}}],
    }


def result(id: str, content: str = "done", **more: str) -> dict[str, object]:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


ASKED = {"role": "user", "content": "Refund me."}


def imported(*messages: object, writer: Writer | None = None) -> Imported:
    return import_messages(CONVERSATION, messages, writer or Writer(lambda entries: Tally(len(entries))))


def payloads(found: Imported, at: int) -> list[object]:
    return [payload.value() for payload in found.entries[at].payloads]


def test_a_conversation_becomes_the_steps_of_one_run():
    found = imported(ASKED, call("1"), result("1"), {"role": "assistant", "content": "It is done."})
    steps = [entry.step for entry in found.entries]
    assert [step.kind for step in steps] == [AGENT, MESSAGE, MODEL, TOOL, MODEL]
    assert steps[3].parent == steps[2].id
    assert payloads(found, 3) == [{"cents": 5}, "done"]
    assert payloads(found, 4) == [{"model": "desk-1", "messages": [result("1")]}, {"content": "It is done."}]
    assert trace_graph(steps).is_whole


def test_what_the_model_was_asked_is_what_was_said_since_its_last_answer():
    found = imported(ASKED, {"role": "assistant", "content": "Why?"}, ASKED, {"role": "assistant", "content": "No."})
    assert [payloads(found, at)[0]["messages"] for at in (2, 4)] == [[ASKED], [ASKED]]


def test_a_call_without_a_result_says_so():
    found = imported(call("1"))
    assert found.entries[-1].step.error == UNANSWERED


def test_a_call_id_that_is_used_again_takes_its_results_in_order():
    found = imported(call("1"), result("1", "a"), call("1"), result("1", "b"))
    assert [payloads(found, at)[1] for at in (2, 4)] == ["a", "b"]


def test_a_result_that_nobody_asked_for_is_kept():
    found = imported(result("lost", "x", name="refund"))
    assert [(entry.step.kind, entry.step.name) for entry in found.entries] == [(AGENT, "airline"), (TOOL, "refund")]


def test_arguments_that_are_no_json_are_kept_as_the_text_that_they_are():
    assert payloads(imported(call("1", arguments="{cents: 5")), 2)[0] == "{cents: 5"


def test_the_older_shape_of_a_call_is_read():
    asked = {"role": "assistant", "content": "", "function_call": {"name": "refund", "arguments": "{}"}}
    found = imported(asked, {"role": "function", "name": "refund", "content": "done"})
    assert (found.entries[-1].step.name, payloads(found, 2)) == ("refund", [{}, "done"])


@pytest.mark.parametrize("wrong", ["text", {"role": "robot"}, {}, {"role": "assistant", "tool_calls": "no"}, None])
def test_what_is_no_message_is_rejected_by_its_number_and_the_rest_is_taken(wrong):
    found = imported(ASKED, wrong, ASKED)
    assert ([at for at, why in found.rejected if why], found.messages) == ([1], 2)


@settings(deadline=None, max_examples=40)
@given(st.lists(JSON | st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "tool"])}, optional={
    "content": JSON, "tool_calls": JSON, "function_call": JSON, "tool_call_id": JSON, "name": JSON
}), max_size=6))  # fmt: skip
def test_whatever_comes_is_taken_or_rejected_and_every_entry_can_be_kept(messages):
    found = imported(*messages)
    assert found.messages + len(found.rejected) == len(messages)
    assert [fault for entry in found.entries if (fault := fault_of(entry))] == []


def test_secrets_of_a_conversation_are_taken_out():
    writer = Writer(lambda entries: Tally(len(entries)), Redactor())
    found = imported(
        {"role": "user", "content": "I am ada@example.org"}, call("1", arguments='{"to": "a@b.org"}'), writer=writer
    )
    kept = b"".join(payload.content for entry in found.entries for payload in entry.payloads)
    assert b"@" not in kept


def test_a_conversation_that_is_imported_twice_is_kept_once():
    log = MemoryRunLog()
    found = imported(ASKED, call("1"), result("1"))
    assert (log.append(found.entries), log.append(found.entries)) == (Tally(4), Tally(4))
    assert len(log.steps(RUN)) == 4


@pytest.mark.skipif(not TAU.is_file(), reason="the recorded airline runs are not here")
def test_every_message_of_the_recorded_airline_runs_is_imported_and_every_call_has_its_result():
    runs = [json.loads(line) for line in TAU.read_text().splitlines()]
    found = [imported(*run["traj"]) for run in runs]
    assert sum(one.messages for one in found) == sum(len(run["traj"]) for run in runs) == 3398
    assert [one.rejected for one in found if one.rejected] == []
    steps = [entry.step for one in found for entry in one.entries]
    asked = sum(len(message.get("tool_calls") or []) for run in runs for message in run["traj"])
    assert sum(step.kind == TOOL for step in steps) == asked
    assert sum(step.error == UNANSWERED for step in steps) <= len(runs)
    assert all(trace_graph([entry.step for entry in one.entries]).is_whole for one in found)
