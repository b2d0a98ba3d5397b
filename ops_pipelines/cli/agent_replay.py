"""`ops agent replay`: a run again from its recording, with sockets and processes refused."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.agent_names import RunId, recording_named
from ops_pipelines.cli.agent_step_words import numbers_of
from ops_pipelines.cli.agent_words import exact, short_json
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.replay import Replayed
    from ops_pipelines.agentops.run_log import Recording


def replay_run(
    run: RunId,
    installed: Annotated[
        bool, typer.Option("--installed", help="With the code as it is here now, and not as it was released.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Whether the program does exactly the same again, with nothing outside touched. Exit 1 where it does not.

    A run that has not ended is replayed as far as it came.
    """
    from ops_pipelines.adapters.agents import agent_of_run
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.replay import ReplayDiverged

    platform = Platform.embedded()
    recording = recording_named(platform, run)
    try:
        found = (
            _by_what_is_installed(platform, recording)
            if installed
            else _record(recording, agent_of_run(platform, recording).replay(recording.run))
        )
    except ReplayDiverged as diverged:
        found = _as_far(agent_of_run(platform, recording), recording, diverged)
    if as_json:
        show([found], as_json=True)
    else:
        print("\n".join(_words(found)))
    if not found["identical"]:
        raise typer.Exit(REFUSED)


def _by_what_is_installed(platform: "Platform", recording: "Recording") -> dict[str, Any]:
    from ops_pipelines.adapters.installed_agent import replayed_by_what_is_installed

    found = replayed_by_what_is_installed(platform, recording)
    parted = found.divergence
    why = {"at": parted.at, "cause": parted.cause} if parted else {}
    return {"run": recording.run, "identical": found.same, "code": "installed", "why": found.words, **why}


def _record(recording: "Recording", replayed: "Replayed") -> dict[str, Any]:
    from ops_pipelines.agentops.run_state import WAITING

    result = str(replayed.result) if isinstance(replayed.result, Exception) else replayed.result
    ended = not (isinstance(result, dict) and result.get("state") == WAITING)
    found = {"run": recording.run, "identical": replayed.identical, "ended": ended, "steps": len(replayed.steps)}
    why = {} if replayed.identical else {"why": _difference(recording, replayed)}
    return {**found, "digest": replayed.digest, "recorded": replayed.recorded, "result": result, **why}


def _as_far(agent: "OpenAgent", recording: "Recording", diverged: Any) -> dict[str, Any]:
    """The replay of a run that asked for what was not recorded: that is no difference where the recording ends there."""
    from ops_pipelines.agentops.replay import ReplayDiverged, digest_run, played_in
    from ops_pipelines.agentops.run_state import has_ended

    taken = []
    try:
        for step in agent.stepped(recording.run):
            taken.append(step)
    except ReplayDiverged:
        pass
    played = played_in(recording)
    ended = has_ended(recording)
    same = not ended and digest_run(taken) == digest_run(played)
    found = {"run": recording.run, "identical": same, "ended": ended, "steps": len(taken)}
    digests = {"digest": digest_run(taken), "recorded": digest_run(played)}
    return {**found, **digests, "why": diverged.wrong}


def _words(found: dict[str, Any]) -> list[str]:
    run = found["run"][:12]
    if not found["identical"]:
        return [f"{run} does not replay as it was recorded: {exact(found['why'])}"]
    if "code" in found:
        return [f"{run} takes the same turns with the code that is installed"]
    lines = [f"{run} replays identically: {found['steps']} steps, digest {found['digest'][:12]}"]
    came = (
        f"it came to {short_json(found.get('result'), 500)}"
        if found["ended"]
        else "as far as it came: it has not ended"
    )
    return [*lines, f"  {came}"]


def _difference(recording: "Recording", replayed: "Replayed") -> str:
    """The first step that was recorded and did not come again as it was."""
    from ops_pipelines.agentops.replay import digest_run, played_in

    again = {step.id: step for step in replayed.steps}
    numbers = numbers_of(recording)
    for step in played_in(recording):
        other = again.get(step.id)
        if other is None or digest_run([step]) != digest_run([other]):
            what = "is not taken any more" if other is None else "comes to something else"
            return f"step {numbers[step.id]}, {step.kind} {step.name!r}, {what}"
    return "it takes steps that were not recorded"
