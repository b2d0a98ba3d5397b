from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.recording import Live, Outcome, Tape
from ops_pipelines.agentops.run_log import Step
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.trace_context import TraceContext, format_traceparent, parse_traceparent
from ops_pipelines.agentops.trace_graph import CALLED, TOLD, Edge, TraceGraph, trace_graph
from ops_pipelines.testing.agent_program import ticking
from ops_pipelines.testing.run_log import RUN, MemoryRunLog, entry_of


def three_agents() -> tuple[Step, ...]:
    """A planner that asks a reader and a judge, each in a process of its own that is told a traceparent only."""
    log = MemoryRunLog()
    planner = Tape(RUN, Live(ticking()), Writer(log.append)).begin("planner", {"task": "look"})
    line = format_traceparent(TraceContext(planner.run, planner.step))
    read = planner.message("reader", "read", lambda: answer(log, line, "reader"))
    planner.decide("end", planner.message("judge", read, lambda: answer(log, line, "judge")))
    return log.steps(RUN)


def answer(log: MemoryRunLog, traceparent: str, agent: str) -> Outcome:
    context = parse_traceparent(traceparent)
    scope = Tape(context.run, Live(ticking()), Writer(log.append)).begin(agent, "task", parent=context.step)
    said = scope.model("desk-1", {"for": agent}, lambda _: Outcome(f"{agent} said", tokens=7, nanos=333_333_333))
    return Outcome(said, links=(log.steps(context.run)[-1].id,))


def graph_of(*parents: str) -> TraceGraph:
    steps = [entry_of(id=str(at), parent=parent, occurrence=at).step for at, parent in enumerate(parents)]
    return trace_graph(steps)


def test_three_agents_in_three_processes_make_one_graph_whose_costs_sum_exactly():
    graph = trace_graph(three_agents())
    assert graph.is_whole
    assert sorted(graph.cost_by_agent()) == ["judge", "planner", "reader"]
    assert graph.cost.nanos == 666_666_666 == sum(cost.nanos for cost in graph.cost_by_agent().values())
    assert [edge.kind for edge in graph.edges].count(TOLD) == 2


def test_a_step_whose_parent_was_not_kept_is_an_orphan_and_the_graph_is_in_pieces():
    graph = graph_of("", "0", "lost", "2")
    assert (graph.orphans, graph.parts, graph.is_whole) == (("2",), 2, False)
    assert graph.roots == ("0", "2")


def test_a_run_that_another_system_asked_for_has_no_orphan():
    step = entry_of(parent="00f067aa0ba902b7").step
    assert trace_graph([step], called_from="00f067aa0ba902b7").is_whole


def test_a_message_from_a_step_that_is_missing_is_a_dangling_link():
    step = replace(entry_of().step, links=("lost",))
    assert trace_graph([step]).dangling == ((step.id, "lost"),)


def test_a_message_joins_steps_that_nobody_called():
    first, second = entry_of(id="a").step, replace(entry_of(id="b").step, links=("a",))
    graph = trace_graph([first, second])
    assert (graph.edges, graph.parts) == ((Edge("a", "b", TOLD),), 1)


def test_children_follow_their_parent_with_their_depth():
    assert [(depth, step.id) for depth, step in graph_of("", "0", "1", "0").tree()] == [
        (0, "0"),
        (1, "1"),
        (2, "2"),
        (1, "3"),
    ]


def test_steps_that_are_each_others_parents_are_shown_once_and_end():
    graph = graph_of("1", "0")
    assert [step.id for _, step in graph.tree()] == ["0", "1"]
    assert graph.edges == (Edge("1", "0", CALLED), Edge("0", "1", CALLED))


def test_no_step_is_no_graph():
    graph = trace_graph([])
    assert (graph.parts, graph.is_whole, list(graph.tree()), graph.cost.steps) == (0, False, [], 0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(-1, 12), st.integers(0, 10**12) | st.none(), st.sampled_from("abc")), max_size=12)
)
def test_whatever_the_shape_each_step_is_shown_and_counted_once(made):
    steps = [
        entry_of(id=str(at), parent="" if parent < 0 else str(parent), nanos=nanos, agent=agent, occurrence=at).step
        for at, (parent, nanos, agent) in enumerate(made)
    ]
    graph = trace_graph(steps)
    assert sorted(int(step.id) for _, step in graph.tree()) == list(range(len(made)))
    assert sum(cost.nanos for cost in graph.cost_by_agent().values()) == sum(nanos or 0 for _, nanos, _ in made)
