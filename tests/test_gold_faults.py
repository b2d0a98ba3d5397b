import pytest

from benchmarks.gold_faults import LEFT_OUT, LIST_OF_LISTS, NOT_LISTED, NOT_NAMED, OTHER_TYPE, faults_of
from benchmarks.tool_calls import GoldCall, data, gold_calls
from ops_pipelines.agentops.tool_registry import READ, Tool

SCHEMA = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "enum": ["a", "b"]},
        "rows": {"type": "array", "items": {"type": "integer"}},
        "kinds": {"type": "array", "items": {"type": "string"}, "enum": ["x", "y"]},
    },
    "required": ["to"],
}


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"to": "a", "rows": [1, 2]}, ()),
        ({"rows": [1]}, (f"/to: {LEFT_OUT}",)),
        ({"to": "c"}, (f"/to: {NOT_LISTED}",)),
        ({"to": None}, (f"/to: {OTHER_TYPE}",)),
        ({"to": "a", "rows": [1, True]}, (f"/rows[1]: {OTHER_TYPE}",)),
        ({"to": "a", "more": 1}, (f"/more: {NOT_NAMED}",)),
        ({"to": "a", "kinds": ["x"]}, (f"/kinds: {LIST_OF_LISTS}",)),
    ],
)
def test_a_call_that_its_own_schema_contradicts_is_told_with_where_and_what(arguments, wanted):
    assert faults_of(GoldCall("q", "", "ship", SCHEMA, arguments)) == wanted


@pytest.mark.skipif(not (data() / "bfcl_v4_subset.jsonl").is_file(), reason="the public data is not here")
def test_the_gate_refuses_just_the_right_calls_that_contradict_their_own_row():
    calls = list(gold_calls())
    refused = [bool(Tool(call.tool, call.schema, READ).problems(call.arguments)) for call in calls]
    assert refused == [bool(faults_of(call)) for call in calls]
