import asyncio
from dataclasses import replace

import pytest

from ops_pipelines.adapters.golden_files import golden_files, golden_set, read_golden_file
from ops_pipelines.adapters.golden_runs import Subject, run_golden
from ops_pipelines.adapters.mlflow_registry import MLflowRegistry
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.llmops.evals.case import ANSWERABLE, Case
from ops_pipelines.llmops.evals.golden_set import GoldenSet
from ops_pipelines.testing.answerer import ScriptedAnswerer

DESK = GoldenSet("desk", (Case("a", "How?", ANSWERABLE, says=("so",), cites=("a.md",)),))


@pytest.fixture
def platform(tmp_path, registry):
    here = Platform.embedded(replace(find_project(), home=tmp_path))
    return replace(here, registry=registry)


def run(platform, answerer=None):
    subject = Subject("desk", {"prompt": "abc"})
    return asyncio.run(run_golden(answerer or ScriptedAnswerer(), DESK, platform=platform, subject=subject))


def test_an_evaluation_on_a_golden_set_is_kept_with_what_was_evaluated_and_mirrored(platform):
    made = run(platform, ScriptedAnswerer({"How?": "It is so."}))
    assert platform.evals.find(made.id) == made
    assert (made.system, made.golden, made.facts["prompt"], made.run.values("says")) == (
        "desk",
        "desk",
        "abc",
        {"a": (1.0,)},
    )
    with platform.registry.client("read") as client:
        assert client.get_run(made.facts["mlflow_run"]).data.metrics["says/mean"] == 1.0


def test_a_second_evaluation_of_the_same_asks_nothing(platform):
    answerer = ScriptedAnswerer()
    assert [run(platform, answerer).run.asked for _ in range(2)] == [1, 0]


def test_a_mirror_that_fails_is_a_fact_and_no_error(platform, tmp_path):
    (tmp_path / "mlflow.db").write_text("no database")
    made = run(replace(platform, registry=MLflowRegistry(tmp_path, patience_seconds=0.05)))
    assert "MLflow could not" in made.facts["mlflow_problem"]
    assert platform.evals.find(made.id) is not None


def test_a_golden_set_that_is_not_there_is_told_with_the_nearest_name():
    with pytest.raises(ConfigError, match="Did you mean 'runbook_answers'"):
        golden_set(find_project(), "runbook_answer")


def test_a_file_that_is_no_text_is_a_data_error(tmp_path):
    (tmp_path / "cases.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read"):
        read_golden_file(tmp_path / "cases.jsonl")


def test_every_golden_set_of_the_project_can_be_read():
    project: Project = find_project()
    assert [golden_set(project, name).name for name in golden_files(project)] == ["runbook_answers"]
