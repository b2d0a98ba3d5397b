"""The tools of a released agent, called by an MCP client."""

from asyncio import run

import pytest
from fastmcp import Client

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.apps.tool_gateway.released import released_server
from ops_pipelines.testing.mcp_transport import in_process
from ops_pipelines.testing.refund_agent import paid, refund_agent, released


@pytest.fixture
def agent(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    platform = Platform.embedded(find_project(tmp_path))
    released(platform, refund_agent())
    yield live_agent(platform, "refunds")
    find_project.cache_clear()


def approve(agent):
    for held in agent.platform.approvals.held():
        agent.platform.approvals.answer(held.request.id, Answer("ben", granted=True, at=agent.platform.clock.wall()))


REFUND = {"order": "A17", "amount_cents": 1200}


def called(agent, *calls, task=""):
    async def all_of_them():
        async with released_server(agent, task=task) as server, Client(in_process(server)) as client:
            found = []
            for call in calls:
                found.append(await client.call_tool_mcp(*call))
                approve(agent)
            return [one.structured_content for one in found]

    return run(all_of_them())


def test_the_live_release_decides_what_a_client_of_any_kind_may_do(agent):
    order, asked, done = called(
        agent, ("order", {"id": "A17"}), ("refund", REFUND), ("refund", REFUND), task="Refund order A17"
    )
    assert order["result"] == {"id": "A17", "amount_cents": 1200}
    assert [asked["status"], done["status"]] == ["waiting", "done"]
    assert len(paid(agent.platform.project.home)) == 1
    assert {one.release for one in agent.platform.decisions.decisions()} == {agent.manifest.digest}


def test_a_client_says_itself_what_it_is_about_to_no_effect(agent):
    _, denied = called(agent, ("order", {"id": "A17"}), ("refund", REFUND))
    assert "order 'A17' occurs nowhere" in denied["reason"]
    assert paid(agent.platform.project.home) == []
