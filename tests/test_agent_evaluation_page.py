"""The page about evaluating agents is one program with one file of tasks, and it runs as it stands."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "agent_evaluation.md"


def test_the_program_of_the_page_runs_on_its_tasks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    page = PAGE.read_text()
    file = tmp_path / "evals" / "agents" / "oncall" / "tasks.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(blocks(page, "yaml")))
    exec(compile("\n".join(blocks(page, "python")), str(PAGE), "exec"), {})
    assert capsys.readouterr().out.splitlines() == [
        "['right', 'right', 'misread result']",
        "misread result - roll_back: to is 'r700' (live of an earlier result) and should be 'r600'",
        "0.0 {'misread result': 2} 2 3",
        "blocked",
        "not evaluated",
        "not evaluated",
    ]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
