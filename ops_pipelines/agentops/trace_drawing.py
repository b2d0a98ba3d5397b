"""A run's graph as text for other programs that draw: Mermaid, DOT, and SVG in a page that needs nothing from outside.

Every name in them was written by an agent, or by strangers, and is quoted as each form wants it.
"""

import html
import json
from collections.abc import Callable

from ops_pipelines.agentops.run_log import AGENT, DECISION, MODEL, TOOL, Step
from ops_pipelines.agentops.trace_graph import TOLD, TraceGraph

Label = Callable[[Step], str]
"""What a step is called in a drawing, in one line."""
_ROW, _INDENT, _HIGH, _CHARACTER = 34, 28, 24, 7
_COLOURS = {AGENT: "#dbe9ff", MODEL: "#efe2ff", TOOL: "#dff5e1", DECISION: "#f3f3f3"}
_FAILED = "#ffdcd8"


def mermaid(graph: TraceGraph, label: Label) -> str:
    """The graph as Mermaid, messages dashed.

    >>> from ops_pipelines.agentops.trace_graph import trace_graph
    >>> mermaid(trace_graph([]), lambda step: step.name)
    'flowchart TD'
    """
    names = {step: f"s{number}" for number, step in enumerate(graph.steps)}
    boxes = [f'    {names[step.id]}["{_mermaid_text(label(step))}"]' for step in graph.steps.values()]
    lines = [
        f"    {names[edge.source]} {'-. told .->' if edge.kind == TOLD else '-->'} {names[edge.target]}"
        for edge in graph.edges
    ]
    return "\n".join(["flowchart TD", *boxes, *lines])


def dot(graph: TraceGraph, label: Label) -> str:
    """The graph as Graphviz reads it."""
    boxes = [f"  {_dot_text(step.id)} [label={_dot_text(label(step))}];" for step in graph.steps.values()]
    lines = [
        f"  {_dot_text(edge.source)} -> {_dot_text(edge.target)}{' [style=dashed]' if edge.kind == TOLD else ''};"
        for edge in graph.edges
    ]
    return "\n".join(["digraph run {", "  rankdir=LR; node [shape=box];", *boxes, *lines, "}"])


def page(graph: TraceGraph, label: Label, *, title: str, told: str) -> str:
    """A whole HTML page with the graph as SVG; `told` is a line about the run."""
    heading, line = html.escape(title), html.escape(told)
    style = "body{font:14px system-ui,sans-serif;margin:2em}text{font:13px ui-monospace,monospace}"
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{heading}</title><style>{style}</style></head>"
        f"<body><h1>{heading}</h1><p>{line}</p>{_svg(graph, label)}</body></html>\n"
    )


def _svg(graph: TraceGraph, label: Label) -> str:
    placed = {step.id: (depth * _INDENT + 1, row * _ROW + 1) for row, (depth, step) in enumerate(graph.tree())}
    wide = {step.id: _CHARACTER * len(label(step)) * 1.15 + 20 for step in graph.steps.values()}
    right = max((x + wide[step] for step, (x, _) in placed.items()), default=0) + 120
    boxes = [_box(graph.steps[step], label, x, y, wide[step]) for step, (x, y) in placed.items()]
    lines = [
        _told(placed[edge.source], placed[edge.target], wide[edge.source], wide[edge.target], right)
        if edge.kind == TOLD
        else _called(placed[edge.source], placed[edge.target])
        for edge in graph.edges
    ]
    size = f'width="{right + 20:.0f}" height="{len(placed) * _ROW + 10}"'
    arrow = (
        '<defs><marker id="end" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#b4541a"/></marker></defs>'
    )
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>{arrow}{"".join(lines)}{"".join(boxes)}</svg>'


def _box(step: Step, label: Label, x: int, y: int, wide: float) -> str:
    colour = _FAILED if step.error or step.was_denied else _COLOURS.get(step.kind, "#fff6d6")
    text = html.escape(label(step))
    return (
        f'<g><rect x="{x}" y="{y}" width="{wide:.0f}" height="{_HIGH}" rx="5" fill="{colour}" stroke="#667"/>'
        f'<text x="{x + 8}" y="{y + 16}">{text}</text><title>{text}</title></g>'
    )


def _called(source: tuple[int, int], target: tuple[int, int]) -> str:
    """From a parent down to its step."""
    (x, y), (to_x, to_y) = source, target
    return f'<path d="M{x + 10},{y + _HIGH} V{to_y + 12} H{to_x}" fill="none" stroke="#99a"/>'


def _told(source: tuple[int, int], target: tuple[int, int], wide: float, to_wide: float, right: float) -> str:
    """A message, from the right side of one step to that of the other, with an arrow."""
    (x, y), (to_x, to_y) = source, target
    start, end, out = f"{x + wide:.0f},{y + 12}", f"{to_x + to_wide:.0f},{to_y + 12}", f"{right - 60:.0f}"
    return (
        f'<path d="M{start} C{out},{y + 12} {out},{to_y + 12} {end}" fill="none" '
        'stroke="#b4541a" stroke-dasharray="5 3" marker-end="url(#end)"/>'
    )


def _mermaid_text(text: str) -> str:
    return "".join(letter if letter.isalnum() or letter in " .,_-/:" else f"#{ord(letter)};" for letter in text)


def _dot_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
