"""Runs kept beside the code, and the code held against them, at the command line."""

import json

import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.recorded_runs import runs_folder
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.testing.refund_agent import HERE

YAML = """\
type: ops_pipelines.components.Agent
attributes: {{name: refunds, program: "{program}", toolset: "{here}:tools", settings: {settings}}}
"""
PYPROJECT = '[tool.ops]\n[tool.dg.project]\nroot_module = "desk"\n'


@pytest.fixture
def waiting(refunds):
    return live_agent(refunds.platform, "refunds").start({"order": "A17"})


@pytest.fixture
def done(refunds, waiting):
    platform = refunds.platform
    platform.approvals.answer(waiting.waits["approval"], Answer("ben", True, platform.clock.wall()))
    return live_agent(platform, "refunds").resume(waiting.run).run


@pytest.fixture
def clone(ops, done, tmp_path, monkeypatch):
    """A project of its own, without a home, in which the run was kept; the function writes what its agent is."""
    (tmp_path / "desk/defs/refunds").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    kept = runs_folder(find_project(tmp_path), "refunds")
    assert ops("agent", "keep", done, "--to", str(kept)).code == 0
    monkeypatch.setenv("OPS_HOME", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()

    def write(program=f"{HERE}:program", settings="{}"):
        text = YAML.format(program=program, here=HERE, settings=settings)
        (tmp_path / "desk/defs/refunds/defs.yaml").write_text(text)
        return tmp_path

    yield write
    find_project.cache_clear()


def test_a_run_is_kept_as_a_file_that_names_it(ops, done, tmp_path):
    (said,) = ops("agent", "keep", done[:8], "--to", str(tmp_path), "--json").json()
    assert json.loads((tmp_path / f"{done}.json").read_text())["run"] == said["run"] == done


def test_a_dry_run_keeps_nothing(ops, done, tmp_path):
    ops("agent", "keep", done, "--to", str(tmp_path), "--dry-run")
    assert list(tmp_path.glob("*.json")) == []


def test_a_run_that_waits_is_not_kept(ops, waiting, tmp_path):
    said = ops("agent", "keep", waiting.run, "--to", str(tmp_path))
    assert (said.code, "is waiting" in said.err) == (1, True)


def test_a_clean_clone_replays_the_kept_runs_and_makes_no_home(ops, clone):
    root = clone()
    (said,) = ops("agent", "regress", "--json").json()
    assert (said["agent"], said["same"], (root / "nowhere").exists()) == ("refunds", True, False)


def test_code_that_would_run_a_kept_run_otherwise_is_refused_with_where_and_why(ops, clone):
    clone(settings="{words: Returned}")
    said = ops("agent", "regress", "refunds")
    assert (said.code, "tool 'note' #0 is asked for something else (cause: code)" in said.out) == (1, True)


def test_where_no_run_is_kept_nobody_can_tell(ops, clone):
    root = clone()
    for file in (root / "evals/agents/refunds/runs").glob("*.json"):
        file.unlink()
    assert ops("agent", "regress", "refunds").code == 3


def test_an_agent_that_nobody_declared_is_answered_with_the_nearest_one(ops, clone):
    clone()
    said = ops("agent", "regress", "refund")
    assert (said.code, "Did you mean 'refunds'?" in said.err) == (2, True)
