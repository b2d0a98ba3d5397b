"""Three agents, each an MCP server of its own: one graph, no orphan, and costs that sum exactly."""

import asyncio
import json
import subprocess
import sys
from uuid import uuid4

import pytest
from fastmcp import Client, FastMCP

from ops_pipelines.adapters.mcp_agents import offer_agent
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.handoff import DelegationPolicy, HandoffRule
from ops_pipelines.agentops.recording import StepFailed
from ops_pipelines.agentops.run_log import TOOL
from ops_pipelines.agentops.trace_graph import TOLD, trace_graph
from ops_pipelines.testing.servers import free_port, running

from . import office as programs
from .office import READY, RULES, Office


def test_three_agents_over_mcp_make_one_connected_graph_whose_costs_sum_exactly():
    office, run = Office(), uuid4().hex
    answer = asyncio.run(office.open(office.planner(run)))
    graph = trace_graph(office.log.steps(run))
    assert answer == {"because": "the storm", "costs": ["a week: 12 dollars", "a month: 12 dollars"]}
    assert graph.is_whole
    assert graph.roots == (office.log.steps(run)[0].id,)
    assert {agent: cost.nanos for agent, cost in graph.cost_by_agent().items()} == {
        "planner": 500_000_000_001,
        "analyst": 1_000_003,
        "accountant": 14,
    }
    assert graph.cost.nanos == 500_001_000_018
    assert sorted(edges(graph)) == [("accountant", "analyst")] * 2 + [("analyst", "planner")]


def test_an_agent_that_was_started_again_adds_to_the_run_and_takes_no_step_away():
    office, run = Office(), uuid4().hex
    for _ in range(2):
        asyncio.run(office.open(office.planner(run)))
    graph = trace_graph(office.log.steps(run))
    assert not graph.orphans
    assert not graph.dangling
    assert graph.cost.nanos == 2 * 500_001_000_018


def test_what_no_rule_lets_be_handed_on_is_not_sent():
    office, run = Office(), uuid4().hex
    with pytest.raises(StepFailed, match="may not hand 'delete' to 'analyst'"):
        asyncio.run(office.open(office.planner(run, task="delete")))
    assert {step.agent for step in office.log.steps(run)} == {"planner"}


def test_a_receiver_judges_by_its_own_policy_what_a_sender_let_through():
    strict = Office()

    async def asked():
        server = FastMCP("analyst")
        offer_agent(server, "analyst", strict.analyst, strict.runs(), DelegationPolicy(RULES[1:]))
        async with Client(server) as client:
            strict.clients["analyst"] = client
            await strict.planner(uuid4().hex)

    with pytest.raises(StepFailed, match="no rule lets 'planner' hand anything"):
        asyncio.run(asked())


def test_a_request_without_a_trace_begins_a_run_of_its_own():
    office = Office(policy=DelegationPolicy((HandoffRule("", "accountant"),)))

    async def asked():
        server = FastMCP("accountant")
        offer_agent(server, "accountant", office.accountant, office.runs(), office.policy)
        async with Client(server) as client:
            found = await client.call_tool("accountant", {"task": "price", "message": "a day"})
            return found.structured_content

    assert asyncio.run(asked()) == {"answer": "a day: 12 dollars"}


@pytest.fixture
def asked(tmp_path):
    """What the planner, a process of its own, comes to, and the graph of its run."""
    words = [sys.executable, programs.__file__]

    def planner(url):
        command = [*words, "planner", str(tmp_path), url]
        told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout)
        assert told["answer"] == {"because": "the storm", "costs": ["a week: 12 dollars", "a month: 12 dollars"]}
        assert told["greeted"] == ["good morning"]
        return trace_graph(SQLiteRunLog(tmp_path / "log" / "runs.db").steps(told["run"]))

    port = free_port()
    with running([*words, "analyst", str(tmp_path), str(port)], port, READY):
        yield planner, f"http://127.0.0.1:{port}/mcp"


COSTS = {"planner": 500_000_000_001, "analyst": 2 * 1_000_003, "accountant": 14}


@pytest.mark.long
def test_three_agents_in_three_processes_make_one_connected_graph_whose_costs_sum_exactly(asked):
    """The planner reaches the analyst over HTTP, and the analyst the accountant over standard input and output."""
    planner, analyst = asked
    graph = planner(analyst)
    assert graph.is_whole
    assert {agent: cost.nanos for agent, cost in graph.cost_by_agent().items()} == COSTS
    assert (graph.cost.nanos, graph.cost.tokens) == (sum(COSTS.values()), 50)
    assert sorted(edges(graph)) == [("accountant", "analyst")] * 2 + [("analyst", "planner")]


GATEWAY = """
agent: planner
policy: policies
servers:
  analysts: {url: "URL", agents: true, tools: {analyst: {effect: read}}}
"""


@pytest.mark.long
def test_a_gateway_between_them_is_a_part_of_the_same_graph_and_costs_nothing(asked, tmp_path):
    planner, analyst = asked
    (tmp_path / "gateway.yaml").write_text(GATEWAY.replace("URL", analyst))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "all.cedar").write_text('@id("reads") permit(principal, action, resource);')
    port, ops = free_port(), "from ops_pipelines.cli import main; main()"
    words = [sys.executable, "-c", ops, "gateway", str(tmp_path / "gateway.yaml"), "--http", str(port)]
    with running(words, port, READY, OPS_HOME=str(tmp_path)):
        graph = planner(f"http://127.0.0.1:{port}/mcp")
    gated = [step for step in graph.steps.values() if step.agent == "gate of planner" and step.kind == TOOL]
    assert graph.is_whole
    assert [step.name for step in gated] == ["analyst"] * 2
    assert {agent: cost.nanos for agent, cost in graph.cost_by_agent().items()} == {**COSTS, "gate of planner": 0}


def edges(graph):
    """Who was told something by whom."""
    steps = graph.steps
    return [(steps[one.source].agent, steps[one.target].agent) for one in graph.edges if one.kind == TOLD]
