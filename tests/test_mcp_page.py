"""The page about MCP is two programs, and both run as they stand."""

import re
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "mcp.md"
BLOCKS = re.findall(r"^```\w+\n(?:(?:#|//) ([\w./]+)\n)?(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def program(name: str) -> str:
    (code,) = (code for named, code in BLOCKS if named == name)
    return code


@pytest.mark.long
def test_the_gateway_of_the_page_does_what_the_page_says(tmp_path, monkeypatch, capfd):
    for name, code in BLOCKS:
        if "." in name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(code)
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
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
