"""Spans of OpenTelemetry, in OTLP's JSON form, as steps of runs.

The GenAI conventions are still in development, so older names and those of OpenInference are read, too. A span that no
convention explains is work of an agent. What comes from the network is anybody's: each span is taken or named as rejected,
and sizes, depths and counts have limits. Protobuf has the same fields: `adapters.otlp_wire` gives them here.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops_pipelines.agentops.otlp_names import (
    INPUTS,
    KINDS_BY_WORD,
    NAMES,
    OPERATIONS,
    OPS_DECISION,
    OPS_ENDED,
    OPS_KIND,
    OPS_NAME,
    OPS_NANOS,
    OPS_OCCURRENCE,
    OPS_RELEASE,
    OPS_VERSION,
    OUR_INPUTS,
    OUR_OUTPUTS,
    OURS,
    OUTPUTS,
    REPEATED,
    REPEATED_OF_OURS,
    STATUS_ERROR,
    TOKENS,
    TOTAL_TOKENS,
)
from ops_pipelines.agentops.payload import Payload, plain
from ops_pipelines.agentops.run_log import AGENT, KINDS, Entry, Step
from ops_pipelines.agentops.step_writer import Writer

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_NANO = 253_402_300_799 * 10**9
_TRACE, _SPAN = re.compile(r"(?!0{32})[0-9a-f]{32}"), re.compile(r"(?!0{16})[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SpanLimits:
    """How much of one request is taken: spans, attributes of a span and its links, and how deep a value may be nested."""

    spans: int = 10_000
    attributes: int = 256
    depth: int = 16


@dataclass(frozen=True, slots=True)
class ImportedSpans:
    """The entries of a request, and why some of its spans are none, by their number: together all that were sent."""

    entries: tuple[Entry, ...]
    rejected: tuple[tuple[int, str], ...]

    @property
    def sent(self) -> int:
        """How many spans the request held."""
        return len(self.entries) + len(self.rejected)


class _Refused(Exception):
    """Why a span is not taken."""


def import_spans(request: Any, writer: Writer, limits: SpanLimits | None = None) -> ImportedSpans:
    """The steps of an export request, redacted and shortened by a writer, which keeps none of them: give them to a log.

    A request of another shape holds no span. The same request gives the same steps, so that it may be sent again.
    """
    bounds, counts = limits or SpanLimits(), Counter[tuple[str, ...]]()
    entries, rejected = [], []
    for number, (span, service) in enumerate(_spans(request)):
        try:
            if number >= bounds.spans:
                raise _Refused(f"a request holds at most {bounds.spans} spans")
            entries.append(_entry(span, service, writer, bounds, counts))
        except _Refused as refused:
            rejected.append((number, str(refused)))
    return ImportedSpans(tuple(entries), tuple(rejected))


def _spans(request: Any) -> Iterator[tuple[Any, str]]:
    """Each span of a request with the name of the service that sent it."""
    for resource_spans in _mappings(request, "resourceSpans"):
        resource = resource_spans.get("resource")
        service = next((_scalar(one.get("value")) for one in _mappings(resource, "attributes") if _is_service(one)), "")
        for scope_spans in _mappings(resource_spans, "scopeSpans"):
            spans = scope_spans.get("spans")
            for span in spans if isinstance(spans, list) else []:
                yield span, str(service or "")


def _is_service(attribute: Mapping[str, Any]) -> bool:
    return attribute.get("key") == "service.name"


def _mappings(value: Any, key: str) -> list[Mapping[str, Any]]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _entry(span: Any, service: str, writer: Writer, limits: SpanLimits, counts: Counter[tuple[str, ...]]) -> Entry:
    if not isinstance(span, Mapping):
        raise _Refused(f"a span is an object, and this is a {type(span).__name__}")
    run, id = _id(span, "traceId", _TRACE), _id(span, "spanId", _SPAN)
    parent = _id(span, "parentSpanId", _SPAN) if span.get("parentSpanId") else ""
    known = _attributes(span, limits)
    kind = _kind(known)
    name = writer.word(str(_first(known, (OPS_NAME, *NAMES.get(kind, ()))) or span.get("name") or "unknown"))
    started, ended = _instant(span, "startTimeUnixNano"), _instant({**span, **_ended(known)}, "endTimeUnixNano")
    counts[run, parent, kind, name] += 1
    events = _events(span, limits)
    sent, came = _values(known, kind, events, writer)
    step = Step(
        id=id,
        run=run,
        parent=parent,
        agent=writer.word(str(known.get("gen_ai.agent.name") or service or "unknown")),
        kind=kind,
        name=name,
        occurrence=_count(known.get(OPS_OCCURRENCE), counts[run, parent, kind, name] - 1),
        inputs=sent.digest if sent else "",
        outputs=came.digest if came else "",
        started=started,
        ended=max(started, ended),
        decision=writer.word(str(known.get(OPS_DECISION) or "")),
        error=writer.word(_error(span, events), 2000),
        memory_version=writer.word(str(known.get(OPS_VERSION) or "")),
        release=writer.word(str(known.get(OPS_RELEASE) or "")),
        tokens=_tokens(known),
        nanos=_count(known.get(OPS_NANOS), None),
        links=tuple(
            str(link["spanId"]) for link in _mappings(span, "links") if _SPAN.fullmatch(str(link.get("spanId")))
        ),
    )
    return Entry(step, tuple(payload for payload in (sent, came) if payload))


def _values(
    known: Mapping[str, Any], kind: str, events: list[Any], writer: Writer
) -> tuple[Payload | None, Payload | None]:
    """What went in and came out; events, and attributes that no convention explains, are kept beside what went in."""
    is_ours = OPS_KIND in known
    inputs, outputs = (OUR_INPUTS, OUR_OUTPUTS) if is_ours else (INPUTS, OUTPUTS)
    words = (*OPERATIONS, *NAMES.get(kind, ()), *NAMES[AGENT], *TOKENS[0], *TOKENS[1], TOTAL_TOKENS)
    explained = OURS.union(REPEATED, REPEATED_OF_OURS if is_ours else (), inputs, outputs, words)
    rest = {name: value for name, value in known.items() if name not in explained}
    sent, came = _read(_first(known, inputs)), _read(_first(known, outputs))
    beside = {name: value for name, value in (("attributes", rest), ("events", events)) if value}
    given = {"inputs": sent, **beside} if beside else sent
    return writer.payload(plain(given)), writer.payload(plain(came))


def _attributes(span: Mapping[str, Any], limits: SpanLimits) -> dict[str, Any]:
    found = _mappings(span, "attributes")
    if any(len(_mappings(span, part)) > limits.attributes for part in ("attributes", "links", "events")):
        raise _Refused(f"a span has at most {limits.attributes} attributes, links and events")
    return {str(one.get("key")): _value(one.get("value"), limits.depth) for one in found}


def _events(span: Mapping[str, Any], limits: SpanLimits) -> list[Any]:
    """What happened under way, an exception for choice, as plain values."""
    return [{"name": one.get("name"), **_attributes(one, limits)} for one in _mappings(span, "events")]


def _value(value: Any, depth: int) -> Any:
    """An AnyValue of OTLP as a plain value."""
    if depth <= 0:
        raise _Refused("an attribute is nested too deeply")
    if not isinstance(value, Mapping):
        return None
    if isinstance(value.get("arrayValue"), Mapping):
        values = value["arrayValue"].get("values")
        return [_value(one, depth - 1) for one in values] if isinstance(values, list) else []
    if isinstance(value.get("kvlistValue"), Mapping):
        pairs = _mappings(value["kvlistValue"], "values")
        return {str(one.get("key")): _value(one.get("value"), depth - 1) for one in pairs}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return None
    if "intValue" in value:
        return _count(value["intValue"], str(value["intValue"]))
    return next(
        (value[name] for name in ("stringValue", "boolValue", "doubleValue", "bytesValue") if name in value), None
    )


def _kind(known: Mapping[str, Any]) -> str:
    if known.get(OPS_KIND) in KINDS:
        return str(known[OPS_KIND])
    operations = (known.get(name) for name in OPERATIONS)
    return next((KINDS_BY_WORD[word] for word in operations if isinstance(word, str) and word in KINDS_BY_WORD), AGENT)


def _id(span: Mapping[str, Any], key: str, shape: re.Pattern[str]) -> str:
    found = str(span.get(key) or "").lower()
    if not shape.fullmatch(found):
        raise _Refused(f"its {key} is no id of W3C trace context")
    return found


def _instant(span: Mapping[str, Any], key: str) -> datetime:
    nanos = _count(span.get(key), None)
    if nanos is None or not 0 < nanos <= _LAST_NANO:
        raise _Refused(f"its {key} is no instant")
    return _EPOCH + timedelta(microseconds=nanos // 1000)


def _ended(known: Mapping[str, Any]) -> dict[str, Any]:
    return {"endTimeUnixNano": known[OPS_ENDED]} if OPS_ENDED in known else {}


def _count(value: Any, otherwise: Any) -> Any:
    """A whole number, also as the text that OTLP's JSON writes; `otherwise` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"-?\d{1,19}", str(value)):
        return otherwise
    return int(value)


def _tokens(known: Mapping[str, Any]) -> int | None:
    for pair in ((TOTAL_TOKENS,), *TOKENS):
        counts = [_count(known.get(name), None) for name in pair]
        if any(count is not None for count in counts):
            return sum(max(count or 0, 0) for count in counts)
    return None


def _error(span: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    """What its status says, or the exception that happened under way; empty where it went well."""
    status = span.get("status")
    if not isinstance(status, Mapping) or status.get("code") not in (STATUS_ERROR, "STATUS_CODE_ERROR"):
        return ""
    raised = [
        f"{one.get('exception.type')}: {one.get('exception.message')}" for one in events if "exception.type" in one
    ]
    return str(status.get("message") or (raised and raised[-1]) or "it failed, and nothing says why")


def _first(known: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((known[name] for name in names if known.get(name) not in (None, "")), None)


def _read(value: Any) -> Any:
    """A value, read where it is JSON in a text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
