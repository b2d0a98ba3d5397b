import json
import re
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from ops_pipelines.testing.answer_log import answered_of

ROOT = Path(__file__).parents[2]
TEXT = """\
provider: openai
model: gpt-5-mini-2025-08-07
variables: {question: text}
messages:
  - role: user
    content: |
      Be brief.
      {{ question }}
"""


@pytest.fixture
def project(tmp_path, monkeypatch, home):
    """A git repository with one prompt that is committed."""
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").touch()
    file = tmp_path / "evals" / "prompts" / "answers" / "prompt.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    for words in (["init", "--quiet"], ["add", "evals"], ["commit", "--quiet", "--message", "A prompt"]):
        who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
        subprocess.run(["git", *who, *words], check=True)
    return file


def edit(file: Path, before: str, after: str) -> None:
    file.write_text(file.read_text().replace(before, after))


def test_list_names_each_prompt_with_whom_it_asks_and_whether_it_is_materialized(ops, project):
    (row,) = ops("prompt", "list", "--json").json()
    assert (row["prompt"], row["asks"], row["materialized"]) == ("answers", "openai/gpt-5-mini-2025-08-07", "no")
    edit(project, "provider:", "provder:")
    assert "unreadable" in ops("prompt", "list").out


def test_show_prints_the_prompt_and_with_values_what_would_be_sent(ops, project, tmp_path):
    (tmp_path / "values.json").write_text(json.dumps({"question": "{{ 7 * 7 }}?"}))
    assert "{{ question }}" in ops("prompt", "show", "answers").out
    (shown,) = ops("prompt", "show", "answers", "--values", "values.json", "--json").json()
    assert shown["messages"] == [{"role": "user", "content": "Be brief.\n{{ 7 * 7 }}?\n"}]


def test_values_that_do_not_fit_are_told(ops, project, tmp_path):
    (tmp_path / "values.json").write_text('{"qestion": "x"}')
    said = ops("prompt", "show", "answers", "--values", "values.json")
    assert said.code == 3
    assert "Did you mean 'qestion'?" in said.err
    (tmp_path / "values.json").write_text("[]")
    assert ops("prompt", "show", "answers", "--values", "values.json").code == 2


def test_an_unknown_prompt_is_answered_with_the_nearest(ops, project):
    said = ops("prompt", "show", "answer")
    assert (said.code, "Did you mean 'answers'?" in said.err) == (2, True)


def test_diff_tells_what_changed_since_the_last_commit(ops, project):
    assert "the same prompt" in ops("prompt", "diff", "answers").out
    edit(project, "Be brief.", "Be brief and kind.")
    said = ops("prompt", "diff", "answers")
    assert (said.code, "-Be brief.\n+Be brief and kind." in said.out) == (0, True)
    (found,) = ops("prompt", "diff", "answers", "file", "HEAD", "--json").json()
    assert (found["parts"], found["tokens"]["more"]) == (["messages"], -2)


def test_lint_of_a_sound_prompt_exits_with_0_and_tells_what_it_grew(ops, project):
    edit(project, "Be brief.", "Be brief and kind.")
    said = ops("prompt", "lint")
    assert (said.code, said.out.strip()) == (
        0,
        "evals/prompts/answers/prompt.yaml: no findings, about 5 tokens, +2 since HEAD",
    )


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ("Be brief.", "Be {{ breif }}.", "prompt.yaml:7: undeclared variable"),
        ("Be brief.", "Use AKIA" + "IOSFODNN7REALKEY.", "prompt.yaml:7: secret: it looks like a secret: AWS"),
        ("model:", "modle:", "prompt.yaml:2: unknown key: unknown key 'modle'. Did you mean 'model'?"),
        ("{{ question }}", "{% for i in range(10**9) %}{{ question }}{% endfor %}", "prompt.yaml:8: unsafe template"),
    ],
)
def test_lint_exits_with_1_and_names_the_file_and_the_line(ops, project, before, after, where):
    edit(project, before, after)
    for words in ((), ("answers",), ("evals/prompts/answers/prompt.yaml",)):
        said = ops("prompt", "lint", *words)
        assert (said.code, where in said.out) == (1, True), said.out


def test_lint_without_any_prompt_is_no_pass(ops, project):
    project.unlink()
    assert ops("prompt", "lint").code == 3


def test_lint_refuses_growth_and_size_beyond_what_is_allowed(ops, project):
    edit(project, "Be brief.", "Be brief. " * 100)
    assert ops("prompt", "lint").code == 0
    assert ops("prompt", "lint", "--max-growth", "100").code == 1
    (found,) = ops("prompt", "lint", "--max-tokens", "100", "--json").json()
    assert [finding["rule"] for finding in found["findings"]] == ["tokens"]


@pytest.fixture
def asked(project, tmp_path):
    """Two cases, and the words that project a cost on them."""
    edit(project, "variables:", "parameters: {max_tokens: 10}\nvariables:")
    cases = [
        {"id": "short", "values": {"question": "x"}},
        {"id": "long", "values": {"question": "x" * 999}, "weight": 3},
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, cases)))
    subprocess.run(
        ["git", "-c", "user.name=ann", "-c", "user.email=a@example.org", "commit", "-qam", "A limit"], check=True
    )
    return ("prompt", "cost", "answers", "--cases", "cases.jsonl", "--price", "openai/gpt-5-mini-2025-08-07=0.25,2")


def test_a_change_that_costs_more_than_it_may_exits_with_1_and_names_the_cases(ops, project, asked):
    assert ops(*asked, "--most-times", "1").code == 0
    edit(project, "Be brief.", "Be brief. " * 900)
    said = ops(*asked, "--most-times", "2", "--json")
    (found,) = said.json()
    assert (said.code, found["verdict"]) == (1, "blocked")
    assert [cause["case"] for cause in found["evidence"]["causes"]] == ["long", "short"]
    assert "most of it comes from long" in ops(*asked, "--most-times", "2").out


def test_an_unknown_price_exits_with_3_and_a_wrong_one_with_2(ops, project, asked):
    *words, _ = asked
    edit(project, "gpt-5-mini-2025-08-07", "desk-9")
    assert ops(*words, "openai/other=1,1").code == 3
    assert ops(*words, "openai/desk-9=1,1").code == 0
    assert [
        ops(*words, price).code for price in ("openai/x", "x=1,1", "openai/x=1", "openai/x=-1,1", "openai/x=nan,1")
    ] == [2] * 5


def test_without_a_declared_price_the_pinned_list_is_asked(ops, project, asked):
    assert ops(*asked[:-2]).out == ops(*asked).out


def test_the_traffic_of_some_days_is_projected_by_how_often_each_question_was_asked(ops, home, project, asked):
    now = home.platform.clock.wall()
    home.folder.mkdir(exist_ok=True)
    questions = ["why?", "why?", "why?", "how " * 999]
    answers = [
        answered_of(str(number), system="answers", at=now - timedelta(days=1), question=question)
        for number, question in enumerate([*questions, "long ago"])
    ]
    home.platform.answers.keep([*answers[:-1], replace(answers[-1], asked_at=now - timedelta(days=9))])
    edit(project, "Be brief.", "Be brief. " * 900)
    said = ops("prompt", "cost", "answers", "--traffic", "7", "--most-times", "2", "--json")
    evidence = said.json()[0]["evidence"]
    assert (said.code, evidence["cases"]) == (1, 2)
    assert evidence["causes"][0]["more"] == pytest.approx(3 * evidence["causes"][1]["more"], rel=0.01)


def test_no_traffic_is_no_pass_and_a_cost_is_projected_on_one_thing(ops, project, asked):
    assert ops("prompt", "cost", "answers", "--traffic", "7").code == 3
    assert ops("prompt", "cost", "answers").code == 2
    assert ops(*asked, "--traffic", "7").code == 2


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ('{"id": "short", "values": {}}', "the id 'short' occurs twice"),
        ('{"id": "a"}', "an id, values"),
        ('{"id": "a", "values": {}, "wieght": 1}', "an id, values"),
        ('{"id": "a", "values": {}, "weight": -1}', "an id, values"),
    ],
)
def test_a_wrong_case_is_told_with_its_line(ops, project, asked, tmp_path, line, why):
    with (tmp_path / "cases.jsonl").open("a") as file:
        file.write(f"\n\n{line}")
    said = ops(*asked)
    assert said.code == 3
    assert f"cases.jsonl:4: {why}" in said.err


def test_the_hook_for_pre_commit_runs_a_verb_that_is_there_on_files_that_are(ops, home):
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    files = [file.relative_to(ROOT).as_posix() for file in sorted(ROOT.glob("evals/prompts/*/prompt.yaml"))]
    assert files
    assert all(re.search(hook["files"], file) for file in files)
    said = ops(*hook["entry"].split()[1:], *files)
    assert said.code == 0, said.out


def test_the_prompt_in_the_documentation_is_sound(ops, project):
    (text,) = re.findall(r"```yaml\n(description:.*?)```", (ROOT / "docs" / "prompts.md").read_text(), re.DOTALL)
    project.write_text(text)
    said = ops("prompt", "lint", "answers")
    assert said.code == 0, said.out
