"""The page about the doors for agents is one program, and it runs as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "agent_doors.md"


def test_each_door_of_the_page_leads_through_the_gate_and_what_it_did_is_replayed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "function: denied, waiting, paid back",
        "session: waiting, paid back again",
        "pydantic-ai: waiting, C33 is paid back again",
    ]


def test_the_page_names_the_door_for_mcp_clients():
    assert "(mcp.md)" in PAGE.read_text()
    assert (PAGE.parent / "mcp.md").is_file()
