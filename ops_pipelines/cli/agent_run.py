"""`ops agent run` and `ops agent resume`: a run up to its end, or to the first call that waits for a person."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import COULD_NOT_TELL, REFUSED
from ops_pipelines.cli.agent_names import json_given, recording_named
from ops_pipelines.cli.agent_ready import go_on_with_ready
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.agentops.run_state import Ran


def start(
    agent: Annotated[str, typer.Argument(help="The agent's system, for instance oncall.")],
    task: Annotated[str, typer.Option(help="What it is to do, as JSON or @file; @- for what is piped in.")] = "null",
    release: Annotated[str, typer.Option(help="First digits of a release; what is live without.")] = "",
    environment: Annotated[str, typer.Option(help="Where it is live, and acts.")] = "production",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Start a run. Exit 0 when it is done, 1 when it failed or was stopped by its gate, 3 when it waits for a person."""
    from ops_pipelines.adapters.agents import live_agent
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.known_system import check_known

    given, platform = json_given(task, option="--task"), Platform.embedded()
    where = platform.project.checked_environment(environment)
    check_known(platform, agent)
    found = live_agent(platform, agent, release=release, environment=where)
    if dry_run:
        show([_would_run(found, given)], as_json=as_json)
        return
    told(found.start(given), as_json=as_json)


def resume(
    run: Annotated[str, typer.Argument(help="The first digits of a run's id; none with --ready.")] = "",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also one that seems to be running: you know that its process is gone.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Every run that somebody has answered, or whose process died.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that waited, or whose process died, where it stood. Exits as `ops agent run` does.

    With --ready every run goes on that can by itself, as the sensor `go_on` has it: exit 0 where all are done or there is
    none, 1 where one failed or was refused, 3 where one waits for a person or could not be gone on with.
    """
    from ops_pipelines.adapters.agents import agent_of_run
    from ops_pipelines.adapters.platform import Platform

    _check_named(run, anyway=anyway, ready=ready)
    platform = Platform.embedded()
    if ready:
        go_on_with_ready(platform, dry_run=dry_run, as_json=as_json)
        return
    recording = recording_named(platform, run)
    found = agent_of_run(platform, recording)
    if dry_run:
        found.check_may_go_on(recording, anyway=anyway)
        show([_would_resume(found, recording.run)], as_json=as_json)
        return
    told(found.resume(recording.run, anyway=anyway), as_json=as_json)


def told(ran: "Ran", *, as_json: bool) -> None:
    """Prints what a run came to and what to do next, and exits as that means."""
    if as_json:
        show([ran.to_json()], as_json=True)
    else:
        print("\n".join(words_of(ran)))
    if code := exit_code(ran):
        raise typer.Exit(code)


def exit_code(ran: "Ran") -> int:
    """0 for a run that is done, 1 for one that failed, 3 for one of which nobody can tell yet what it comes to."""
    from ops_pipelines.agentops.run_state import DONE, FAILED

    return {DONE: 0, FAILED: REFUSED}.get(ran.state, COULD_NOT_TELL)


def words_of(ran: "Ran") -> list[str]:
    """What a run came to, for people."""
    from ops_pipelines.agentops.run_state import DONE, WAITING
    from ops_pipelines.cli.agent_words import exact, short_json

    run = ran.run[:12]
    if ran.state == DONE:
        return [f"{run} is done: {short_json(ran.result, 2000)}", f"  see it:  ops agent show {run}"]
    if ran.state == WAITING:
        waits = ran.waits
        approval = str(waits["approval"])[:12]
        return [
            f"{run} waits for a person: {exact(waits['reason'])}",
            f"  the call:  {waits['tool']} {exact(waits['arguments'])}",
            f"  1. ops agent approve {approval}   (or: ops agent deny {approval})",
            f"  2. ops agent resume {run}",
        ]
    return [f"{run} {ran.state}: {exact(ran.error)}", f"  see why:  ops agent show {run}"]


def _check_named(run: str, *, anyway: bool, ready: bool) -> None:
    from ops_pipelines.core.errors import ConfigError

    if bool(run) == ready or (anyway and ready):
        raise ConfigError(
            "It is not clear which runs are to go on",
            expected="the first digits of one run, or --ready alone",
            action="`ops agent resume --ready --dry-run` lists those that can; --anyway is for one run",
        )


def _would_run(found: "OpenAgent", task: Any) -> dict[str, Any]:
    budgets = found.agent.budgets
    return {
        "would run": found.name,
        "release": found.manifest.digest,
        "in": found.environment,
        "task": task,
        "tools": ", ".join(f"{tool.name} ({tool.effect})" for tool in found.agent.tools),
        "at most": f"${budgets.limit_usd:f}, {budgets.loops.steps} steps",
    }


def _would_resume(found: "OpenAgent", run: str) -> dict[str, Any]:
    from ops_pipelines.agentops.approval import PENDING
    from ops_pipelines.agentops.run_state import state_of, waits_of

    recording, now = found.recording(run), found.platform.clock.wall()
    named = dict.fromkeys(str(note["approval"]) for note in waits_of(recording))
    states = {held.request.id: held.state(now) for name in named for held in found.platform.approvals.held(name)}
    return {
        "would resume": run,
        "it is": state_of(recording.steps, now),
        "answered": ", ".join(name for name, state in states.items() if state != PENDING),
        "not answered": ", ".join(name for name, state in states.items() if state == PENDING),
    }
