"""Servers that die under way, and effects of which nobody knows."""

import sys

import pytest

from ops_pipelines.adapters.mcp_servers import ServerAddress
from ops_pipelines.adapters.mcp_tools import Declared

from .desk import Desk, traced

SERVER = """
import os
from pathlib import Path
from fastmcp import FastMCP

server = FastMCP("desk")

@server.tool
def look(week: str) -> str:
    return "fine"

@server.tool
def pay(cents: int) -> str:
    Path("paid").open("a").write("x")
    os._exit(3)

server.run(show_banner=False, log_level="error")
"""
DECLARED = {"look": Declared(effect="read"), "pay": Declared(effect="write")}


@pytest.mark.long
def test_a_server_that_dies_leaves_its_effect_unknown_and_is_started_again_for_the_next_call(tmp_path, capfd):
    (tmp_path / "desk.py").write_text(SERVER)
    desk = Desk()
    desk.client = ServerAddress(command=(sys.executable, "desk.py"), folder=tmp_path).client
    paid, seen = desk.call(("pay", {"cents": 5}), ("look", {"week": "w1"}), declared=DECLARED)
    assert paid.structured_content["status"] == "unknown"
    assert seen.structured_content == {"result": "fine"}
    assert (tmp_path / "paid").read_text() == "x"


def test_an_effect_that_is_unknown_is_not_done_again_by_a_client_that_repeats_its_step():
    desk = Desk()
    desk.does = lambda: 1 / 0
    meta = traced() | {"ops/call": "step-1"}
    first, again = desk.call(("write", {"text": "x"}), ("write", {"text": "x"}), meta=meta)
    assert [one.structured_content["status"] for one in (first, again)] == ["unknown", "unknown"]
    assert len(desk.done) == 1
