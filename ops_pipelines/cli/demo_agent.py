"""The demo's chapter `agent`: an alarm wakes `oncall`, a person approves what it proposes, and what goes wrong is stopped.

It goes on where the year ended: the newer release is promoted again, somebody forces the older one in its place, and the
next week's outcomes raise an alarm. The principals of the chapter lie beside the home's own, which stays as open as it was;
the clock stays at the end of that week, since what was done then cannot be before it.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.cli.demo_misled import tell_misled
from ops_pipelines.cli.demo_people import People, people_of
from ops_pipelines.cli.demo_walk import AGENT, LOCATIONS, SYSTEM, YEAR, YEARS_LAST, Advance, Walker, key_of
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.principal import APPROVER as APPROVES
from ops_pipelines.core.principal import PROPOSER

if TYPE_CHECKING:
    from ops_pipelines.adapters.agents import OpenAgent
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.alarms import Alarm
    from ops_pipelines.agentops.fork import Forked, NewResult
    from ops_pipelines.agentops.policy import Policy
    from ops_pipelines.agentops.run_log import Recording

APPROVER = "ben"
STEPS = 6
"""How many steps of the bar the chapter takes."""
NO_TRAINING = """
@id("nothing is trained while the auditors are here") forbid(principal, action, resource == Tool::"retrain");
"""
_PLACE_OF_HISTORY = 3
"""The step of a run at which oncall reads the history; the ones before begin it, remember, and read the report."""
Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """The chapter's rows, and what to type next."""

    rows: list[Row]
    next_steps: list[tuple[str, str]]


def tell_agent(home: Path, advance: Advance) -> Told:
    """The chapter; one row where the home has no year behind it, or no week left."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    why = _not_now(platform)
    if why:
        return Told([row("oncall is not woken", why, "ops demo")], [])
    rows, alarm = _alarmed(home, platform, advance)
    run = _run_of(alarm)
    people = people_of(home, platform, **{AGENT: PROPOSER, APPROVER: APPROVES})
    advance("agent: approved, done once", 1)
    rows += _acted(people, run)
    advance("agent: replayed, forked with another policy", 1)
    rows += _again(people, run)
    advance("agent: one that loops, one that obeys a document", 1)
    rows += tell_misled(home, _opened(platform), alarm)
    return Told(rows, _next_steps(run))


def row(what: str, outcome: str, where: str) -> Row:
    """One row of the chapter."""
    return {"what": what, "outcome": outcome, "where to look": where}


def _not_now(platform: "Platform") -> str:
    """Why the chapter cannot be told here; empty where it can."""
    from ops_pipelines.core.pointer import PRODUCTION

    if len({move.release for move in platform.releases.history(SYSTEM, PRODUCTION)}) < 2:
        return f"{SYSTEM} has no two releases here that were live: the chapter `year` comes first"
    if _next_week(platform) > YEARS_LAST:
        return "the year is over, and no week is left in which an alarm could be raised"
    return ""


def _next_week(platform: "Platform") -> int:
    return (platform.clock.as_of() - YEAR) // timedelta(weeks=1)


def _alarmed(home: Path, platform: "Platform", advance: Advance) -> tuple[list[Row], "Alarm"]:
    """Oncall is released, an old release is forced in, a week goes by, and its alarm wakes oncall."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    with InProcessDaemon(home / "dagster", LOCATIONS) as daemon, _quiet():
        walker = Walker(platform, daemon, lambda _what, _steps: None)
        advance("agent: oncall is put together, tried on its tasks, and released", 1)
        walker.begin()
        rows = [_released(platform, daemon)]
        advance("agent: an old release is forced in, and a week goes by", 1)
        rows.append(_forced(platform))
        week = _next_week(platform)
        walker.live_through(week)
        rows.append(_judged(platform, week))
        advance("agent: the alarm wakes oncall", 1)
        daemon.tick_sensors(f"wake_{AGENT}")
    alarm = _first_alarm(platform, key_of(week))
    return [*rows, _woken(platform, alarm)], alarm


def _released(platform: "Platform", daemon: "InProcessDaemon") -> Row:
    """What is live of oncall by the job that tries it on its tasks, and lets its gate decide."""
    daemon.run_job("agentops", f"evaluate_{AGENT}")
    live = _opened(platform)
    rates = platform.lake.accepted(f"{AGENT}/evaluation").facts["summary"]["rates"]
    done = next(rate for rate in rates if rate["score"] == "success")
    uses = ", ".join(f"{name}@{short(digest)}" for name, digest in live.agent.uses.items())
    tried = f"{done['mean']:.0%} of its {done['tasks']} tasks done as they should be"
    said = f"{short(live.manifest.digest)} is live: {tried}; it uses {uses} and operates {SYSTEM}"
    return row("oncall is tried and released", said, f"ops releases {AGENT}")


def _forced(platform: "Platform") -> Row:
    """The release that the year took back is promoted again, and a person forces the one before over its gate."""
    from ops_pipelines.core.pointer import PRODUCTION

    history = platform.releases.history(SYSTEM, PRODUCTION)
    older = history[-1].release
    newer = next(move.release for move in reversed(history) if move.release != older)
    platform.promote(SYSTEM, newer, actor="the demo", reason="it was taken back to show a rollback")
    lasting, reason = timedelta(hours=24), "it felt calmer"
    platform.override(SYSTEM, older, actor="the demo", reason=reason, lasting=lasting)
    return row(f"somebody forces {short(older)} over {short(newer)}", f"because {reason!r}", f"ops releases {SYSTEM}")


def _judged(platform: "Platform", week: int) -> Row:
    judged = platform.lake.accepted(f"{SYSTEM}/performance", key_of(week))
    known, before = judged.findings["performance"].evidence, judged.facts["before"]
    said = f"log loss {known['loss']:.3f}, limit {known['limits']['loss']:.3f}"
    beside = f"; {short(before['release'])} would have had {before['loss']:.3f}" if before.get("loss") else ""
    return row(f"week {week} goes by", f"{said}{beside}", f"ops drift show {SYSTEM} {key_of(week)}")


def _first_alarm(platform: "Platform", week: str) -> "Alarm":
    """The alarm of the week that woke oncall: that of the performance, where there is one."""
    from ops_pipelines.adapters.waking import run_of
    from ops_pipelines.agentops.alarms import Alarm
    from ops_pipelines.core.errors import DataError

    inbox = [Alarm.from_json(record) for record in platform.lake.accepted("alarms", week).facts["alarms"]]
    woke = [alarm for alarm in inbox if platform.runs.steps(run_of(alarm, agent=AGENT))]
    if not woke:
        raise DataError(
            f"No alarm of {week} has woken {AGENT}",
            expected="a week in which the forced release loses",
            action="Run the whole demo again, in a fresh home",
        )
    return min(woke, key=lambda alarm: alarm.finding != "performance")


def _woken(platform: "Platform", alarm: "Alarm") -> Row:
    run = _run_of(alarm)
    used = [step.name for step in platform.runs.steps(run) if step.kind == "tool"]
    return row(
        f"the alarm {alarm.key} wakes oncall", f"it reads and asks: {', '.join(used)}", f"ops agent show {run[:12]}"
    )


def _run_of(alarm: "Alarm") -> str:
    from ops_pipelines.adapters.waking import run_of

    return run_of(alarm, agent=AGENT)


def _acted(people: People, run: str) -> Iterator[Row]:
    """What is asked for, refused to the agent itself, approved by a person, and done by one of two who come at once."""
    from ops_pipelines.agentops.conduct import waits_of

    platform = people.platform
    agent = _opened(platform)
    waits = waits_of(agent.recording(run))[-1]
    (held,) = platform.approvals.held(waits["approval"])
    asked = f"{waits['tool']} {held.request.binding.arguments}"
    yield row(
        "oncall proposes, and waits",
        f"{asked}; a yes counts until {held.request.expires_at:%H:%M} UTC",
        "ops agent approvals",
    )
    yield row("oncall approves it itself", _answered(people, held.request.id, AGENT), "ops agent approvals --all")
    yield row(f"{APPROVER} approves it", _answered(people, held.request.id, APPROVER), "ops audit")
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
        with people.acting_as(AGENT), _quiet():
            ended = _opened(platform).resume(late)
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

    agent = _opened(people.platform)

    def resume(_: int) -> str:
        try:
            return str(agent.resume(run).state)
        except OpsError as error:
            return f"refused ({error.wrong})"

    with people.acting_as(AGENT), _quiet(), ThreadPoolExecutor(2) as pool:
        return " and ".join(sorted(pool.map(resume, range(2))))


def _rollbacks(platform: "Platform", run: str) -> str:
    from ops_pipelines.agentops.conduct import waits_of
    from ops_pipelines.core.pointer import PRODUCTION, ROLLBACK

    asked = waits_of(_opened(platform).recording(run))[-1]["arguments"]
    moves = [
        move
        for move in platform.releases.history(SYSTEM, PRODUCTION)
        if move.action == ROLLBACK and move.reason == asked["reason"]
    ]
    by = ", ".join(sorted({move.actor for move in moves})) or "nobody"
    live = short(platform.live(PRODUCTION, SYSTEM) or "")
    return f"{len(moves)} rollback in the history, by {by!r}; {live} is live"


def _again(people: People, run: str) -> Iterator[Row]:
    """The run replayed, and forked at its history: had nothing gone live lately, under its own policy and another."""
    agent = _opened(people.platform)
    recording = agent.recording(run)
    replayed = agent.replay(run)
    same = "identical" if replayed.identical else "NOT IDENTICAL"
    told = f"{same}, {len(recording.steps)} steps, with sockets and processes refused"
    yield row("the run is replayed", told, f"ops agent replay {run[:12]}")
    with people.acting_as(AGENT), _quiet():
        for words, policy in (("its own policy", None), ("a policy that lets nothing be trained", _stricter(agent))):
            forked = agent.fork(run, at=_PLACE_OF_HISTORY, edit=_live_for_long(recording), policy=policy)
            what = f"forked, had nothing gone live lately; {words}"
            yield row(what, _came_to(forked), f"ops agent diff {run[:12]} {forked.run[:12]}")


def _came_to(forked: "Forked") -> str:
    """What a fork did otherwise, which nobody has approved."""
    denied = [f"{step.name} {step.decision}" for step in forked.steps if step.decision.startswith("denied")]
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


def _opened(platform: "Platform") -> "OpenAgent":
    from ops_pipelines.adapters.agents import live_agent

    return live_agent(platform, AGENT)


@contextmanager
def _quiet() -> Iterator[None]:
    """What people are told on standard output is no row of the demo."""
    with redirect_stdout(StringIO()):
        yield


def _next_steps(run: str) -> list[tuple[str, str]]:
    return [
        (f".venv/bin/ops agent show {run[:12]}", "what oncall read, asked, and did"),
        (f".venv/bin/ops why {run}", "from what it did back to its release, data and commit"),
        (".venv/bin/ops agent approvals --all", "what was asked for, by whom, and who said what"),
        (f".venv/bin/ops agent step {run[:12]}", "through the run, step by step"),
    ]
