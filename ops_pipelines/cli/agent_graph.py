"""`ops agent graph`: one run as a graph, with whose words went where."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import RunId, recording_named
from ops_pipelines.cli.agent_step_words import came_of, given_to, numbers_of
from ops_pipelines.cli.agent_words import at, dollars, exact, span
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.agentops.run_log import Recording, Step
    from ops_pipelines.agentops.trace_graph import TraceGraph


class Form(StrEnum):
    """How a graph is drawn."""

    text = "text"
    mermaid = "mermaid"
    dot = "dot"
    html = "html"


_ENDINGS = {".html": Form.html, ".mmd": Form.mermaid, ".dot": Form.dot}


def draw(
    run: RunId,
    form: Annotated[
        Form | None,
        typer.Option(
            "--format", help="text, mermaid, dot, or html: a page of its own. Without, as --to ends, or text."
        ),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="The file to write it into; printed without.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who was called by whom, and whose words went where, with what each agent cost. Exit 3 where the graph has holes."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.replay import begun_with
    from ops_pipelines.agentops.trace_graph import trace_graph
    from ops_pipelines.cli import COULD_NOT_TELL

    recording = recording_named(Platform.embedded(), run)
    # A run that was asked for by another system has a root whose parent is there, and that is no hole.
    graph = trace_graph(recording.steps, called_from=begun_with(recording).parent)
    if as_json:
        show([_record(recording, graph)], as_json=True)
    else:
        drawn = _drawn(recording, graph, form or _ENDINGS.get(to.suffix if to else "", Form.text))
        if to:
            _written(to, drawn)
        else:
            print(drawn)
    if not graph.is_whole:
        raise typer.Exit(COULD_NOT_TELL)


def _written(to: Path, drawn: str) -> None:
    from ops_pipelines.core.errors import ConfigError

    try:
        to.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{to} cannot be written: {error}", expected="a file in a folder that is there", action="Name another"
        ) from error
    print(f"written to {to}")


def _drawn(recording: "Recording", graph: "TraceGraph", form: Form) -> str:
    from ops_pipelines.agentops import trace_drawing

    numbers = numbers_of(recording)

    def label(step: "Step") -> str:
        number = f"{numbers[step.id]} " if step.id in numbers else ""
        went = " failed" if step.error else f" {exact(step.decision)}" if step.was_denied else ""
        return f"{number}{step.kind} {exact(step.name)} {span(step.ended - step.started)}{went}"

    def whole(step: "Step") -> str:
        parts = [given_to(recording, step), came_of(recording, step)]
        return f"{label(step)}   {' → '.join(part for part in parts if part)}"

    if form is Form.mermaid:
        return trace_drawing.mermaid(graph, label)
    if form is Form.dot:
        return trace_drawing.dot(graph, label)
    if form is Form.html:
        title = f"Run {recording.run[:12]} of {exact(recording.steps[0].agent)}"
        began = f"began {at(recording.steps[0].started)}"
        return trace_drawing.page(graph, whole, title=title, told="; ".join([began, *_costs(graph)]))
    return "\n".join([*_tree(graph, label), "", *_messages(graph, label), *_costs(graph), *_holes(graph)])


def _tree(graph: "TraceGraph", label: Any) -> list[str]:
    return [f"{'  ' * depth}{label(step)}" for depth, step in graph.tree()]


def _messages(graph: "TraceGraph", label: Any) -> list[str]:
    from ops_pipelines.agentops.trace_graph import TOLD

    told = [edge for edge in graph.edges if edge.kind == TOLD]
    return [f"words: {label(graph.steps[edge.source])} -> {label(graph.steps[edge.target])}" for edge in told]


def _costs(graph: "TraceGraph") -> list[str]:
    """What each agent cost, and the whole of it, to the billionth."""
    by_agent: dict[str, list[Step]] = {}
    for step in graph.steps.values():
        by_agent.setdefault(step.agent, []).append(step)
    each = [(exact(agent), steps) for agent, steps in sorted(by_agent.items())]
    every = [("together", list(graph.steps.values()))] if len(each) > 1 else []
    return [f"{name}: {len(steps)} steps, {dollars(steps) or 'nothing bought'}" for name, steps in [*each, *every]]


def _holes(graph: "TraceGraph") -> list[str]:
    missing = [f"{len(graph.orphans)} steps whose parent nobody kept"] if graph.orphans else []
    lost = [f"{len(graph.dangling)} messages from steps that nobody kept"] if graph.dangling else []
    parts = [f"it falls into {graph.parts} parts"] if graph.parts > 1 else []
    return [f"holes: {', '.join([*missing, *lost, *parts])}"] if missing or lost or parts else []


def _record(recording: "Recording", graph: "TraceGraph") -> dict[str, Any]:
    numbers = numbers_of(recording)
    return {
        "run": recording.run,
        "whole": graph.is_whole,
        "parts": graph.parts,
        "orphans": list(graph.orphans),
        "dangling": [list(one) for one in graph.dangling],
        "steps": [
            {"id": step.id, "step": numbers.get(step.id), "kind": step.kind, "name": step.name, "agent": step.agent}
            for step in graph.steps.values()
        ],
        "edges": [{"from": edge.source, "to": edge.target, "kind": edge.kind} for edge in graph.edges],
        "cost": {name: _cost(cost) for name, cost in {**graph.cost_by_agent(), "": graph.cost}.items()},
    }


def _cost(cost: Any) -> dict[str, Any]:
    from ops_pipelines.llmops.cost import from_nanos

    usd = None if cost.unpriced else f"{from_nanos(cost.nanos):f}"
    return {"steps": cost.steps, "tokens": cost.tokens, "usd": usd, "unpriced": cost.unpriced}
