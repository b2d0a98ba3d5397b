"""The reference agent on a platform whose stores are filled by code: no model, no corpus, no Dagster."""

from pathlib import Path

import pytest

from ops_pipelines.adapters.agents import open_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.policy_files import policy_in
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.agent import Agent
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.testing.refund_agent import kept
from ops_pipelines.testing.watched_system import Watched

ROOT = Path(__file__).parents[4]
ONCALL = "ops_pipelines.defs.agentops.oncall"


@pytest.fixture
def platform(tmp_path, monkeypatch):
    for name in ("OPS_TOKEN", "OPS_HOME", "OPS_NOTIFY", "OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_MODEL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    yield Platform.embedded(find_project(tmp_path))
    find_project.cache_clear()


@pytest.fixture
def watched(platform):
    return Watched(platform)


@pytest.fixture
def oncall(platform):
    """The agent as it is released, without runbooks to ask: they say no, and it goes on without them."""
    parts = {"program": f"{ONCALL}.planner:program", "toolset": f"{ONCALL}.tools:tools"}
    policy = policy_in(ROOT / "evals" / "agents" / "oncall" / "policy")
    return open_agent(platform, kept(platform, Agent(**parts, policy=policy, operates=("flight_delay",)), "oncall"))


@pytest.fixture
def waiting(watched, oncall):
    """A run that proposes to go back to the first release, and waits for a person."""
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6))
    return oncall.start({"alarm": watched.alarm()})


@pytest.fixture
def say(platform):
    """Answers what a run waits for."""

    def say(ran, *, granted=True, by="ben", at=None):
        return platform.approvals.answer(ran.waits["approval"], Answer(by, granted, at or platform.clock.wall()))

    return say
