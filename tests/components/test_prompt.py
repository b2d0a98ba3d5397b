"""A prompt's asset in a small project: what it keeps, what it refuses, and what happens to its mirror."""

import json
from collections.abc import Iterator

import dagster as dg
import pytest

from ops_pipelines.adapters.mlflow_prompts import MLflowPrompts
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.prompt_files import prompt_path, recorded_prompts
from ops_pipelines.components.prompt import Prompt
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.prompt_text import read_prompt_text

TEXT = """\
provider: openai
model: gpt-5-mini-2025-08-07
variables: {question: text}
messages:
  - role: user
    content: "Be brief. {{ question }}"
"""
KEY = "answers/prompt"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory) -> bytes:
    """A database of MLflow, which takes seconds to make."""
    registry = MLflowRegistry(tmp_path_factory.mktemp("home"))
    registry.create()
    return registry.database.read_bytes()


@pytest.fixture
def platform(tmp_path, monkeypatch, mlflow) -> Iterator[Platform]:
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    (tmp_path / ".ops").mkdir()
    (tmp_path / ".ops" / "mlflow.db").write_bytes(mlflow)
    monkeypatch.delenv("OPS_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    platform = Platform.embedded(find_project())
    prompt_path(platform.project, "answers").parent.mkdir(parents=True)
    write(platform, TEXT)
    yield platform
    find_project.cache_clear()


def write(platform: Platform, text: str) -> str | None:
    """The prompt's file with a text; the id of the prompt in it."""
    prompt_path(platform.project, "answers").write_text(text)
    read = read_prompt_text("answers", text)
    return read.prompt.id if read.prompt else None


def made(platform: Platform, instance: dg.DagsterInstance | None = None, **attributes) -> dg.ExecuteInProcessResult:
    defs = Prompt(name="answers", **attributes).build_defs(None)
    return dg.materialize(list(defs.assets), resources={"platform": platform}, raise_on_error=False, instance=instance)


def test_a_sound_prompt_is_kept_by_its_id_with_its_content_and_its_version_in_mlflow(platform):
    wanted = write(platform, TEXT)
    assert made(platform).success
    kept = platform.lake.accepted(KEY)
    assert (kept.digest, kept.facts["prompt"]) == (wanted, json.loads(platform.objects.get(wanted)))
    assert (kept.facts["change"], kept.facts["mlflow_version"]) == ("the first version", "1")
    assert platform.resolves("prompt", wanted)


def test_its_data_version_is_its_id_and_layout_does_not_move_it(platform):
    with dg.DagsterInstance.ephemeral() as instance:
        versions = []
        for text in (TEXT, f"# a comment\n{TEXT}", TEXT.replace("brief", "kind")):
            write(platform, text)
            (event,) = made(platform, instance).asset_materializations_for_node("answers__prompt")
            versions.append(event.tags["dagster/data_version"])
    assert versions[0] == versions[1] == read_prompt_text("answers", TEXT).prompt.id
    assert versions[2] != versions[0]


def test_the_same_prompt_again_registers_nothing_new_and_says_the_same_of_itself(platform):
    first = write(platform, TEXT)
    made(platform)
    second = write(platform, TEXT.replace("brief", "kind"))
    for _ in range(2):
        made(platform)
    assert MLflowPrompts(platform.registry).versions("answers") == {first: "1", second: "2"}
    facts = platform.lake.accepted(KEY).facts
    assert facts["before"] == first
    assert "-Be brief. {{ question }}" in facts["change"]


def test_its_past_versions_stay_readable_by_id(platform):
    first = write(platform, TEXT)
    made(platform)
    second = write(platform, TEXT.replace("brief", "kind"))
    made(platform)
    assert list(recorded_prompts(platform.lake, "answers")) == [first, second]


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (("{{ question }}", "{{ qestion }}"), "line 6: 'qestion' is not declared"),
        (("Be brief.", "{{ question.__class__ }}"), "underscore"),
        (("model:", "modle:"), "unknown key 'modle'"),
        (("Be brief.", "Use AKIA" + "IOSFODNN7REALKEY."), "line 6: it looks like a secret: AWS Access Key"),
    ],
)
def test_a_prompt_that_is_not_sound_is_blocked_with_its_line_and_the_last_good_one_stays(platform, edit, why):
    good = write(platform, TEXT)
    made(platform)
    write(platform, TEXT.replace(*edit))
    assert not made(platform).success
    refused = platform.lake.latest(KEY)
    assert isinstance(refused.verdict, Blocked)
    assert why in " ".join(refused.verdict.reasons)
    assert platform.lake.good(KEY).digest == good
    assert MLflowPrompts(platform.registry).versions("answers") == {good: "1"}


def test_a_secret_in_a_refused_prompt_is_kept_nowhere(platform):
    secret = "AKIA" + "IOSFODNN7REALKEY"
    write(platform, TEXT.replace("Be brief.", f"Use {secret}."))
    made(platform)
    files = [file for file in platform.project.home.rglob("*") if file.is_file()]
    assert [file for file in files if secret.encode() in file.read_bytes()] == []


def test_a_prompt_longer_than_it_may_be_is_blocked(platform):
    assert made(platform, max_tokens=3).success
    assert not made(platform, max_tokens=2).success


def test_what_goes_wrong_in_mlflow_is_a_fact_and_stops_nothing(platform):
    platform.registry.database.write_bytes(b"no database")
    assert made(platform).success
    kept = platform.lake.accepted(KEY)
    assert isinstance(kept.verdict, Passed)
    assert "could not record the prompt" in kept.facts["mlflow_problem"]


def test_a_file_that_is_missing_stops_no_location_and_is_told_when_it_is_made(platform):
    prompt_path(platform.project, "answers").unlink()
    assert not made(platform).success
    assert platform.lake.latest(KEY) is None


def test_an_edit_shows_as_changed_code_and_layout_does_not(platform):
    def version():
        (asset,) = Prompt(name="answers").build_defs(None).assets
        return asset.code_versions_by_key[dg.AssetKey(KEY.split("/"))]

    before = version()
    write(platform, f"# a comment\n{TEXT}")
    assert version() == before
    write(platform, TEXT.replace("brief", "kind"))
    assert version() != before
