"""What a change of a tool, a policy or a used system reaches among agents."""

import pytest

from ops_pipelines.adapters.declared import Declared
from ops_pipelines.adapters.impact_sources import impact_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project
from ops_pipelines.testing.refund_agent import HERE, refund_agent, released

YAML = {"program": f"{HERE}:program", "toolset": f"{HERE}:tools", "policy": "policy", "uses": ["runbook_answers"]}


@pytest.fixture
def platform(tmp_path):
    (tmp_path / "requirements.lock").touch()
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "refunds.cedar").touch()
    lock = tmp_path / "requirements.lock"
    return Platform.embedded(Project(tmp_path, tmp_path / "home", tmp_path / "features", tmp_path / "evals", lock))


@pytest.fixture
def declared(tmp_path):
    return Declared({"Agent": {"refunds": YAML}}, folders={("Agent", "refunds"): tmp_path})


def reached(name, platform, declared):
    return {one.thing: one.distance for one in impact_of(name, platform, declared)}


def test_a_tool_reaches_the_live_release_of_the_agent_that_has_it(platform):
    manifest = released(platform, refund_agent())
    found = reached("refund", platform, Declared())
    assert found["release", f"refunds/{manifest.digest}"] == 1
    assert found["live release", "refunds in production"] == 2


def test_a_file_of_the_policy_and_one_beside_the_program_reach_the_agent(platform, declared):
    assert reached("policy/refunds.cedar", platform, declared) == {("system", "refunds"): 1}
    from ops_pipelines.testing import refund_agent as module

    assert reached(module.__file__, platform, declared)["system", "refunds"] == 1


def test_what_an_agent_uses_reaches_it(platform, declared):
    assert reached("runbook_answers", platform, declared) == {("system", "refunds"): 1}
