"""Three agents, each an MCP server of its own: one graph, no orphan, and costs that sum exactly."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from fastmcp import Client, FastMCP

from ops_pipelines.adapters.mcp_agents import ask_agent, offer_agent
from ops_pipelines.agentops.handoff import DelegationPolicy, Handoff, HandoffRule
from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.recording import Outcome, StepFailed, Writer
from ops_pipelines.agentops.run_log import MODEL
from ops_pipelines.agentops.trace_graph import TOLD, trace_graph
from ops_pipelines.testing.run_log import MemoryRunLog

TOOLS = frozenset({"drift_report", "prices"})
RULES = (
    HandoffRule("planner", "analyst", frozenset({"explain"}), TOOLS),
    HandoffRule("analyst", "accountant", frozenset({"price"}), frozenset({"prices"})),
    HandoffRule("accountant", "planner"),
)
POLICY = DelegationPolicy(RULES, deepest=3)


class Office:
    """Three agents and the log that they share; `clients` are how each is reached."""

    def __init__(self, *, log=None, policy=POLICY) -> None:
        self.log, self.policy, self.clients = log or MemoryRunLog(), policy, {}

    def runs(self) -> JoinedRuns:
        return JoinedRuns(RunLogged(Writer(self.log.append), self.log.steps), lambda: datetime.now(UTC))

    async def _thought(self, scope, nanos):
        async def model():
            return Outcome("thought", tokens=10, nanos=nanos)

        return await scope.call_async(MODEL, "desk-1", {"of": scope.agent}, model)

    async def analyst(self, errand):
        await self._thought(errand.scope, 1_000_003)
        asked = errand.to("accountant", "price", tools=frozenset({"prices"}))
        first = await ask_agent(errand.scope, self.clients["accountant"], asked, "a week", self.policy)
        second = await ask_agent(errand.scope, self.clients["accountant"], asked, "a month", self.policy)
        return {"because": "the storm", "costs": [first, second]}

    async def accountant(self, errand):
        await self._thought(errand.scope, 7)
        if errand.message == "a riddle":
            await ask_agent(errand.scope, self.clients["planner"], errand.to("planner", "x"), "?", self.policy)
        return f"{errand.message}: 12 dollars"

    async def planner(self, run, task="explain"):
        scope = self.runs().begin("planner", "why has it drifted?", run=run)
        await self._thought(scope, 500_000_000_001)
        handoff = Handoff(("planner",), "analyst", task, TOOLS, TOOLS)
        answer = await ask_agent(scope, self.clients["analyst"], handoff, "look at w9", self.policy)
        scope.decide("report", answer)
        return answer

    async def open(self, program):
        """What the planner comes to while the two others are served."""
        async with AsyncExitStack() as stack:
            for name in ("accountant", "analyst"):
                server = FastMCP(name)
                offer_agent(server, name, getattr(self, name), self.runs(), self.policy)
                self.clients[name] = await stack.enter_async_context(Client(server))
            return await program


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
    told = [
        (graph.steps[edge.source].agent, graph.steps[edge.target].agent) for edge in graph.edges if edge.kind == TOLD
    ]
    assert sorted(told) == [("accountant", "analyst")] * 2 + [("analyst", "planner")]


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
