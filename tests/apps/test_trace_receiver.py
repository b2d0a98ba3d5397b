"""What senders of spans are told, whatever they send, and that what was accepted is kept."""

import asyncio
import gzip
import json
import sqlite3
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.adapters.otlp_wire import JSON, MEDIA_TYPES, PROTOBUF, protobuf_of
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.otlp import SpanLimits
from ops_pipelines.agentops.otlp_export import export_spans
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.apps.trace_receiver import ReceiverSettings, TraceReceiver, make_app, serve_traces
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.testing.run_log import RUN, MemoryRunLog, entry_of

ENTRIES = [entry_of("oncall", kind="agent", inputs="alarm"), entry_of("notify", occurrence=1, outputs={"sent": True})]
REQUEST = export_spans(ENTRIES)
WIRE, TEXT = protobuf_of(REQUEST), json.dumps(REQUEST).encode()


@dataclass
class Told:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def partial(self):
        return json.loads(self.body).get("partialSuccess", {})


class World:
    """A receiver before a log in memory."""

    def __init__(self, log=None, **settings):
        self.log = log or MemoryRunLog()
        self.receiver = TraceReceiver(Writer(self.log.append), ReceiverSettings(**settings))

    def post(self, body, media_type=PROTOBUF, *, host="127.0.0.1:4318", chunk=1 << 16, **headers):
        named = {"host": host, "content-type": media_type, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return asyncio.run(
            _asked(make_app(self.receiver), [body[at : at + chunk] for at in range(0, len(body), chunk)], named)
        )

    def kept(self):
        return [step.name for step in self.log.steps(RUN)]


async def _asked(app, chunks, headers):
    sent, waiting = [], [*chunks] or [b""]

    async def receive():
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/traces", "headers": encoded, "query_string": b""}
    await app(scope, receive, send)
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Told(sent[0]["status"], told, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture
def world():
    return World()


@pytest.mark.parametrize(("body", "media_type"), [(WIRE, PROTOBUF), (TEXT, JSON), (TEXT, f"{JSON}; charset=utf-8")])
@pytest.mark.parametrize("packed", [False, True])
def test_spans_in_either_encoding_plain_or_packed_become_the_steps_that_were_sent(world, body, media_type, packed):
    told = (
        world.post(gzip.compress(body), media_type, content_encoding="gzip") if packed else world.post(body, media_type)
    )
    assert (told.status, told.headers["content-type"].partition(";")[0]) == (200, media_type.partition(";")[0])
    assert world.log.steps(RUN) == tuple(entry.step for entry in ENTRIES)


def test_the_same_request_twice_is_kept_once_and_accepted_twice(world):
    assert (world.post(WIRE).body, world.post(WIRE).body, len(world.kept())) == (b"", b"", 2)


def test_spans_that_cannot_be_taken_are_counted_with_reasons_and_the_others_are_kept(world):
    request = export_spans([*ENTRIES, entry_of("odd", run="xyz")])
    told = world.post(json.dumps(request).encode(), JSON)
    assert (told.status, told.partial["rejectedSpans"], world.kept()) == (200, "1", ["oncall", "notify"])
    assert "span 2: its traceId" in told.partial["errorMessage"]


def test_another_step_under_a_kept_id_is_told_as_rejected(world):
    world.post(TEXT, JSON)
    told = world.post(
        json.dumps(export_spans([entry_of("notify", occurrence=1, decision="x"), ENTRIES[0]])).encode(), JSON
    )
    assert told.partial["rejectedSpans"] == "1"
    assert "another step" in told.partial["errorMessage"]


def test_spans_beyond_the_limit_are_rejected_and_add_up(world):
    world = World(limits=SpanLimits(spans=3))
    request = export_spans([entry_of(occurrence=number) for number in range(5)])
    told = world.post(json.dumps(request).encode(), JSON)
    assert (told.partial["rejectedSpans"], len(world.kept())) == ("2", 3)


def test_a_secret_is_cut_out_before_it_is_kept(world):
    secret = "sk-" + "a1B2" * 8
    world.post(protobuf_of(export_spans([entry_of(inputs={"text": f"use {secret}"}, outputs=secret, error=secret)])))
    (step,) = world.log.steps(RUN)
    shown = [world.log.payload(digest).content.decode() for digest in (step.inputs, step.outputs)]
    assert [secret in text for text in (*shown, step.error)] == [False, False, False]


@pytest.mark.parametrize(("body", "media_type"), [(WIRE[:-1], PROTOBUF), (b"{", JSON), (b"", JSON)])
def test_a_malformed_body_is_400_with_the_reason_and_not_to_be_sent_again(world, body, media_type):
    told = world.post(body, media_type)
    assert (told.status, "retry-after" in told.headers, b"no export request" in told.body) == (400, False, True)


@pytest.mark.parametrize("headers", [{"media_type": "text/plain"}, {"media_type": ""}, {"content_encoding": "br"}])
def test_another_type_or_encoding_is_415(world, headers):
    assert world.post(WIRE, **headers).status == 415


def test_a_body_that_says_it_is_too_large_is_413_and_none_of_it_is_kept(world):
    assert world.post(WIRE, content_length=str(100 << 20)).status == 413
    assert world.kept() == []


@pytest.mark.parametrize("length", ["-1", "many", "9" * 30])
def test_a_length_that_is_no_length_is_413(world, length):
    assert world.post(WIRE, content_length=length).status == 413


def test_a_body_without_a_length_is_refused_at_the_first_byte_too_many():
    assert World(most_bytes=1000).post(b"x" * 5000, chunk=100).status == 413


def test_a_packed_body_is_refused_once_it_unpacks_to_too_much():
    bomb = gzip.compress(b"0" * 5_000_000)
    assert World(most_bytes=100_000).post(bomb, content_encoding="gzip").status == 413


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(WIRE)[:-3], gzip.compress(WIRE) + b"more"])
def test_a_body_that_is_no_whole_gzip_is_400(world, body):
    assert (world.post(body, content_encoding="gzip").status, world.kept()) == (400, [])


def test_a_great_many_empty_parts_are_413(world):
    assert world.post(b"\x0a\x00" * 1_000_000).status == 413


def test_a_page_of_another_host_is_not_answered(world):
    assert (world.post(WIRE, host="evil.example").status, world.kept()) == (400, [])


def test_one_more_than_may_wait_is_told_to_come_again():
    told = World(most_waiting=0).post(WIRE)
    assert (told.status, told.headers["retry-after"]) == (429, "1")


def test_a_log_that_is_locked_is_503_and_the_same_request_is_kept_later(tmp_path):
    file = tmp_path / "log" / "runs.db"
    world = World(SQLiteRunLog(file, timeout_seconds=0.05))
    world.log.append([entry_of("first")])
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    told = world.post(WIRE)
    assert (told.status, told.headers["retry-after"], world.kept()) == (503, "1", ["first"])
    holder.close()
    assert (world.post(WIRE).status, world.kept()) == (200, ["first", "oncall", "notify"])


def test_a_large_text_is_kept_from_its_start_with_the_digest_of_the_whole(world):
    told = world.post(protobuf_of(export_spans([entry_of(inputs="long " * 500_000)])))
    payload = world.log.payload(world.log.steps(RUN)[0].inputs)
    assert (told.status, payload.is_whole, payload.size > 2_000_000 > len(payload.content)) == (200, False, True)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(MEDIA_TYPES))
def test_whatever_is_sent_is_answered_with_a_status_of_otlp(content, media_type):
    world = World()
    assert world.receiver.take(content, media_type).status in (200, 400)
    assert world.receiver.take(WIRE, PROTOBUF).status == 200


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(WIRE) - 1), st.binary(min_size=1, max_size=4))
def test_a_damaged_request_loses_nothing_that_was_kept_before(at, bytes_):
    world = World()
    world.receiver.take(WIRE, PROTOBUF)
    assert world.receiver.take(WIRE[:at] + bytes_ + WIRE[at:], PROTOBUF).status in (200, 400)
    assert world.log.steps(RUN)[:2] == tuple(entry.step for entry in ENTRIES)


def test_no_address_beyond_this_machine_is_listened_on():
    with pytest.raises(ConfigError, match="writes into the run log"):
        serve_traces(World(host="0.0.0.0").receiver)
