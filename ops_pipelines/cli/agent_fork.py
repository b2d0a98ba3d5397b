"""`ops agent fork`: what an agent would have done had one thing been otherwise."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.agent_diff import record_of, words_of
from ops_pipelines.cli.agent_names import RunId, json_given, recording_named
from ops_pipelines.cli.agent_run import exit_code
from ops_pipelines.cli.agent_run import words_of as words_of_run
from ops_pipelines.cli.agent_step_words import numbers_of
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.agentops.fork import Edit, Forked
    from ops_pipelines.agentops.run_log import Recording, Step


def fork_run(
    run: RunId,
    at: Annotated[int, typer.Option(help="How many steps stay as they were; the one after them is edited.", min=0)],
    *,
    result: Annotated[str, typer.Option(help="That step's result instead, as JSON or @file.")] = "",
    request: Annotated[str, typer.Option(help="What that step is asked instead: another task, or arguments.")] = "",
    policy: Annotated[Path | None, typer.Option(help="A folder with another policy to go on by.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Go on from a step with something else; nothing that was done is done again, and every new effect waits for a person.

    Prints the new run, and where it parts from its parent. Exits as `ops agent run` does.
    """
    from ops_pipelines.adapters.agents import agent_of_run
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.policy_files import policy_in

    platform = Platform.embedded()
    recording = recording_named(platform, run)
    agent = agent_of_run(platform, recording)
    new = uuid.uuid4().hex
    edit = _edit(agent, recording, _Wish(new, at, result, request))
    other = policy_in(policy) if policy else None
    if dry_run:
        show([_would_fork(recording, at, edit, policy)], as_json=as_json)
        return
    forked = agent.fork(recording.run, at=at, edit=edit, policy=other, id=new)
    _tell(agent, recording, forked, as_json=as_json)


def _tell(agent: "OpenAgent", parent: "Recording", forked: "Forked", *, as_json: bool) -> None:
    from ops_pipelines.agentops.conduct import ran_of
    from ops_pipelines.agentops.divergence import first_divergence

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


@dataclass(frozen=True, slots=True)
class _Wish:
    """The fork that is wanted: its id, at which step, and the texts of the edit's options."""

    run: str
    at: int
    result: str
    request: str


def _edit(agent: "OpenAgent", recording: "Recording", wish: _Wish) -> "Edit | None":
    from ops_pipelines.agentops.fork import result_of, step_at
    from ops_pipelines.core.errors import ConfigError

    if wish.result and wish.request:
        raise ConfigError(
            "Both another result and another request are given",
            expected="one edit a fork",
            action="Fork the fork, where both are wanted",
        )
    step = step_at(recording, wish.at) if wish.result or wish.request else None
    if step is None:
        return None
    if wish.result:
        return result_of(step, json_given(wish.result, option="--result"))
    return _other_request(agent, step, json_given(wish.request, option="--request"), wish.run)


def _other_request(agent: "OpenAgent", step: "Step", inputs: Any, run: str) -> "Edit":
    """Another task, or a tool that only looks asked for something else; ConfigError for what cannot be asked from here."""
    from ops_pipelines.agentops.fork import NewRequest
    from ops_pipelines.agentops.run_log import AGENT, TOOL
    from ops_pipelines.core.errors import ConfigError

    tool = agent.agent.tools.get(step.name) if step.kind == TOOL else None
    if step.kind != AGENT and (tool is None or tool.has_effect):
        raise ConfigError(
            f"The {step.kind} {step.name!r} cannot be asked for something else from here",
            expected="the step in which an agent began, or a tool that only reads",
            action="Give its result with --result, or edit an earlier step that leads to it",
            step=step.id,
        )
    if tool and (problems := tool.problems(inputs if isinstance(inputs, dict) else {"": inputs})):
        raise ConfigError(
            f"{step.name!r} cannot be called with {short_json(inputs)}: {'; '.join(problems)}",
            expected="arguments of that tool",
            action="Correct them",
        )
    return NewRequest(inputs, lambda given: _looked(agent, run, step.name, given))


def _looked(agent: "OpenAgent", run: str, tool: str, arguments: Any) -> Any:
    """What a reading tool answers to a person's question: through the gate, as every call."""
    import json

    from ops_pipelines.agentops.tool_call import Waiting
    from ops_pipelines.core.errors import NotAllowed

    gate = agent.gate(run, agent.platform.clock.wall())
    gate.hear(json.dumps(arguments, ensure_ascii=False))
    answer = gate.call(tool, arguments, call_id="asked by a person")
    if isinstance(answer, Waiting):
        raise NotAllowed(f"{tool} waits for an approval", expected="a tool that only looks", action="Give its result")
    return answer.to_json()


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
