"""Replay and fork from Dagster's launchpad: the same functions that `ops agent replay` and `ops agent fork` call."""

import uuid
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.agents import agent_of_run, recording_in, writer_of
from ops_pipelines.adapters.fork_edits import REQUEST, RESULT, SET, edit_of
from ops_pipelines.adapters.nothing_live import nothing_live
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.recorded_runs import PORTABLE
from ops_pipelines.agentops.divergence import first_divergence
from ops_pipelines.agentops.payload import plain
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.recorded_run import portable
from ops_pipelines.agentops.regression import Regressed, regress
from ops_pipelines.agentops.replay import digest_run, played_in
from ops_pipelines.agentops.run_named import run_named
from ops_pipelines.agentops.run_state import FAILED, has_ended, state_of
from ops_pipelines.core.errors import ConfigError


class ReplayConfig(dg.Config):
    """Which run, by the first digits of its id."""

    run: str


class ForkConfig(dg.Config):
    """Which run, and how many of its steps stay as they were.

    `result` is what the next step comes to instead, and `request` what it is asked instead, each as a JSON value under
    `value`; `set` replaces parts of its request by their paths. Without any of them nothing is edited. `policy` is one to
    go on with: Cedar texts by name.
    """

    run: str
    at: int
    result: dict[str, Any] | None = Field(default=None)
    request: dict[str, Any] | None = Field(default=None)
    set: dict[str, Any] | None = Field(default=None)
    policy: dict[str, str] | None = Field(default=None)


def run_jobs() -> list[dg.JobDefinition]:
    """The jobs `replay_run` and `fork_run`."""

    @dg.op(name="replay_a_run")
    def replay(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: ReplayConfig) -> None:
        found, metadata = replay_of(platform, config.run)
        if not found.same:
            raise dg.Failure(found.words, metadata=metadata, allow_retries=False)
        context.add_output_metadata(metadata)

    @dg.op(name="fork_a_run")
    def fork(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: ForkConfig) -> None:
        shown = fork_of(platform, config)
        if shown["state"] == FAILED:
            raise dg.Failure(f"the fork {shown['run']} failed", metadata=shown, allow_retries=False)
        context.add_output_metadata(shown)

    @dg.job(name="replay_run", description="A run of an agent again from its recording: nothing outside is touched.")
    def replay_run() -> None:
        replay()

    @dg.job(name="fork_run", description="A run of an agent up to a step, another result there, and live from then on.")
    def fork_run() -> None:
        fork()

    return [replay_run, fork_run]


def replay_of(platform: Platform, digits: str) -> tuple[Regressed, dict[str, Any]]:
    """A run beside its replay by its own release, and what is shown of it."""
    run = run_named(platform.runs, digits)
    recording = recording_in(platform, run)
    agent = agent_of_run(platform, recording)
    program, ours = agent.conductor().replayed(), portable(recording)
    with nothing_live():
        found = regress(ours, program, writer=PORTABLE, release=agent.manifest.digest, as_far=not has_ended(recording))
    return found, {
        "run": run,
        "state": state_of(recording.steps, platform.clock.wall()),
        "release": agent.manifest.digest,
        "steps": len(played_in(recording)),
        "digest": digest_run(played_in(recording)),
        "identical": found.same,
        "divergence": found.words or "none",
    }


def fork_of(platform: Platform, config: ForkConfig) -> dict[str, Any]:
    """What is shown of a fork: its run, what it came to, and where it parts from its parent and why."""
    run = run_named(platform.runs, config.run)
    recording = recording_in(platform, run)
    agent = agent_of_run(platform, recording)
    new = uuid.uuid4().hex
    policy = Policy(config.policy) if config.policy else None
    edit = edit_of(agent, recording, config.at, _wanted(config), run=new, policy=policy)
    forked = agent.fork(run, at=config.at, edit=edit, policy=policy, id=new)
    parted = first_divergence(recording, agent.recording(forked.run))
    return {
        "run": forked.run,
        "of": run,
        "state": str(forked.result["state"]) if isinstance(forked.result, dict) else FAILED,
        "digest": digest_run(forked.steps),
        "steps": len(forked.steps),
        "of these the parent's": forked.prefix,
        "effects of the parent not repeated": len(forked.repeated),
        "result": dg.MetadataValue.json(writer_of(platform).redactor.value(plain(_shown(forked.result)))),
        "divergence": parted.sentence if parted else "none",
    }


def _wanted(config: ForkConfig) -> dict[str, Any]:
    told = {RESULT: config.result, REQUEST: config.request}
    wanted = {name: _value_of(name, given) for name, given in told.items() if given is not None}
    return {**wanted, SET: config.set} if config.set else wanted


def _value_of(name: str, given: dict[str, Any]) -> Any:
    if given.keys() == {"value"}:
        return given["value"]
    raise ConfigError(
        f"The {name} of the step is given under {', '.join(sorted(given)) or 'nothing'}",
        expected="a JSON value under `value`, and nothing beside it",
        action='Write it as {"value": ...}',
    )


def _shown(result: Any) -> dict[str, Any]:
    return dict(result) if isinstance(result, dict) else {"result": str(result)}
