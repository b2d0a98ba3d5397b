import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of
from ops_pipelines.llmops.response_schema import (
    MAX_ANSWER_CHARS,
    in_order_of_required,
    judge_answer,
    problems_of_schema,
)

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "score": {"type": "number", "maximum": 1}},
    "required": ["answer"],
    "additionalProperties": False,
}


def test_an_answer_of_the_schema_passes_with_what_was_read():
    verdict = judge_answer('{"answer": "yes", "score": 0.5}', SCHEMA)
    assert verdict == Passed({"answer": {"answer": "yes", "score": 0.5}})


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("yes", "is not JSON"),
        ('```json\n{"answer": "yes"}\n```', "is not JSON"),
        ('{"answer": "yes"', "is not JSON"),
        ('{"answer": "yes"} and more', "is not JSON"),
        ('{"answer": "yes", "score": NaN}', "NaN is no number of JSON"),
        ('{"answer": "yes", "answer": "no"}', "the key 'answer' occurs twice"),
        ("[" * 100_000, "is not JSON"),
        ('"' + "x" * MAX_ANSWER_CHARS + '"', "may have"),
        ("{}", "'answer' is a required property"),
        ('{"answer": 5}', "$.answer: 5 is not of type 'string'"),
        ('{"answer": "yes", "score": "1"}', "$.score: '1' is not of type 'number'"),
        ('{"answer": "yes", "score": 2}', "$.score: 2 is greater than the maximum"),
        ('{"answer": "yes", "why": "so"}', "Additional properties"),
    ],
)
def test_an_answer_that_is_not_of_the_schema_is_blocked_with_the_place_and_the_reason(answer, why):
    verdict = judge_answer(answer, SCHEMA)
    assert isinstance(verdict, Blocked)
    assert why in " ".join(reasons_of(verdict))


@pytest.mark.parametrize("answer", ["", "  \n"])
def test_an_empty_answer_was_not_judged(answer):
    assert judge_answer(answer, SCHEMA) == NotEvaluated("the answer is empty")


@pytest.mark.parametrize(
    "schema", [{"type": "objct"}, {"$ref": "https://example.org/schema"}, {"$ref": "#/$defs/gone"}, {"pattern": "("}]
)
def test_a_schema_that_cannot_judge_is_never_a_pass(schema):
    assert isinstance(judge_answer('"x"', schema), NotEvaluated)


def test_a_schema_may_refer_to_its_own_parts():
    schema = {"$defs": {"word": {"type": "string"}}, "$ref": "#/$defs/word"}
    assert problems_of_schema(schema) == ()
    assert isinstance(judge_answer('"x"', schema), Passed)
    assert isinstance(judge_answer("1", schema), Blocked)


@given(st.permutations(["answer", "score", "why"]), st.sets(st.sampled_from(["answer", "score", "why"])))
def test_properties_stand_in_the_order_of_required_and_nothing_else_changes(order, listed):
    required = [name for name in order if name in listed]
    schema = {"properties": {name: {"type": "string"} for name in order}, "required": required}
    ordered = in_order_of_required({"items": [schema]})["items"][0]
    assert list(ordered["properties"]) == required + sorted(set(order) - set(required))
    assert digest_json(ordered) == digest_json(schema)


def test_at_most_five_reasons_are_told_and_all_are_counted():
    many = json.dumps({"answer": "x", **{f"key {number}": 1 for number in range(9)}})
    schema = {"type": "object", "propertyNames": {"maxLength": 1}}
    verdict = judge_answer(many, schema)
    assert (len(verdict.reasons), verdict.evidence["errors"]) == (5, 10)
