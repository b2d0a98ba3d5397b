"""The page about agents is one program, and it runs as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "agents.md"


def test_the_program_of_the_page_runs_and_replays(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "agent oncall well",
        "tool drift_report well",
        "clock now well",
        "model desk-1 well",
        "tool notify well",
    ]
