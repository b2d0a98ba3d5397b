"""`ops agent fork`: what an agent would have done had one thing been otherwise."""

import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_diff import record_of, words_of
from ops_pipelines.cli.agent_names import RunId, json_given, no_constant, recording_named
from ops_pipelines.cli.agent_run import exit_code
from ops_pipelines.cli.agent_run import words_of as words_of_run
from ops_pipelines.cli.agent_step_words import numbers_of
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.cli.output import AsJson, DryRun, show
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.agentops.fork import Edit, Forked
    from ops_pipelines.agentops.run_log import Recording


def fork_run(
    run: RunId,
    at: Annotated[int, typer.Option(help="How many steps stay as they were; the one after them is edited.", min=0)],
    *,
    result: Annotated[str | None, typer.Option(help="That step's result instead, as JSON or @file.")] = None,
    request: Annotated[
        str | None, typer.Option(help="What that step is asked instead, as JSON or @file: a task, a prompt, arguments.")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="PATH=VALUE: the same request with another value at a path.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="A folder with another policy to go on by.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Go on from a step with something else; nothing that was done is done again, and every new effect waits for a person.

    Prints the new run, and where it parts from its parent. Exits as `ops agent run` does.
    """
    from ops_pipelines.adapters.agents import agent_of_run
    from ops_pipelines.adapters.fork_edits import edit_of
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.policy_files import policy_in

    platform = Platform.embedded()
    recording = recording_named(platform, run)
    agent = agent_of_run(platform, recording)
    new = uuid.uuid4().hex
    other = policy_in(policy) if policy else None
    edit = edit_of(agent, recording, at, _wanted(result, request, changes or ()), run=new, policy=other)
    if dry_run:
        would = _would_fork(recording, at, edit, policy)
        show([would | (_instead(edit) if as_json else _instead_shown(edit))], as_json=as_json)
        return
    forked = agent.fork(recording.run, at=at, edit=edit, policy=other, id=new)
    _tell(agent, recording, forked, as_json=as_json)


def _tell(agent: "OpenAgent", parent: "Recording", forked: "Forked", *, as_json: bool) -> None:
    from ops_pipelines.agentops.divergence import first_divergence
    from ops_pipelines.agentops.run_state import ran_of

    found = agent.recording(forked.run)
    ran = ran_of(found, agent.platform.clock.wall())
    parted = first_divergence(parent, found)
    names = {step.id: f"{step.kind} {step.name}" for step in parent.steps}
    repeated = [names[id] for id in forked.repeated]
    if as_json:
        kept = {"of": parent.run, "prefix": forked.prefix, "not_done_again": repeated}
        show([{**ran.to_json(), **kept, "diff": record_of(parent, found, parted)}], as_json=True)
    else:
        print("\n".join(words_of_run(ran)))
        print(f"  its first {forked.prefix} steps are those of {parent.run[:12]}")
        if repeated:
            print(f"  not done again: {', '.join(map(exact, repeated))}")
        print("\n".join(words_of(parent, found, parted)))
    if code := exit_code(ran):
        raise typer.Exit(code)


def _wanted(result: str | None, request: str | None, changes: Sequence[str]) -> dict[str, Any]:
    """What is to be otherwise, of the options that were given."""
    told = {"result": result, "request": request}
    wanted = {name: json_given(text, option=f"--{name}") for name, text in told.items() if text is not None}
    return {**wanted, "set": dict(map(_change, changes))} if changes else wanted


def _change(text: str) -> tuple[str, Any]:
    """A path and its value, which is JSON, or else the text as it stands."""
    path, sign, value = text.partition("=")
    if not path or not sign:
        raise ConfigError(
            f"--set {text!r} is no change",
            expected="PATH=VALUE, such as messages.0.content=Judge",
            action="Write the path of what is to be replaced, `=`, and its new value",
        )
    try:
        return path, json.loads(value, parse_constant=no_constant)
    except ValueError:
        return path, value


def _would_fork(recording: "Recording", at: int, edit: "Edit | None", policy: Path | None) -> dict[str, Any]:
    numbers = {number: id for id, number in numbers_of(recording).items()}
    steps = {step.id: step for step in recording.steps}
    found = steps.get(numbers.get(at, ""))
    return {
        "would fork": recording.run,
        "steps kept": at,
        "edited": f"{found.kind} {exact(found.name)}" if edit and found else "nothing",
        "policy": str(policy) if policy else "the agent's own, and every new effect asks",
    }


def _instead(edit: "Edit | None") -> dict[str, Any]:
    """What the edited step would be asked, or come to: a path that was mistyped is seen there."""
    from ops_pipelines.agentops.fork import NewRequest

    if edit is None:
        return {}
    return {"asked": edit.inputs} if isinstance(edit, NewRequest) else {"comes to": edit.value}


def _instead_shown(edit: "Edit | None") -> dict[str, str]:
    return {name: short_json(value, 500) for name, value in _instead(edit).items()}
