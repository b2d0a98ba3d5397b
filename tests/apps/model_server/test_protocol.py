"""Bodies as they come over the wire: what is read from them, and which field is named where it cannot be."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.apps.model_server.protocol import (
    MAX_ROWS,
    InferRequest,
    PredictRequest,
    columns_of,
    decode,
    decoder,
)
from ops_pipelines.core.errors import ConfigError, SchemaMismatch

INFER, PREDICT = decoder(InferRequest), decoder(PredictRequest)
KEYS = (
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = {"FP64": [1.5, 2], "INT64": [1, 2], "BOOL": [True, False], "BYTES": ["a", ""]}


def tensor(datatype, data, **more):
    return {"name": "x", "shape": [len(data)], "datatype": datatype, "data": data} | more


def columns(*tensors):
    return columns_of(decode(json.dumps({"inputs": tensors}).encode(), INFER))


def keys(*rows):
    return decode(json.dumps({"rows": rows}).encode(), PREDICT).rows


@pytest.mark.parametrize(("datatype", "values"), VALUES.items())
def test_values_of_a_datatype_are_taken_as_they_are_and_null_with_them(datatype, values):
    assert columns(tensor(datatype, [*values, None])) == ({"x": [*values, None]}, 3)


OTHERS = [
    *(("FP64", value) for value in ("1", True, [], {})),
    *(("INT64", value) for value in ("1", True, 1.0, [])),
    *(("BOOL", value) for value in ("true", 1, 0.0, {})),
    *(("BYTES", value) for value in (1, 1.5, False, [])),
]


@pytest.mark.parametrize(("datatype", "value"), OTHERS)
def test_a_value_of_another_type_than_its_datatype_is_refused_by_its_input(datatype, value):
    with pytest.raises(SchemaMismatch, match="'x'") as refused:
        columns(tensor(datatype, [value]))
    assert refused.value.facts["field"] == "x"


@pytest.mark.parametrize("data", [[[1.0], [2.0]], [1.0, 2.0]], ids=["nested", "flat"])
def test_a_column_of_one_may_be_nested_as_its_shape_is(data):
    assert columns(tensor("FP64", data, shape=[2, 1])) == ({"x": [1.0, 2.0]}, 2)


@pytest.mark.parametrize("data", [[[1.0, 2.0]], [[[1.0]]], [[]], [1.0, [2.0]]])
def test_what_is_nested_otherwise_is_refused(data):
    with pytest.raises(SchemaMismatch, match="'x'"):
        columns(tensor("FP64", data))


def test_as_many_rows_as_may_be_are_read_and_one_more_is_not():
    assert columns(tensor("FP64", [1.0] * MAX_ROWS))[1] == MAX_ROWS
    with pytest.raises(SchemaMismatch, match="1001 rows"):
        columns(tensor("FP64", [1.0] * (MAX_ROWS + 1)))


def test_parameters_of_other_servers_are_passed_over():
    body = {"inputs": [tensor("FP64", [1.0])], "parameters": {"priority": 3, "durable": True}, "id": "7"}
    request = decode(json.dumps(body).encode(), INFER)
    assert (request.parameters.durable, request.parameters.allow_missing, request.id) == (True, False, "7")


@given(st.lists(st.dictionaries(st.text(), KEYS, max_size=3), min_size=1, max_size=3))
def test_every_key_that_a_log_can_keep_is_read_back_as_it_was_sent(rows):
    assert keys(*rows) == rows


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**64, 10**400])
def test_a_key_beyond_64_bits_is_refused_since_no_log_could_keep_it(number):
    with pytest.raises(SchemaMismatch) as refused:
        keys({"trip": "a"}, {"trip": number})
    assert refused.value.facts["field"].startswith("rows[1]")


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.from_regex(rb"[\[\]{}\":,0-9eE.-]*"))
def test_whatever_the_bytes_are_they_are_a_request_or_refused(body):
    for reader in (INFER, PREDICT):
        with suppress(ConfigError, SchemaMismatch):
            decode(body, reader)
