"""The page about the tool gate is one program, and it runs as it stands."""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "tool_gate.md"


def test_the_program_of_the_page_runs_and_a_yes_counts_once(tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "evals" / "policies", tmp_path / "evals" / "policies")
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE))
    exec(compile(code, str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == ["done", "denied"]
