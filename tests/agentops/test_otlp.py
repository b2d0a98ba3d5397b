import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.otlp import ImportedSpans, SpanLimits, import_spans
from ops_pipelines.agentops.otlp_export import export_spans
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import AGENT, KINDS, MEMORY_READ, MODEL, TOOL, Tally, fault_of
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_graph import trace_graph
from ops_pipelines.testing.agent_program import Investigation, Outside, record
from ops_pipelines.testing.run_log import RUN, MemoryRunLog, entry_of

WRITER = Writer(lambda entries: Tally(len(entries)))
ROOT, CALL = "00f067aa0ba902b7", "b7ad6b7169203331"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(), one, max_size=3),
    max_leaves=8,
)


def span(**changes: object) -> dict[str, object]:
    return {
        "traceId": RUN,
        "spanId": ROOT,
        "name": "work",
        "startTimeUnixNano": "1772409600000001000",
        "endTimeUnixNano": "1772409601000000000",
        **changes,
    }


def attributes(**named: object) -> list[dict[str, object]]:
    return [{"key": key.replace("__", "."), "value": {"stringValue": value}} for key, value in named.items()]


def imported(*spans: object, **how: object) -> ImportedSpans:
    resource = {"attributes": attributes(service__name="desk")}
    request = {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": list(spans)}]}]}
    return import_spans(request, how.pop("writer", WRITER), **how)


def test_a_model_call_under_an_agent_becomes_two_steps_of_one_run():
    call = span(
        spanId=CALL,
        parentSpanId=ROOT,
        name="chat desk-1",
        attributes=[
            *attributes(gen_ai__operation__name="chat", gen_ai__request__model="desk-1"),
            *attributes(gen_ai__input__messages='[{"role": "user"}]', gen_ai__output__messages="fine"),
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "12"}},
            {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 3}},
        ],
    )
    found = imported(span(), call)
    first, second = [entry.step for entry in found.entries]
    assert (first.kind, first.agent, first.started) == (AGENT, "desk", datetime(2026, 3, 2, 0, 0, 0, 1, UTC))
    assert (second.kind, second.name, second.tokens, second.parent) == (MODEL, "desk-1", 15, ROOT)
    assert [payload.value() for payload in found.entries[1].payloads] == [[{"role": "user"}], "fine"]
    assert trace_graph([first, second]).is_whole


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        ({"gen_ai__operation__name": "execute_tool"}, TOOL),
        ({"openinference__span__kind": "LLM"}, MODEL),
        ({"openinference__span__kind": "RETRIEVER"}, MEMORY_READ),
        ({"mlflow__spanType": "TOOL"}, TOOL),
        ({"http__method": "GET"}, AGENT),
    ],
)
def test_the_kinds_of_several_conventions_are_known(named, kind):
    assert imported(span(attributes=attributes(**named))).entries[0].step.kind == kind


def test_an_attribute_that_no_convention_explains_is_kept():
    (entry,) = imported(span(attributes=attributes(shop__order="7"))).entries
    assert entry.payloads[0].value() == {"inputs": None, "attributes": {"shop.order": "7"}}


def test_a_failed_span_has_an_error_also_without_a_message():
    found = imported(span(status={"code": 2, "message": "no"}), span(spanId=CALL, status={"code": "STATUS_CODE_ERROR"}))
    assert [entry.step.error for entry in found.entries] == ["no", "it failed, and nothing says why"]


def test_a_failed_span_without_a_message_has_the_exception_that_happened_in_it():
    raised = {"name": "exception", "attributes": attributes(exception__type="OSError", exception__message="no disk")}
    (entry,) = imported(span(status={"code": 2}, events=[raised])).entries
    assert entry.step.error == "OSError: no disk"


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("text", "a span is an object"),
        (span(traceId="xyz"), "traceId"),
        (span(traceId="0" * 32), "traceId"),
        (span(spanId=12), "spanId"),
        (span(parentSpanId="12"), "parentSpanId"),
        (span(startTimeUnixNano="soon"), "no instant"),
        (span(endTimeUnixNano=str(10**22)), "no instant"),
        (span(attributes=attributes(**{f"a{n}": "x" for n in range(300)})), "at most 256 attributes, links and events"),
    ],
)
def test_a_span_that_cannot_be_taken_is_named_and_the_others_are_taken(wrong, why):
    found = imported(span(), wrong, span(spanId=CALL))
    assert ([entry.step.id for entry in found.entries], found.sent) == ([ROOT, CALL], 3)
    assert [(at, why in said) for at, said in found.rejected] == [(1, True)]


def test_a_value_that_is_nested_too_deeply_is_rejected():
    value: dict[str, object] = {"stringValue": "x"}
    for _ in range(100):
        value = {"arrayValue": {"values": [value]}}
    (rejected,) = imported(span(attributes=[{"key": "deep", "value": value}])).rejected
    assert "too deeply" in rejected[1]


def test_spans_beyond_the_limit_are_rejected_and_counted():
    found = imported(*[span(spanId=f"{n:016x}") for n in range(1, 11)], limits=SpanLimits(spans=4))
    assert (len(found.entries), len(found.rejected), found.sent) == (4, 6, 10)


def test_secrets_in_any_place_of_a_span_are_taken_out():
    secret = "ada@example.org"
    wrong = span(
        name=secret,
        status={"code": 2, "message": secret},
        attributes=attributes(input__value=secret, **{secret: secret}),
    )
    (entry,) = imported(wrong, writer=Writer(lambda entries: Tally(1), Redactor())).entries
    assert "example.org" not in f"{entry.step} {[payload.content for payload in entry.payloads]}"


def test_a_big_attribute_is_shortened_with_its_size():
    big = span(attributes=attributes(input__value="word " * 100_000))
    (entry,) = imported(big, writer=Writer(lambda entries: Tally(1), limit_bytes=1000)).entries
    assert (entry.payloads[0].size, entry.payloads[0].is_whole) == (500_002, False)


def test_the_same_request_twice_is_kept_once():
    log = MemoryRunLog()
    request = [span(), span(spanId=CALL, parentSpanId=ROOT), span(spanId="1" * 16, parentSpanId=ROOT)]
    assert [log.append(imported(*request).entries) for _ in range(2)] == [Tally(3), Tally(3)]
    assert len(log.steps(RUN)) == 3


@pytest.mark.parametrize("request_", [None, [], "x", {"resourceSpans": "x"}, {"resourceSpans": [{"scopeSpans": [1]}]}])
def test_a_request_of_another_shape_holds_no_span(request_):
    assert import_spans(request_, WRITER).sent == 0


@settings(deadline=None, max_examples=50)
@given(
    st.lists(JSON | st.dictionaries(st.sampled_from(sorted(span())), JSON).map(lambda wrong: span(**wrong)), max_size=5)
)
def test_whatever_is_sent_is_taken_or_rejected_and_every_entry_can_be_kept(spans):
    found = imported(*spans)
    assert found.sent == len(spans)
    assert [fault for entry in found.entries if (fault := fault_of(entry))] == []


@settings(deadline=None, max_examples=50)
@given(JSON)
def test_no_request_breaks_the_reading(request_):
    import_spans(request_, WRITER)


def test_a_recorded_run_that_is_exported_comes_back_as_it_was():
    log = MemoryRunLog()
    entries = []
    record(Investigation(Outside(), 9), lambda some: entries.extend(some) or log.append(some))
    request = json.loads(json.dumps(export_spans(entries)))
    assert [entry.step for entry in import_spans(request, WRITER).entries] == list(log.steps(RUN))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_step_survives_the_way_out_and_back(kind):
    told = {"decision": "d", "error": "E: no", "memory_version": "acme@1", "release": "r1", "links": (CALL,)}
    entry = entry_of(kind=kind, parent=ROOT, occurrence=3, inputs={"a": 1}, outputs=[1], tokens=5, nanos=7, **told)
    assert import_spans(export_spans([entry]), WRITER).entries == (entry,)


def test_a_span_that_only_says_it_is_ours_loses_nothing_that_it_carries():
    named = attributes(ops__step__kind="tool", input__value='"a"', gen_ai__input__messages="b", mlflow__spanInputs="a")
    (entry,) = imported(span(attributes=named)).entries
    assert entry.payloads[0].value() == {"inputs": "a", "attributes": {"gen_ai.input.messages": "b"}}
