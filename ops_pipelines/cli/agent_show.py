"""`ops agent show`: one run step by step, with what its gate said and what it waits for."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_names import RunId, recording_named
from ops_pipelines.cli.agent_step_words import numbers_of, step_named, steps_shown, value_of, whole_step
from ops_pipelines.cli.agent_words import at, dollars, exact, short_json, span, state_word
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.decision_log import Logged
    from ops_pipelines.agentops.run_log import Recording, Step


def show_run(
    run: RunId,
    step: Annotated[str, typer.Option(help="All of one step: its number, or its id's first digits.")] = "",
    as_json: AsJson = False,
) -> None:
    """A run's steps as a tree with times, decisions and cost, what the gate said of each call, and what it waits for."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    recording = recording_named(platform, run)
    if step:
        _show_step(platform, recording, step_named(recording, step), as_json)
        return
    head, said = _head(platform, recording), _decisions(platform, recording)
    if as_json:
        decisions = [one.to_json() for one in said]
        numbers = numbers_of(recording)
        steps = [{"step": numbers.get(one.id), **whole_step(recording, one)} for one in recording.steps]
        show([{**head, "steps": steps, "decisions": decisions, "waits": _waits(platform, recording)}], as_json=True)
        return
    for name, value in head.items():
        print(f"{name}: {value}")
    print()
    show(steps_shown(recording), title="steps")
    print()
    show([_said(one) for one in said], title="what the gate said")
    for waits in _waits(platform, recording):
        approval = str(waits["approval"])[:12]
        print(f"\nwaits for a person: {waits['tool']} {exact(waits['arguments'])}, until {waits['until']}")
        print(f"  ops agent approve {approval}   (or: ops agent deny {approval})")
        print(f"  ops agent resume {recording.run[:12]}")


def _head(platform: "Platform", recording: "Recording") -> dict[str, Any]:
    from ops_pipelines.agentops.replay import begun_with

    steps, first = recording.steps, begun_with(recording)
    began, ended = min(step.started for step in steps), max(step.ended for step in steps)
    versions = sorted({name for step in steps for name in step.memory_version.split(",") if name})
    read = {"memory": ", ".join(versions)} if versions else {}
    return {
        "run": recording.run,
        "agent": first.agent,
        "release": first.release or "none of ours",
        "state": state_word(steps, platform.clock.wall()),
        "task": short_json(value_of(recording, first.inputs), 500),
        "began": at(began),
        "took": span(ended - began),
        "cost": dollars(steps) or "nothing was bought",
    } | read


def _waits(platform: "Platform", recording: "Recording") -> list[dict[str, Any]]:
    """The requests of this run that nobody has answered yet."""
    from ops_pipelines.agentops.approval import PENDING
    from ops_pipelines.agentops.run_named import run_of

    now = platform.clock.wall()
    return [
        {
            "approval": held.request.id,
            "tool": held.request.tool,
            "arguments": held.request.binding.arguments,
            "reason": held.request.reason,
            "until": at(held.request.expires_at),
        }
        for held in platform.approvals.held()
        if run_of(held.request.binding.run) == recording.run and held.state(now) == PENDING
    ]


def _decisions(platform: "Platform", recording: "Recording") -> "tuple[Logged, ...]":
    """What the gates of a run said, its own and those of agents that were handed work, in the order of their instants."""
    from ops_pipelines.agentops.run_named import gate_runs

    found = [one for run in gate_runs(recording) for one in platform.decisions.decisions(run)]
    return tuple(sorted(found, key=lambda one: one.at))


def _show_step(platform: "Platform", recording: "Recording", step: "Step", as_json: bool) -> None:
    """Everything that is known of one step, its whole input and output."""
    import json

    said = _said_of(_decisions(platform, recording), recording, step)
    whole = whole_step(recording, step)
    if as_json:
        show([{**whole, "decisions": [one.to_json() for one in said]}], as_json=True)
        return
    for name, value in whole.items():
        if name not in ("input", "output") and value not in ("", None, []):
            print(f"{name}: {value if isinstance(value, str) else short_json(value)}")
    for name in ("input", "output"):
        print(f"\n{name}:\n{json.dumps(whole[name], indent=2, ensure_ascii=True)}")
    if said:
        print()
        show([_said(one) for one in said], title="what the gate said")


def _said_of(said: "tuple[Logged, ...]", recording: "Recording", step: "Step") -> "list[Logged]":
    """The decisions about a tool call: those with its arguments, or with its name where something was taken out of them."""
    import json

    from ops_pipelines.agentops.run_log import TOOL

    named = [one for one in said if step.kind == TOOL and one.tool == step.name]
    asked = value_of(recording, step.inputs)
    return [one for one in named if one.arguments and json.loads(one.arguments) == asked] or named


def _said(one: "Logged") -> dict[str, Any]:
    return {
        "tool": one.tool,
        "arguments": short_json(one.arguments, 120),
        "said": one.what,
        "by": one.stage or "policy",
        "because": exact(one.reason),
        "decision": one.id[:12],
    }
