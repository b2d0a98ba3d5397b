"""The page about MCP is two programs, and both run as they stand."""

import asyncio
import re
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest
from fastmcp import Client

from ops_pipelines.apps.tool_gateway.serving import READY
from ops_pipelines.testing.servers import free_port, running

PAGE = Path(__file__).parents[1] / "docs" / "mcp.md"
BLOCKS = re.findall(r"^```\w+\n(?:(?:#|//) ([\w./]+)\n)?(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def program(name: str) -> str:
    (code,) = (code for named, code in BLOCKS if named == name)
    return code


def written(folder: Path) -> None:
    for name, code in BLOCKS:
        if "." in name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(code)
    (folder / "pyproject.toml").write_text("[tool.ops]\n")


@pytest.mark.long
def test_the_gateway_of_the_page_does_what_the_page_says(tmp_path, monkeypatch, capfd):
    written(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPS_HOME", str(tmp_path / ".ops"))
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parents[1]))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=":")
    exec(compile(program(""), str(PAGE), "exec"), {})
    assert capfd.readouterr().out.splitlines() == [
        "denied at provenance",
        '/number: "17" is not of type "integer"',
        "bob@acme.example then waiting",
        "paid 1200 cents to bob@acme.example",
        "waiting",
    ]


def test_the_mounted_gate_of_the_page_makes_one_graph(capsys):
    exec(compile(program("mounted"), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["agent oncall", "  agent gate of oncall", "    tool stock"]


@pytest.mark.long
def test_the_gateway_over_http_answers_to_the_names_of_loopback_alone(tmp_path):
    written(tmp_path)
    port, ops = free_port(), "from ops_pipelines.cli import main; main()"
    words = [sys.executable, "-c", ops, "gateway", str(tmp_path / "gateway.yaml"), "--http", str(port)]

    async def called():
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            return await client.call_tool_mcp("order", {"number": 17})

    with running(words, port, READY, OPS_HOME=str(tmp_path / ".ops")):
        found = asyncio.run(called())
        strange = HTTPConnection("127.0.0.1", port)
        strange.request("POST", "/mcp", "{}", {"Host": "evil.example", "Content-Type": "application/json"})
        refused = strange.getresponse().status
        strange.close()
    assert found.structured_content["customer"] == "bob@acme.example"
    assert refused == 421
