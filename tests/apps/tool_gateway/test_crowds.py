"""Many calls and many sessions at once, over real sockets."""

import asyncio
import json
from contextlib import AsyncExitStack
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from ops_pipelines.apps.tool_gateway.admission import DoorRule

from .desk import Desk, client_at, traced, until

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "crowd", "version": "1"}},
}


def asked(url, method="POST", body=None, session=""):
    """The status of a bare request, and the session that it has opened."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=60)
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    try:
        connection.request(method, "/mcp", json.dumps(body), headers | ({"mcp-session-id": session} if session else {}))
        answer = connection.getresponse()
        return answer.status, answer.headers.get("mcp-session-id", "")
    finally:
        connection.close()


def test_of_too_many_calls_at_once_some_wait_and_the_rest_are_told_to_come_again():
    desk = Desk()
    desk.door = DoorRule(each_at_once=2, each_waiting=1, wait_seconds=60)

    async def called():
        go_on = asyncio.Event()

        async def slowly():
            await go_on.wait()
            return "fine"

        desk.does = slowly
        async with desk.over_http() as url, client_at(url, **traced()) as client, client_at(url, **traced()) as other:
            calls = [
                asyncio.ensure_future(client.call_tool_mcp("look", {"week": f"w{n}", "rows": n})) for n in range(6)
            ]
            await until(lambda: sum(call.done() for call in calls) == 3)
            refused = [call.result().structured_content for call in calls if call.done()]
            fine = asyncio.ensure_future(other.call_tool_mcp("look", {"week": "w1"}))
            await until(lambda: len(desk.done) == 3)
            go_on.set()
            return refused, [one for one in await asyncio.gather(*calls, fine) if not one.is_error]

    refused, done = asyncio.run(called())
    assert [(one["stage"], one["can_retry"]) for one in refused] == [("admit", True)] * 3
    assert refused[0]["facts"] == {"under_way": 2, "waiting": 1, "wait_seconds": 60.0}
    assert len(done) == 4


def test_a_call_whose_client_goes_away_before_its_turn_is_not_made():
    desk = Desk()
    desk.door = DoorRule(each_at_once=1, wait_seconds=60)

    async def called():
        go_on = asyncio.Event()

        async def slowly():
            await go_on.wait()
            return "fine"

        desk.does = slowly
        async with desk.proxied() as client:
            first = asyncio.ensure_future(client.call_tool_mcp("note", {"text": "first"}))
            await until(lambda: desk.done)
            gone = asyncio.ensure_future(client.call_tool_mcp("note", {"text": "gone"}))
            await asyncio.sleep(0.05)
            gone.cancel()
            await asyncio.sleep(0.05)
            go_on.set()
            await first
            await client.call_tool_mcp("note", {"text": "last"})

    asyncio.run(called())
    assert desk.done == [("note", "first"), ("note", "last")]


@pytest.mark.long
def test_thousands_who_open_a_session_are_told_that_there_are_too_many_and_those_inside_go_on():
    desk = Desk()
    desk.door = DoorRule(sessions=20)

    async def called():
        async with desk.over_http() as url, AsyncExitStack() as stack:
            inside = await stack.enter_async_context(client_at(url, mode="legacy"))
            opened = [await asyncio.to_thread(asked, url, body=HELLO) for _ in range(2000)]
            found = await inside.call_tool_mcp("look", {"week": "w1"})
            (_, session), *_ = opened
            await asyncio.to_thread(asked, url, "DELETE", None, session)
            again, _ = await asyncio.to_thread(asked, url, body=HELLO)
            return [status for status, _ in opened], found, again

    statuses, found, again = asyncio.run(called())
    assert statuses == [200] * 19 + [503] * 1981
    assert found.structured_content == {"result": "all is well"}
    assert again == 200


@pytest.mark.long
def test_runs_of_thousands_of_traces_are_forgotten_and_not_kept():
    desk = Desk()
    desk.terms = {"most_runs": 50}

    async def called():
        async with desk.over_http() as url, client_at(url) as client:
            return [await client.call_tool_mcp("look", {"week": "w1"}, meta=traced()) for _ in range(1000)]

    assert not any(one.is_error for one in asyncio.run(called()))
    assert desk.sessions.remembered == 50
