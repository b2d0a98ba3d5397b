"""What the benchmark of the gate does; whether a bound on time holds is no test."""

import pytest

from benchmarks import agentops_gate
from benchmarks.tool_calls import GoldCall, data, gold_calls, mutations
from ops_pipelines.agentops.tool_registry import READ, Tool

SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "string"}, "rows": {"type": "integer"}, "how": {"enum": ["a"], "type": "string"}},
    "required": ["order"],
}
CALL = GoldCall("q", "ship A17", "ship", SCHEMA, {"order": "A17", "rows": 5, "how": "a"})


def test_each_damage_to_a_call_is_refused_and_the_call_is_not():
    tool = Tool("ship", SCHEMA, READ)
    assert tool.problems(CALL.arguments) == ()
    kinds = {kind for kind, arguments in mutations(CALL) if tool.problems(arguments)}
    assert kinds == {kind for kind, _ in mutations(CALL)}
    assert len(kinds) == 7


def test_without_the_public_data_the_rows_are_skipped_and_say_so(monkeypatch):
    monkeypatch.setenv("OPS_BENCH_DATA", "nowhere")
    (row,) = agentops_gate._quality()
    assert (row.holds, "not in agents" in row.note) == (None, True)


def test_every_call_that_is_timed_comes_to_what_it_should():
    rows = list(agentops_gate._latency(20))
    assert [row.note.startswith("void") for row in rows] == [False] * 6


def test_a_backtest_judges_every_decision_that_is_timed():
    (row,) = agentops_gate._backtest(5)
    assert (row.holds, row.ours > 0) == (True, True)


@pytest.mark.skipif(not (data() / "bfcl_v4_subset.jsonl").is_file(), reason="the public data is not here")
def test_every_right_call_of_the_public_data_names_a_question_and_a_tool():
    calls = list(gold_calls())
    assert (len(calls), all(call.question and call.tool for call in calls)) == (3058, True)
