"""Servers that are processes and misbehave: what comes of a call is told as data, and the session with the client goes on."""

import asyncio
import os
import sys

import pytest

from ops_pipelines.adapters.mcp_servers import ServerAddress
from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.serving import wait_until

from .desk import Desk

SERVER = r"""
import json, os, sys, time

def put(text):
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()

def say(id, result):
    put(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}).encode())

def fine(id, text="fine"):
    say(id, {"content": [{"type": "text", "text": text}]})

def noise(id):
    for line in (b"Starting up ...", b'{"jsonrpc": 7}', b"[1, 2]", b"\xff\xfe"):
        put(line)
    say(99, {})

DOES = {
    "look": fine,
    "die": lambda id: os._exit(3),
    "leave": lambda id: (fine(id), os._exit(0)),
    "megabytes": lambda id: fine(id, "x" * 2_000_000),
    "noise": lambda id: (noise(id), fine(id)),
    "mumble": noise,
    "misshape": lambda id: say(id, {"content": "fine"}),
    "deafen": lambda id: (fine(id), os.close(0), time.sleep(600)),
}
with open("pids", "a") as pids:
    pids.write(f"{os.getpid()}\n")
while line := sys.stdin.readline():
    asked = json.loads(line)
    id, method, told = asked.get("id"), asked["method"], asked.get("params", {})
    if method == "initialize":
        if os.path.exists("hang"):
            time.sleep(600)
        say(id, {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "d", "version": "1"}})
    elif method == "tools/list":
        say(id, {"tools": [{"name": name, "inputSchema": {"type": "object", "properties": {}}} for name in DOES]})
    elif method == "tools/call":
        DOES[told["name"]](id)
    elif id is not None:
        put(json.dumps({"jsonrpc": "2.0", "id": id, "error": {"code": -32601, "message": "no such method"}}).encode())
"""
READS = ("look", "die", "leave", "megabytes", "noise", "mumble", "misshape", "deafen")


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "desk.py").write_text(SERVER)
    desk, address = Desk(), ServerAddress((sys.executable, "-S", "desk.py"), folder=tmp_path, message_bytes=1_000_000)
    desk.client, desk.folder = address.client, tmp_path
    desk.parts["limits"] = Limits(tool_seconds=30.0)
    return desk


def told(desk, *names, effect="read", **offer):
    """What a client is given for calls of some tools, one after the other."""
    declared = {name: Declared(effect=effect) for name in READS}
    return [
        one.structured_content or one.content[0].text
        for one in desk.call(*((n, {}) for n in names), declared=declared, **offer)
    ]


BREAKS = {
    "die": "Connection closed",
    "megabytes": "the server said more than 1000000 bytes at once, and was ended",
    "misshape": "content",
}


@pytest.mark.parametrize("tool", BREAKS)
def test_a_server_that_breaks_under_way_is_told_and_is_there_again_for_the_next_call(desk, tool, capfd):
    broken, after = told(desk, tool, "look")
    assert (broken["status"], broken["stage"]) == ("denied", "execute")
    assert BREAKS[tool] in broken["reason"]
    assert after == "fine"


@pytest.mark.parametrize("tool", BREAKS)
def test_an_effect_of_a_server_that_breaks_under_way_is_unknown(desk, tool):
    (broken,) = told(desk, tool, effect="write")
    assert broken["status"] == "unknown"


def test_a_server_that_prints_what_is_no_message_is_heard_on(desk):
    assert told(desk, "noise", "look") == ["fine", "fine"]


def test_a_server_that_answers_with_no_message_is_waited_for_no_longer_than_a_tool_may_take(desk):
    desk.parts["limits"] = Limits(tool_seconds=2.0)
    mumbled, after = told(desk, "mumble", "look")
    assert "has not answered within 2 s" in mumbled["reason"]
    assert after == "fine"


@pytest.mark.parametrize("tool", ["leave", "deafen"])
def test_a_server_that_leaves_after_its_answer_is_started_again(desk, tool):
    assert told(desk, tool, "look", relist_seconds=0.0) == ["fine", "fine"]
    assert len((desk.folder / "pids").read_text().split()) == 2


def test_a_server_that_hangs_when_it_is_started_again_is_told_and_later_comes_back(desk):
    declared = {name: Declared(effect="read") for name in READS}

    async def called():
        async with desk.proxied(declared=declared, connect_seconds=5.0) as client:
            (desk.folder / "hang").touch()
            found = [(await client.call_tool_mcp(tool, {})).structured_content for tool in ("die", "look")]
            (desk.folder / "hang").unlink()
            return found, await client.call_tool_mcp("look", {})

    (_, hung), after = asyncio.run(called())
    assert "the server desk cannot be reached" in hung["reason"]
    assert after.content[0].text == "fine"
    wait_until(lambda: not any(map(is_alive, pids(desk))))


def test_a_gateway_does_not_start_on_a_server_that_hangs_and_leaves_no_process(desk):
    (desk.folder / "hang").touch()
    with pytest.raises(DataError, match="'desk' cannot be reached"):
        told(desk, "look", connect_seconds=0.5)
    wait_until(lambda: not any(map(is_alive, pids(desk))))


def test_other_calls_of_a_server_go_on_beside_one_that_it_does_not_answer(desk):
    async def called():
        declared = {name: Declared(effect="read") for name in READS}
        async with desk.proxied(declared=declared) as client:
            mumbles = asyncio.ensure_future(client.call_tool_mcp("mumble", {}))
            found = [(await client.call_tool_mcp("look", {})).content[0].text for _ in range(2)]
            mumbles.cancel()
            return found

    assert asyncio.run(called()) == ["fine", "fine"]


def pids(desk):
    """The processes of the server; one that was ended before it had begun is none."""
    told = desk.folder / "pids"
    return [int(line) for line in told.read_text().split()] if told.exists() else []


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
