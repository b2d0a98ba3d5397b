from asyncio import run
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from fastmcp import FastMCP

from ops_pipelines.adapters.mcp_agents import ask_agent, offer_agent
from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.adapters.mcp_trace import meta_of, trace_of
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.handoff import DelegationPolicy, Handoff, HandoffRule
from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.recording import Live, Tape
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_graph import TOLD, trace_graph
from ops_pipelines.core.clock import Window
from ops_pipelines.testing.gates import NOON

from .desk import RUN, STEP, Desk, traced


def test_calls_of_an_agent_stand_under_its_step_in_its_run():
    desk, run_id = Desk(), uuid4().hex
    scope = Tape(run_id, Live(lambda: NOON), Writer(desk.log.append)).begin("oncall", "look into it")
    desk.call(("look", {"week": "w1"}), ("lok", {}), meta=meta_of(scope))
    graph = trace_graph(desk.log.steps(run_id))
    assert graph.is_whole
    assert [(depth, step.kind, step.name, step.decision) for depth, step in graph.tree()] == [
        (0, "agent", "oncall", ""),
        (1, "agent", "gate of oncall", "joined"),
        (2, "tool", "look", ""),
        (2, "tool", "lok", "denied at validate"),
    ]


def test_a_gateway_that_was_started_again_adds_to_the_run():
    desk = Desk()
    for _ in range(2):
        desk.call(("look", {"week": "w1"}), meta=traced(RUN))
    graph = trace_graph(desk.log.steps(RUN), called_from=STEP)
    assert len(graph.steps) == 4
    assert graph.orphans == ()


def test_a_client_without_a_trace_has_one_run_as_long_as_it_stays():
    desk = Desk()
    desk.call(("look", {"week": "w1"}), ("look", {"week": "w2"}))
    (kept,) = desk.log.runs(Window(NOON - timedelta(days=1), NOON + timedelta(days=1)))
    assert kept.steps == 3


@pytest.mark.parametrize(("meta", "done"), [(None, 5), (traced(), 2)])
def test_what_is_spent_by_a_client_without_a_trace_does_not_shut_it_out_for_ever(meta, done):
    desk = Desk()
    desk.terms = {"rule": LoopRule(steps=2)}
    desk.call(*[("look", {"week": f"w{number}", "rows": number}) for number in range(5)], meta=meta)
    assert len(desk.done) == done


def test_our_line_is_read_before_that_of_a_library_which_no_log_knows():
    ours, theirs = traced(RUN)["traceparent"], traced()["traceparent"]
    assert trace_of({"traceparent": theirs, "ops/traceparent": ours}).run == RUN
    assert trace_of({"traceparent": ours}, {"traceparent": theirs}).run == RUN
    assert trace_of({"traceparent": 7}, {"traceparent": theirs}).step == STEP
    assert trace_of({"traceparent": "00-" + "0" * 32 + "-" + STEP + "-01"}) is None


def test_a_client_that_begins_a_run_for_each_call_spends_no_more():
    desk = Desk()
    desk.terms = {"all_usd": Decimal("0.25"), "run_usd": Decimal("0.10")}
    declared = {"look": Declared(effect="read", price_usd=Decimal("0.10"))}

    async def called():
        async with desk.proxied(declared=declared) as client:
            return [await client.call_tool_mcp("look", {"week": "w1"}, meta=traced()) for _ in range(3)]

    assert [found.is_error for found in run(called())] == [False, False, True]
    assert len(desk.done) == 2


class Both:
    """An agent that is offered over MCP, and the gate through which another one reaches it."""

    def __init__(self) -> None:
        self.desk, self.lines = Desk(), []
        self.desk.server = FastMCP("analysts")
        runs = JoinedRuns(RunLogged(Writer(self.desk.log.append), self.desk.log.steps), lambda: NOON)
        self.policy = DelegationPolicy(tuple(HandoffRule(sender, "analyst") for sender in ("oncall", "planner", "")))
        offer_agent(self.desk.server, "analyst", self.analyst, runs, self.policy)

    async def analyst(self, errand):
        self.lines.append(errand.handoff.line)
        return "the storm"

    def ask(self, line, *, agents=True):
        scope = Tape(uuid4().hex, Live(lambda: NOON), Writer(self.desk.log.append)).begin(line[-1])
        declared = {"analyst": Declared(effect="read")}

        async def asked():
            async with self.desk.proxied(declared=declared, agents=agents) as client:
                return await ask_agent(scope, client, Handoff(line, "analyst", "explain"), "w9", self.policy)

        return run(asked()), trace_graph(self.desk.log.steps(scope.run))


def test_an_agent_behind_a_gate_is_told_who_waits_and_its_answer_is_linked_on_both_sides():
    both = Both()
    answer, graph = both.ask(("planner",))
    assert answer == "the storm"
    assert both.lines == [("planner", "oncall")]
    assert graph.is_whole
    told = [(graph.steps[edge.source].name, graph.steps[edge.target].kind) for edge in graph.edges if edge.kind == TOLD]
    assert sorted(told) == [("answer", "message"), ("answer", "tool")]


def test_a_server_of_strangers_is_not_told_who_waits_and_what_it_says_of_its_own_steps_is_not_believed():
    both = Both()
    _, graph = both.ask(("planner",), agents=False)
    assert both.lines == [()]
    assert [edge for edge in graph.edges if edge.kind == TOLD] == []
