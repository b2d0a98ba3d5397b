"""That both encodings of OTLP are read into one shape, and that no bytes break the reading."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.otlp_parts import TooManyParts, check_protobuf
from ops_pipelines.adapters.otlp_wire import JSON, MEDIA_TYPES, PROTOBUF, answer, protobuf_of, read_request, refusal
from ops_pipelines.agentops.otlp import import_spans
from ops_pipelines.agentops.otlp_export import export_spans
from ops_pipelines.agentops.run_log import KINDS, MODEL, TOOL, Tally
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.run_log import entry_of

WRITER = Writer(lambda entries: Tally(len(entries)))
ENTRY = entry_of(kind=MODEL, inputs={"a": ["ä", 1.5, None]}, outputs=[1], error="E: no", links=("b7ad6b7169203331",))
WIRE = protobuf_of(export_spans([ENTRY]))


def request_with(*attributes, **of_span):
    """A request of one span, as protobuf, with some attributes of any value."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add()
        .scope_spans.add()
        .spans.add(
            trace_id=b"\x01" * 16,
            span_id=b"\x02" * 8,
            name="work",
            start_time_unix_nano=1,
            end_time_unix_nano=2,
            **of_span,
        )
    )
    for number, value in enumerate(attributes):
        span.attributes.add(key=f"a{number}").value.CopyFrom(value)
    return request.SerializeToString()


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_out_in_either_encoding_comes_in_again_equal(kind):
    told = {"decision": "d", "error": "E: no", "memory_version": "acme@1", "release": "r1", "tokens": 5, "nanos": 7}
    parent = entry_of("oncall", kind="agent", inputs="x")
    sent = (parent, entry_of(kind=kind, parent=parent.step.id, occurrence=3, inputs={"a": 1}, outputs=["ü"], **told))
    request = export_spans(sent)
    for content, media_type in ((protobuf_of(request), PROTOBUF), (json.dumps(request).encode(), JSON)):
        assert import_spans(read_request(content, media_type), WRITER).entries == sent


def test_a_value_of_every_type_in_protobuf_is_kept():
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

    nested = AnyValue(array_value=ArrayValue(values=[AnyValue(bool_value=True), AnyValue(double_value=0.5)]))
    pairs = AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bytes_value=b"raw"))]))
    found = import_spans(
        read_request(request_with(nested, pairs, AnyValue(int_value=-3), AnyValue()), PROTOBUF), WRITER
    )
    (payload,) = found.entries[0].payloads
    assert payload.value()["attributes"] == {"a0": [True, 0.5], "a1": {"k": "cmF3"}, "a2": -3, "a3": None}


def test_an_event_of_a_span_is_kept():
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    content = request_with(events=[Span.Event(name="exception", time_unix_nano=1)])
    (entry,) = import_spans(read_request(content, PROTOBUF), WRITER).entries
    assert entry.payloads[0].value()["events"] == [{"name": "exception"}]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5_000 + b"0", b'{"a": "\xff"}'])
def test_bytes_that_are_no_json_are_refused_in_words(content):
    with pytest.raises(DataError, match="no export request in application/json"):
        read_request(content, JSON)


@pytest.mark.parametrize("content", [WIRE[:-1], b"\x0a\xff", b"\xff" * 20, b"\x0a\x02\x0a\x05"])
def test_bytes_that_are_no_protobuf_are_refused_in_words(content):
    with pytest.raises(DataError, match="no export request in application/x-protobuf"):
        read_request(content, PROTOBUF)


def test_protobuf_that_is_nested_without_end_is_refused():
    value = b"\x0a\x01x"
    for _ in range(200):
        inner = b"\x0a" + varint(len(value)) + value
        value = b"\x2a" + varint(len(inner)) + inner
    attribute = b"\x12" + varint(len(value)) + value
    span = b"\x4a" + varint(len(attribute)) + attribute
    scope = b"\x12" + varint(len(span)) + span
    spans = b"\x12" + varint(len(scope)) + scope
    with pytest.raises(DataError, match="no export request"):
        read_request(b"\x0a" + varint(len(spans)) + spans, PROTOBUF)


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


@pytest.mark.parametrize(
    ("content", "media_type"), [(b"\x0a\x00" * 1_000_000, PROTOBUF), (b"[" + b"{}," * 400_000 + b"{}]", JSON)]
)
def test_small_bytes_that_name_a_great_many_parts_are_refused_before_they_are_read(content, media_type):
    with pytest.raises(TooManyParts):
        read_request(content, media_type)


def test_the_parts_below_each_message_are_counted():
    with pytest.raises(TooManyParts):
        check_protobuf(WIRE, 40)
    check_protobuf(WIRE, 100)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200), st.sampled_from(MEDIA_TYPES))
def test_no_bytes_break_the_reading(content, media_type):
    try:
        found = import_spans(read_request(content, media_type), WRITER)
    except DataError:
        return
    assert found.sent == len(found.entries) + len(found.rejected)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(WIRE) - 1), st.integers(0, 255))
def test_one_wrong_byte_in_a_good_request_is_taken_or_refused(at, byte):
    content = WIRE[:at] + bytes([byte]) + WIRE[at + 1 :]
    check_protobuf(content)
    with suppress(DataError):
        assert import_spans(read_request(content, PROTOBUF), WRITER).sent <= 1


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=100))
def test_counting_ends_for_any_bytes(content):
    check_protobuf(content)


def test_answers_are_messages_of_otlp_in_the_encoding_of_the_request():
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    told = ExportTraceServiceResponse.FromString(answer(PROTOBUF, rejected=2, why="no id")).partial_success
    assert (told.rejected_spans, told.error_message) == (2, "no id")
    assert json.loads(answer(JSON, rejected=2, why="no id")) == {
        "partialSuccess": {"rejectedSpans": "2", "errorMessage": "no id"}
    }
    assert (answer(PROTOBUF), json.loads(answer(JSON))) == (b"", {})


def test_a_refusal_is_a_status_whose_message_is_its_second_field():
    why = "ü" * 100
    assert refusal(PROTOBUF, why) == b"\x12\xc8\x01" + why.encode()
    assert json.loads(refusal(JSON, why)) == {"message": why}


def test_a_tool_call_that_was_recorded_in_protobuf_has_its_kind():
    content = protobuf_of(export_spans([entry_of(kind=TOOL)]))
    assert import_spans(read_request(content, PROTOBUF), WRITER).entries[0].step.kind == TOOL
