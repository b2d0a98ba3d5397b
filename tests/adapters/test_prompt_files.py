import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ops_pipelines.adapters.lake import Lake
from ops_pipelines.adapters.project import Project
from ops_pipelines.adapters.prompt_files import (
    last_prompt,
    prompt_at,
    prompt_file,
    prompt_files,
    read_prompt_file,
    recorded_prompts,
)
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Passed

TEXT = """\
provider: openai
model: gpt-5-mini-2025-08-07
variables: {question: text}
messages:
  - role: user
    content: |
      {{ question }}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    file = tmp_path / "evals" / "prompts" / "answers" / "prompt.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(TEXT)
    return Project(tmp_path, tmp_path / ".ops", tmp_path / "features", tmp_path / "evals", tmp_path / "lock")


@pytest.fixture
def lake(project: Project) -> Lake:
    return Lake(project.home / "lake")


def git(project: Project, *words: str) -> str:
    who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"]
    done = subprocess.run(["git", *who, *words], cwd=project.root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(project: Project) -> str:
    git(project, "init", "--quiet")
    git(project, "add", "evals")
    git(project, "commit", "--quiet", "--message", "A prompt")
    return git(project, "rev-parse", "HEAD")


def edit(project: Project, before: str, after: str) -> None:
    file = prompt_file(project, "answers")
    file.write_text(file.read_text().replace(before, after))


def record(project: Project, lake: Lake, day: int) -> str:
    """The prompt as it is, accepted on a day; its id."""
    prompt = read_prompt_file(prompt_file(project, "answers")).prompt
    origin = Origin("run", "commit", "code", datetime(2026, 1, day, tzinfo=UTC))
    facts = {"prompt": prompt.to_json()}
    lake.publish(pa.table({"a": [day]}), Artefact("answers/prompt", "-", prompt.id, Passed(), {}, origin, facts))
    return prompt.id


def test_a_prompt_is_a_folder_with_a_file(project):
    assert list(prompt_files(project)) == ["answers"]
    with pytest.raises(ConfigError, match="Did you mean 'answers'"):
        prompt_file(project, "anwsers")


def test_a_revision_has_what_was_committed_to_the_last_line_end(project, lake):
    first = commit(project)
    edit(project, "mini", "nano")
    assert prompt_at(project, lake, "answers", first[:8]).model == "gpt-5-mini-2025-08-07"
    assert prompt_at(project, lake, "answers", "HEAD").messages[0].content == "{{ question }}\n"
    assert prompt_at(project, lake, "answers", "file").model == "gpt-5-nano-2025-08-07"


def test_an_id_that_was_recorded_has_its_prompt_though_it_was_replaced(project, lake):
    first = record(project, lake, 1)
    edit(project, "mini", "nano")
    second = record(project, lake, 2)
    assert list(recorded_prompts(lake, "answers")) == [first, second]
    assert prompt_at(project, lake, "answers", first[:12]).id == first


@pytest.mark.parametrize("reference", ["HEAD", "00000000", "--output=x", ""])
def test_a_reference_that_names_nothing_is_an_error(project, lake, reference):
    with pytest.raises(ConfigError, match="names no prompt"):
        prompt_at(project, lake, "answers", reference)
    assert not (project.root / "x").exists()


def test_what_went_before_is_in_git_or_else_in_the_lake_or_nowhere(project, lake):
    assert last_prompt(project, lake, "answers") is None
    recorded = record(project, lake, 1)
    edit(project, "mini", "nano")
    assert last_prompt(project, lake, "answers").id == recorded
    commit(project)
    assert last_prompt(project, lake, "answers").model == "gpt-5-nano-2025-08-07"


def test_a_broken_file_is_told_with_its_place(project, lake):
    edit(project, "provider:", "provder:")
    with pytest.raises(ConfigError, match=r"evals/prompts/answers/prompt.yaml:1: .*Did you mean 'provider'"):
        prompt_at(project, lake, "answers", "file")


def test_bytes_that_are_not_utf_8_are_a_finding_on_their_line(project):
    file = prompt_file(project, "answers")
    file.write_bytes(TEXT.replace("{{ question }}", "{{ question }} caf\xe9").encode("latin-1"))
    (found,) = read_prompt_file(file).findings
    assert (found.rule, found.line) == ("encoding", 7)


def test_windows_line_ends_are_the_same_prompt(project):
    file = prompt_file(project, "answers")
    before = read_prompt_file(file).prompt.id
    file.write_bytes(TEXT.replace("\n", "\r\n").encode())
    assert read_prompt_file(file).prompt.id == before
