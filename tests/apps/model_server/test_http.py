"""Bodies on their way in, piece by piece, and errors on their way out."""

import asyncio
import json

import pytest

from ops_pipelines.apps.model_server.http import Refused, read_body, refusal, respond
from ops_pipelines.core.errors import (
    ArtefactError,
    ConfigError,
    DataError,
    NoAcceptedData,
    ReleaseError,
    SchemaMismatch,
)

TOLD = {"expected": "this", "action": "Do that"}


def piece(body, *, more=False):
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def read(*messages, at_most=10, seconds=60.0, **headers):
    """The body that comes by these messages; a caller who sends no more of them stays silent."""
    named = {"content-type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
    scope = {"headers": [(name.encode(), text.encode()) for name, text in named.items()]}

    async def ask():
        coming = asyncio.Queue()
        for message in messages:
            coming.put_nowait(message)
        return await read_body(scope, coming.get, at_most=at_most, seconds=seconds)

    return asyncio.run(ask())


def status_of(*messages, **more):
    with pytest.raises(Refused) as refused:
        read(*messages, **more)
    return refused.value.status


def test_pieces_are_put_together():
    assert read(piece(b"{", more=True), piece(b"", more=True), piece(b"}")) == b"{}"


def test_a_body_as_large_as_may_be_is_read_and_a_byte_more_is_not():
    assert read(piece(b"x" * 10)) == b"x" * 10
    assert status_of(piece(b"x" * 5, more=True), piece(b"x" * 6, more=True)) == 413


def test_a_length_that_is_told_as_too_large_is_refused_before_anything_is_read():
    assert status_of(content_length="11") == 413


def test_a_length_that_understates_the_body_does_not_let_it_in():
    assert status_of(piece(b"x" * 11), content_length="1") == 413


def test_a_body_that_is_cut_is_refused():
    assert status_of(piece(b"{", more=True), GONE) == 400


@pytest.mark.parametrize("messages", [(), (piece(b"{", more=True),)], ids=["nothing", "half of it"])
def test_a_body_that_does_not_come_is_not_waited_for_for_ever(messages):
    assert status_of(*messages, seconds=0.02) == 408


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8", "application/json;x"])
def test_plain_json_by_any_spelling_is_taken(kind):
    assert read(piece(b"{}"), content_type=kind, content_encoding="Identity") == b"{}"


@pytest.mark.parametrize("kind", ["text/plain", "application/jsonp", "multipart/form-data", "application/x-json"])
def test_another_type_is_refused_by_the_name_of_its_header(kind):
    with pytest.raises(Refused) as refused:
        read(piece(b"{}"), content_type=kind)
    assert (refused.value.status, refused.value.facts["field"]) == (415, "Content-Type")


STATUSES = {
    "a field": (422, SchemaMismatch("x is wrong", field="x", **TOLD)),
    "nobody known": (404, NoAcceptedData("nobody", **TOLD)),
    "what has expired": (422, DataError("old", **TOLD)),
    "a store that is gone": (503, DataError("gone", unavailable=True, **TOLD)),
    "no json": (400, ConfigError("no", **TOLD)),
    "a release": (503, ReleaseError("none", **TOLD)),
    "an artefact": (503, ArtefactError("changed", **TOLD)),
    "a status of its own": (418, Refused(418, "tea", **TOLD)),
}


@pytest.mark.parametrize(("status", "error"), STATUSES.values(), ids=STATUSES)
def test_an_error_is_told_with_its_status_its_field_and_what_to_do(status, error):
    found, body = refusal(error)
    told = json.loads(body)
    assert (found, told["expected"], told["action"], told.get("field", "")) == (
        status,
        "this",
        "Do that",
        error.facts.get("field", ""),
    )
    assert error.wrong in told["error"]


@pytest.mark.parametrize(
    ("status", "header"),
    [(200, None), (401, b"www-authenticate"), (405, b"allow"), (422, None), (503, b"retry-after")],
)
def test_an_answer_has_its_length_and_the_header_that_its_status_asks_for(status, header):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(respond(send, status, b"{}"))
    headers = dict(sent[0]["headers"])
    assert (sent[0]["status"], headers[b"content-length"], sent[1]["body"]) == (status, b"2", b"{}")
    assert set(headers) - {b"content-type", b"content-length"} == ({header} if header else set())
