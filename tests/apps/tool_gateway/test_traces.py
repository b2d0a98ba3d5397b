from asyncio import run
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.adapters.mcp_trace import meta_of, trace_of
from ops_pipelines.agentops.recording import Live, Tape, Writer
from ops_pipelines.agentops.trace_graph import trace_graph
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
        (1, "agent", "gate of oncall", ""),
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
