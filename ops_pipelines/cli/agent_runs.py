"""`ops agent runs`: which runs there were, and what has become of each."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import instant_since
from ops_pipelines.cli.agent_words import at, dollars, span, state_word
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.run_log import RunSummary, Step
    from ops_pipelines.core.clock import Window


def list_runs(
    agent: Annotated[str, typer.Option(help="Only runs in which this agent took part.")] = "",
    tool: Annotated[str, typer.Option(help="Only runs that called this tool.")] = "",
    failed: Annotated[bool, typer.Option("--failed", help="Only runs with an error, or that failed.")] = False,
    since: Annotated[str, typer.Option(help="Only runs that began after: 2h, 3d, or an instant.")] = "",
    limit: Annotated[int, typer.Option(help="How many, the newest first.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """One line a run, the newest first: what has become of it, how many steps and tool calls, what it cost, how long."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.run_log import TOOL, RunFilter
    from ops_pipelines.agentops.run_named import ALWAYS
    from ops_pipelines.core.clock import Window

    platform = Platform.embedded()
    window = Window(instant_since(since, platform.clock.wall()), ALWAYS.end) if since else ALWAYS
    of = RunFilter(agent, TOOL if tool else "", tool)
    found = _failed(platform, window, of, limit) if failed else platform.runs.runs(window, of, limit=limit)
    show([_row(platform, one, as_json) for one in found], title="runs", as_json=as_json)


def _failed(platform: "Platform", window: "Window", of: Any, limit: int) -> "list[RunSummary]":
    """Those with a step that failed, and those that came to a failure though no step did."""
    from dataclasses import replace

    from ops_pipelines.agentops.notes import FAILURE
    from ops_pipelines.agentops.run_log import DECISION, RunFilter

    ended = RunFilter(of.agent, DECISION, FAILURE)
    broken = {one.run: one for one in platform.runs.runs(window, replace(of, failed=True), limit=limit)}
    failures = {one.run: one for one in platform.runs.runs(window, ended, limit=limit)}
    if of.name:
        failures = {run: one for run, one in failures.items() if any(map(of.admits, platform.runs.steps(run)))}
    return sorted({**failures, **broken}.values(), key=lambda one: one.started, reverse=True)[:limit]


def _row(platform: "Platform", one: "RunSummary", as_json: bool) -> dict[str, Any]:
    from ops_pipelines.agentops.run_log import TOOL

    steps = platform.runs.steps(one.run)
    tools = [step for step in steps if step.kind == TOOL]
    state = state_word(steps, platform.clock.wall())
    if as_json:
        return _record(one, steps, state, len(tools))
    return {
        "run": one.run[:12],
        "agent": one.agent,
        "state": state,
        "began": at(one.started),
        "took": span(one.ended - one.started),
        "steps": one.steps,
        "tool calls": len(tools),
        "errors": one.errors,
        "cost": dollars(steps) or "none",
    }


def _record(one: "RunSummary", steps: "tuple[Step, ...]", state: str, tools: int) -> dict[str, Any]:
    """The run for programs: its cost is None where the price of any of its models is unknown."""
    from ops_pipelines.llmops.cost import from_nanos

    return {
        "run": one.run,
        "agent": one.agent,
        "state": state,
        "started": one.started.isoformat(),
        "ended": one.ended.isoformat(),
        "seconds": (one.ended - one.started).total_seconds(),
        "steps": one.steps,
        "tool_calls": tools,
        "errors": one.errors,
        "tokens": one.tokens,
        "usd": None if one.unpriced else f"{from_nanos(one.nanos):f}",
        "unpriced": one.unpriced,
        "release": next((step.release for step in steps if step.release), ""),
    }
