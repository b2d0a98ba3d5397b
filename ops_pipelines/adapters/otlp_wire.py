"""Export requests of OTLP over HTTP as bytes: protobuf and JSON in, both as the one shape that `agentops.otlp` reads.

The parts that the bytes name are counted before they are read, so that what a request takes of the memory is bounded.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.otlp_parts import check_json, check_protobuf
from ops_pipelines.core.errors import DataError

if TYPE_CHECKING:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
MEDIA_TYPES = (PROTOBUF, JSON)
_UNCOUNTED_BYTES = 1 << 20
"""Protobuf up to here is not counted: it cannot hold enough parts to matter."""

_SCALARS = {
    "string_value": "stringValue",
    "bool_value": "boolValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
}


def read_request(content: bytes, media_type: str) -> Any:
    """An export request in OTLP's JSON form, as far as `agentops.otlp` reads it.

    DataError where the bytes are none of their media type, TooManyParts where they hold more than may be.
    """
    return _read_json(content) if media_type == JSON else _read_protobuf(content)


def protobuf_of(request: Mapping[str, Any]) -> bytes:
    """An export request, as `agentops.otlp_export` makes it, as protobuf."""
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return ParseDict(_with_ids(request, _base64_of_hex), ExportTraceServiceRequest()).SerializeToString()


def answer(media_type: str, *, rejected: int = 0, why: str = "") -> bytes:
    """The ExportTraceServiceResponse: empty where every span was taken."""
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": why}}
        return json.dumps(partial if rejected or why else {}).encode()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if rejected or why:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = why
    return response.SerializeToString()


def refusal(media_type: str, message: str) -> bytes:
    """The google.rpc.Status that says why a whole request was refused."""
    if media_type == JSON:
        return json.dumps({"message": message}).encode()
    text = message.encode()  # field 2 of Status; a message of one field needs no library
    return b"\x12" + _varint(len(text)) + text


def _read_json(content: bytes) -> Any:
    check_json(content)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _malformed(JSON, error) from error


def _read_protobuf(content: bytes) -> dict[str, Any]:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    if len(content) > _UNCOUNTED_BYTES:
        check_protobuf(content)
    try:
        return _request(ExportTraceServiceRequest.FromString(content))
    except (DecodeError, UnicodeDecodeError) as error:
        raise _malformed(PROTOBUF, error) from error


def _malformed(media_type: str, error: Exception) -> DataError:
    return DataError(
        f"The body is no export request in {media_type}: {error}",
        expected="an ExportTraceServiceRequest of OTLP 1.x",
        action="Check the Content-Type, and that the body is sent whole",
    )


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 127:
        written.append(number & 127 | 128)
        number >>= 7
    return bytes([*written, number])


def _request(message: "ExportTraceServiceRequest") -> dict[str, Any]:
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(one.resource.attributes)},
                "scopeSpans": [{"spans": [_span(span) for span in scope.spans]} for scope in one.scope_spans],
            }
            for one in message.resource_spans
        ]
    }


def _span(span: "Span") -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex(),
        "name": span.name,
        "startTimeUnixNano": span.start_time_unix_nano,
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": _pairs(span.attributes),
        "events": [
            {"name": event.name, "timeUnixNano": event.time_unix_nano, "attributes": _pairs(event.attributes)}
            for event in span.events
        ],
        "links": [{"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()} for link in span.links],
        "status": {"code": span.status.code, "message": span.status.message},
    }


def _pairs(pairs: "Iterable[KeyValue]") -> list[dict[str, Any]]:
    return [{"key": pair.key, "value": _any(pair.value)} for pair in pairs]


def _any(value: "AnyValue") -> dict[str, Any]:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return {"arrayValue": {"values": [_any(one) for one in value.array_value.values]}}
    if kind == "kvlist_value":
        return {"kvlistValue": {"values": _pairs(value.kvlist_value.values)}}
    if kind == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode()}
    return {_SCALARS[kind]: getattr(value, kind)} if kind in _SCALARS else {}


def _with_ids(value: Any, change: Callable[[str], str]) -> Any:
    """A copy in which every id of a trace or a span is changed: protobuf's own JSON form writes bytes as base64."""
    if isinstance(value, list):
        return [_with_ids(one, change) for one in value]
    if isinstance(value, dict):
        ids = {"traceId", "spanId", "parentSpanId"}
        return {name: change(one) if name in ids else _with_ids(one, change) for name, one in value.items()}
    return value


def _base64_of_hex(digits: str) -> str:
    return base64.b64encode(bytes.fromhex(digits)).decode()
