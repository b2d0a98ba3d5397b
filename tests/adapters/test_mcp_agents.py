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


@pytest.mark.long
def test_three_agents_in_three_processes_make_one_connected_graph_whose_costs_sum_exactly(tmp_path):
    """The planner reaches the analyst over HTTP, and the analyst the accountant over standard input and output."""
    port, words = free_port(), [sys.executable, programs.__file__]
    with running([*words, "analyst", str(tmp_path), str(port)], port, READY):
        asked = [*words, "planner", str(tmp_path), f"http://127.0.0.1:{port}/mcp"]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    told = json.loads(said)
    graph = trace_graph(SQLiteRunLog(tmp_path / "runs.db").steps(told["run"]))
    assert told["answer"] == {"because": "the storm", "costs": ["a week: 12 dollars", "a month: 12 dollars"]}
    assert told["greeted"] == ["good morning"]
    assert graph.is_whole
    assert {agent: cost.nanos for agent, cost in graph.cost_by_agent().items()} == {
        "planner": 500_000_000_001,
        "analyst": 2 * 1_000_003,
        "accountant": 14,
    }
    assert (graph.cost.nanos, graph.cost.tokens) == (500_002_000_021, 50)
    assert sorted(edges(graph)) == [("accountant", "analyst")] * 2 + [("analyst", "planner")]


def edges(graph):
    """Who was told something by whom."""
    steps = graph.steps
    return [(steps[one.source].agent, steps[one.target].agent) for one in graph.edges if one.kind == TOLD]
