"""The steps of a run as people and programs are shown them, with the numbers by which they name them."""

from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.agent_words import exact, short_json, span
from ops_pipelines.llmops.cost import from_nanos

if TYPE_CHECKING:
    from ops_pipelines.agentops.run_log import Recording, Step


def numbers_of(recording: "Recording") -> dict[str, int]:
    """The number of each step that the program took, from 0, by the step's id: `fork --at` counts so.

    What a run notes of itself has none.
    """
    from ops_pipelines.agentops.replay import played_in

    return {step.id: number for number, step in enumerate(played_in(recording))}


def step_named(recording: "Recording", name: str) -> "Step":
    """The step with a number, or whose id begins so; ConfigError for none and for several."""
    from ops_pipelines.core.errors import ConfigError

    numbers = numbers_of(recording)
    found = [step for step in recording.steps if str(numbers.get(step.id)) == name]
    found = found or [step for step in recording.steps if len(name) >= 4 and step.id.startswith(name)]
    if len(found) == 1:
        return found[0]
    raise ConfigError(
        f"{'No' if not found else 'More than one'} step of {recording.run[:12]} is called {name!r}",
        expected=f"a number from 0 to {len(numbers) - 1}, or the first digits of a step's id",
        action=f"`ops agent show {recording.run[:12]}` lists them",
        step=name,
    )


def steps_shown(recording: "Recording") -> list[dict[str, Any]]:
    """One row a step, children indented under the step that called them."""
    from ops_pipelines.agentops.trace_graph import trace_graph

    numbers = numbers_of(recording)
    return [
        {
            "step": numbers.get(step.id, ""),
            "what": f"{'  ' * depth}{step.kind} {exact(step.name)}",
            "given": given_to(recording, step),
            "came of it": came_of(recording, step),
            "took": span(step.ended - step.started),
            "cost": cost_of_step(step),
        }
        for depth, step in trace_graph(recording.steps).tree()
    ]


def given_to(recording: "Recording", step: "Step") -> str:
    """What a step was asked in one line; of what a run notes of itself, the part that people look for."""
    from ops_pipelines.agentops.notes import FORK, HINDERED, NOTES, STARTED, WAITS
    from ops_pipelines.agentops.run_log import DECISION

    value = value_of(recording, step.inputs)
    if step.kind != DECISION or step.name not in NOTES:
        return short_json(value)
    if step.name == WAITS:
        return f"for the approval {value['approval'][:12]} of {exact(value['tool'])}"
    if step.name == HINDERED:
        return exact(value["error"])
    if step.name == STARTED:
        return " ".join((*filter(None, [exact(value["by"])]), f"in {value.get('environment', 'production')}"))
    return (
        f"of {value['of'][:12]} from step {value['at']}"
        if step.name == FORK
        else f"at {value['at'][:19].replace('T', ' ')} UTC"
    )


def came_of(recording: "Recording", step: "Step") -> str:
    """What a step came to in one line: its error, what the gate said, or its result."""
    from ops_pipelines.agentops.tool_call import EXECUTE, is_answer

    if step.error:
        return f"failed: {exact(step.error)}"
    value = value_of(recording, step.outputs)
    if is_answer(value):
        # A tool that raised was let through: its reason says that it failed, and nobody denied it.
        of = "" if value.get("stage") == EXECUTE and value["status"] == "denied" else f"{value['status']}: "
        told = value["result"] if value["status"] == "done" else f"{of}{value['reason']}"
        repeated = " (done before, and not again)" if value.get("repeated") else ""
        return f"{short_json(told, 120)}{repeated}"
    return short_json(value)


def cost_of_step(step: "Step") -> str:
    """What one step cost; unknown for a model of which nobody knows, empty for what costs nothing."""
    from ops_pipelines.agentops.run_log import MONEY_KINDS

    if step.nanos is not None:
        return f"${from_nanos(step.nanos):f}"
    return "unknown" if step.kind in MONEY_KINDS else ""


def whole_step(recording: "Recording", step: "Step") -> dict[str, Any]:
    """All that is kept of a step, as plain JSON."""
    names = ("id", "parent", "agent", "kind", "name", "occurrence", "decision", "error", "memory_version", "release")
    times = {"started": step.started.isoformat(), "ended": step.ended.isoformat()}
    took = {"tokens": step.tokens, "usd": None if step.usd is None else f"{step.usd:f}", "links": list(step.links)}
    payloads = {"input": value_of(recording, step.inputs), "output": value_of(recording, step.outputs)}
    return {name: getattr(step, name) for name in names} | times | took | payloads


def value_of(recording: "Recording", digest: str) -> Any:
    """A payload as far as it was kept; None for the empty digest."""
    return recording.payloads[digest].shown() if digest in recording.payloads else None
