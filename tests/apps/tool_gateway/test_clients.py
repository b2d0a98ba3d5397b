"""Clients of other times, and clients that go away."""

import asyncio
import threading

from fastmcp import Client
from fastmcp.server.middleware import Middleware

from ops_pipelines.agentops.effects import DONE
from ops_pipelines.testing.approval_store import MemoryApprovalStore
from ops_pipelines.testing.gates import NOON
from ops_pipelines.testing.mcp_transport import in_process

from .desk import REFUND, Desk


def test_a_client_of_the_protocol_with_a_handshake_is_served():
    desk = Desk()

    async def called():
        async with desk.proxied(), Client(in_process(desk.gateway), mode="legacy") as client:
            listed = [tool.name for tool in await client.list_tools()]
            return listed, await client.call_tool_mcp("look", {"week": "w1"})

    listed, found = asyncio.run(called())
    assert "look" in listed
    assert found.structured_content == {"result": "all is well"}


def test_an_effect_whose_client_goes_away_is_done_once_and_written_down():
    desk = Desk()

    async def called():
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly():
            begun.set()
            await go_on.wait()
            return "noted"

        desk.does = slowly
        async with desk.proxied() as client:
            call = asyncio.ensure_future(client.call_tool_mcp("note", {"text": "x"}))
            await begun.wait()
            call.cancel()
            go_on.set()
            while desk.sessions.parts.journal.entries()[0].outcome is None:
                await asyncio.sleep(0.01)

    asyncio.run(called())
    (entry,) = desk.sessions.parts.journal.entries()
    assert entry.state(NOON) == DONE
    assert desk.done == [("note", "x")]


def test_an_effect_under_way_is_waited_for_when_the_gateway_ends():
    desk = Desk()

    async def called():
        begun = asyncio.Event()

        async def slowly():
            begun.set()
            await asyncio.sleep(0.2)
            return "noted"

        desk.does = slowly
        async with desk.proxied() as client:
            call = asyncio.ensure_future(client.call_tool_mcp("note", {"text": "x"}))
            await begun.wait()
        await asyncio.gather(call, return_exceptions=True)

    asyncio.run(called())
    assert desk.sessions.parts.journal.entries()[0].state(NOON) == DONE


def test_a_read_whose_client_goes_away_is_given_up():
    desk = Desk()

    async def called():
        begun = asyncio.Event()

        async def for_ever():
            begun.set()
            await asyncio.sleep(60)

        desk.does = for_ever
        async with desk.proxied() as client:
            call = asyncio.ensure_future(client.call_tool_mcp("look", {"week": "w1"}))
            await begun.wait()
            call.cancel()
            desk.does = lambda: "fine"
            return await client.call_tool_mcp("look", {"week": "w1"})

    assert not asyncio.run(called()).is_error


def test_an_effect_under_way_is_not_cut_off_because_its_server_is_slow_to_list_its_tools():
    desk = Desk()

    class Busy(Middleware):
        async def on_list_tools(self, context, call_next):
            if desk.done:
                raise RuntimeError("busy")
            return await call_next(context)

    desk.server.add_middleware(Busy())

    async def called():
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly():
            begun.set()
            await go_on.wait()
            return "written"

        desk.does = slowly
        async with desk.proxied(relist_seconds=0.0) as client:
            call = asyncio.ensure_future(client.call_tool_mcp("write", {"text": "x"}))
            await begun.wait()
            other = await client.call_tool_mcp("note", {"text": "y"})
            go_on.set()
            return await call, other

    done, other = asyncio.run(called())
    assert done.structured_content == {"result": "written"}
    assert "cannot be reached" in other.structured_content["reason"]


def test_a_read_does_not_wait_for_a_request_that_is_being_kept():
    desk, go_on = Desk(), threading.Event()
    came = []

    class Slow(MemoryApprovalStore):
        def ask(self, request):
            came.append(go_on.wait(60))
            super().ask(request)

    desk.parts["approvals"], desk.terms = Slow(), {"operator_text": "bob@acme.example 1200"}

    async def called():
        async with desk.proxied() as client:
            asked = asyncio.ensure_future(client.call_tool_mcp("refund", REFUND))
            await asyncio.sleep(0.1)
            await client.call_tool_mcp("look", {"week": "w1"})
            go_on.set()
            return await asked

    assert asyncio.run(called()).structured_content["status"] == "waiting"
    assert came == [True]
