"""What the chapter `agent` tells of a run that waits: who may say yes, that it acts once, and what it might do else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.demo_people import People
from ops_pipelines.cli.demo_stage import Row, opened, quiet, row
from ops_pipelines.cli.demo_walk import AGENT, SYSTEM
from ops_pipelines.core.fingerprint import short

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.fork import Forked, NewResult
    from ops_pipelines.agentops.policy import Policy
    from ops_pipelines.agentops.run_log import Recording

APPROVER = "ben"
NO_TRAINING = """
@id("nothing is trained while the auditors are here") forbid(principal, action, resource == Tool::"retrain");
"""
_PLACE_OF_HISTORY = 3
"""The step of a run at which oncall reads the history; the ones before begin it, remember, and read the report."""


def tell_acts(people: People, run: str) -> Iterator[Row]:
    """What is asked for, refused to the agent itself, approved by a person, and done by one of two who come at once."""
    from ops_pipelines.agentops.run_state import waits_of

    platform = people.platform
    agent = opened(platform)
    waits = waits_of(agent.recording(run))[-1]
    (held,) = platform.approvals.held(waits["approval"])
    asked = f"{waits['tool']} {held.request.binding.arguments}"
    yield row(
        "oncall proposes, and waits",
        f"{asked}; a yes counts until {held.request.expires_at:%H:%M} UTC",
        "ops agent approvals",
    )
    yield row("oncall approves it itself", _answered(people, held.request.id, AGENT), "ops agent approvals --all")
    yield row(f"{APPROVER} approves it", _answered(people, held.request.id, APPROVER), "ops audit list")
    said = _resumed_twice(people, run)
    yield row("two resume it at once", f"{said}; {_rollbacks(platform, run)}", f"ops releases {SYSTEM}")
    yield from _came_late(people)


def _came_late(people: People) -> Iterator[Row]:
    """A run that another alarm of the week woke asked for the same: its yes comes when something else is live."""
    from ops_pipelines.agentops.approval import PENDING

    platform = people.platform
    for held in platform.approvals.held():
        if held.state(platform.clock.wall()) != PENDING or held.request.requester != AGENT:
            continue
        _answered(people, held.request.id, APPROVER)
        late = held.request.binding.run
        with people.acting_as(AGENT), quiet():
            ended = opened(platform).resume(late)
        why = str(ended.result["why"]).partition(". Because")[0]
        yield row("another alarm's run asked for the same", f"approved, too: {why}", f"ops agent show {late[:12]}")


def _answered(people: People, approval: str, who: str) -> str:
    """What comes of somebody's yes."""
    from ops_pipelines.adapters.approvals import answer_approval
    from ops_pipelines.core.errors import NotAllowed

    with people.acting_as(who):
        try:
            answered = answer_approval(people.platform, approval, granted=True, otherwise=who)
        except NotAllowed as error:
            return f"refused: {error.wrong}"
    reasons = "; ".join(answered.to_json()["reasons"])
    return "it counts" if answered.counts else f"refused: {reasons}"


def _resumed_twice(people: People, run: str) -> str:
    from ops_pipelines.core.errors import OpsError

    agent = opened(people.platform)

    def resume(_: int) -> str:
        try:
            return str(agent.resume(run).state)
        except OpsError as error:
            return f"refused ({error.wrong})"

    with people.acting_as(AGENT), quiet(), ThreadPoolExecutor(2) as pool:
        return " and ".join(sorted(pool.map(resume, range(2))))


def _rollbacks(platform: "Platform", run: str) -> str:
    from ops_pipelines.agentops.run_state import waits_of
    from ops_pipelines.core.pointer import PRODUCTION, ROLLBACK

    asked = waits_of(opened(platform).recording(run))[-1]["arguments"]
    moves = [
        move
        for move in platform.releases.history(SYSTEM, PRODUCTION)
        if move.action == ROLLBACK and move.reason == asked["reason"]
    ]
    by = ", ".join(sorted({move.actor for move in moves})) or "nobody"
    live = short(platform.live(PRODUCTION, SYSTEM) or "")
    return f"{len(moves)} rollback in the history, by {by!r}; {live} is live"


def tell_again(people: People, run: str) -> Iterator[Row]:
    """The run replayed, and forked at its history: had nothing gone live lately, under its own policy and another."""
    agent = opened(people.platform)
    recording = agent.recording(run)
    replayed = agent.replay(run)
    same = "identical" if replayed.identical else "NOT IDENTICAL"
    told = f"{same}, {len(recording.steps)} steps, with sockets and processes refused"
    yield row("the run is replayed", told, f"ops agent replay {run[:12]}")
    with people.acting_as(AGENT), quiet():
        for words, policy in (("its own policy", None), ("a policy that lets nothing be trained", _stricter(agent))):
            forked = agent.fork(run, at=_PLACE_OF_HISTORY, edit=_live_for_long(recording), policy=policy)
            what = f"forked, had nothing gone live lately; {words}"
            yield row(what, _came_to(forked), f"ops agent diff {run[:12]} {forked.run[:12]}")


def _came_to(forked: "Forked") -> str:
    """What a fork did otherwise, which nobody has approved."""
    denied = [f"{step.name} {step.decision}" for step in forked.steps if step.was_denied]
    waits = forked.result.get("waits", {})
    waiting = [f"{waits['tool']} waits for a person"] if waits else [f"it is {forked.result['state']}"]
    return "; ".join([f"{forked.prefix} steps as recorded", *denied, *waiting])


def _live_for_long(recording: "Recording") -> "NewResult":
    """The history that a run read, as if what was live had been the first release there, and nothing had moved since."""
    from ops_pipelines.agentops.fork import NewResult

    step = next(step for step in recording.steps if step.name == "model_history")
    told: Any = recording.value(step.outputs)
    history = told["result"]
    return NewResult({**told, "result": {**history, "moves": history["moves"][:1]}})


def _stricter(agent: "OpenAgent") -> "Policy":
    from ops_pipelines.agentops.policy import Policy

    own = agent.agent.policy
    return Policy({**own.texts, "audit.cedar": NO_TRAINING}, own.freezes)
