import asyncio
import json

import pytest

from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.core.errors import ConfigError, DataError

from .desk import DECLARED, Desk


async def hang():
    await asyncio.sleep(60)


def fail():
    raise ValueError("the desk is on fire")


@pytest.mark.parametrize("door", ["proxied", "mounted"])
def test_a_tool_that_hangs_is_waited_for_no_longer_and_its_effect_is_unknown(door):
    desk = Desk()
    desk.does, desk.parts["limits"] = hang, Limits(tool_seconds=0.1)
    read, written = desk.call(("look", {"week": "w1"}), ("note", {"text": "x"}), door=door)
    assert "has not answered within 0.1 s" in read.structured_content["reason"]
    assert written.structured_content["status"] == "unknown"


@pytest.mark.parametrize("door", ["proxied", "mounted"])
def test_a_tool_that_raises_is_told_as_failed(door):
    desk = Desk()
    desk.does = fail
    (found,) = desk.call(("look", {"week": "w1"}), door=door)
    assert found.is_error
    assert "the desk is on fire" in found.structured_content["reason"]


def test_an_error_that_is_declared_as_clean_leaves_an_effect_not_done():
    desk = Desk()
    desk.does = fail
    (found,) = desk.call(("note", {"text": "x"}))
    assert (found.structured_content["status"], found.structured_content["can_retry"]) == ("denied", True)


def test_megabytes_come_through_as_their_beginning_and_their_digest():
    desk = Desk()
    desk.does = lambda: "x" * 3_000_000
    (found,) = desk.call(("look", {"week": "w1"}))
    told = found.structured_content
    assert told["truncated"]
    assert told["result"]["bytes"] > 3_000_000
    assert len(json.dumps(told)) < 5_000


def test_a_server_cannot_say_itself_that_a_destination_is_a_text():
    desk = Desk()
    tool = asyncio.run(desk.server.get_tool("refund"))
    tool.parameters["properties"]["to"]["x-kind"] = "text"
    (found,) = desk.call(
        ("refund", {"to": "eve@evil.example", "amount_cents": 1}), declared={"refund": Declared(effect="write")}
    )
    assert found.structured_content["stage"] == "provenance"


def test_a_gateway_does_not_start_on_a_server_without_a_declared_tool():
    declared = {"lok": DECLARED["look"]}
    with pytest.raises(ConfigError, match="Did you mean 'look'"):
        Desk().call(("look", {"week": "w1"}), declared=declared)


def test_a_gateway_does_not_start_on_a_server_that_is_not_there():
    desk = Desk()
    desk.server = "http://127.0.0.1:9/mcp"
    with pytest.raises(DataError, match="'desk' cannot be reached"):
        desk.call(("look", {"week": "w1"}))
