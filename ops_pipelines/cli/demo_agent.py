"""The demo's chapter `agent`: an alarm wakes `oncall`, a person approves what it proposes, and what goes wrong is stopped.

It goes on where the year ended: the newer release is promoted again, somebody forces the older one in its place, and the
next week's outcomes raise an alarm. The principals of the chapter lie beside the home's own, which stays as open as it was;
the clock stays at the end of that week, since what was done then cannot be before it.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.cli.demo_acting import APPROVER, tell_acts, tell_again
from ops_pipelines.cli.demo_misled import tell_misled
from ops_pipelines.cli.demo_pages import APPROVALS, tell_pages
from ops_pipelines.cli.demo_people import people_of
from ops_pipelines.cli.demo_stage import Row, opened, quiet, row
from ops_pipelines.cli.demo_walk import AGENT, LOCATIONS, SYSTEM, YEAR, YEARS_LAST, Advance, Walker, key_of
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.principal import APPROVER as APPROVES
from ops_pipelines.core.principal import PROPOSER

if TYPE_CHECKING:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.agentops.alarms import Alarm

STEPS = 7
"""How many steps of the bar the chapter takes."""


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
    if alarm is None:
        return Told([*rows, row("oncall sleeps on", "the week raised no alarm that would wake it", "asset alarms")], [])
    rows += [_woken(platform, alarm), _people_told(platform)]
    run = _run_of(alarm)
    people = people_of(home, platform, **{AGENT: PROPOSER, APPROVER: APPROVES})
    advance("agent: approved, done once", 1)
    rows += tell_acts(people, run)
    advance("agent: replayed, forked with another policy", 1)
    rows += tell_again(people, run)
    advance("agent: one that loops, one that obeys a document", 1)
    rows += tell_misled(home, opened(platform), alarm)
    advance("agent: the day's runs are put on the pages of Dagster and MLflow", 1)
    rows += tell_pages(home, platform)
    return Told(rows, _next_steps(run))


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


def _alarmed(home: Path, platform: "Platform", advance: Advance) -> tuple[list[Row], "Alarm | None"]:
    """Oncall is released, an old release is forced in, a week goes by, and its alarm wakes oncall."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    week = _next_week(platform)
    with InProcessDaemon(home / "dagster", LOCATIONS) as daemon:
        walker = Walker(platform, daemon, lambda _what, _steps: None)
        advance("agent: oncall is put together, tried on its tasks, and released", 1)
        with quiet():
            walker.begin()
            rows = [_released(platform, daemon)]
        advance("agent: an old release is forced in, and a week goes by", 1)
        with quiet():
            rows.append(_forced(platform))
            walker.live_through(week)
        rows.append(_judged(platform, week))
        advance("agent: the alarm wakes oncall", 1)
        with quiet():
            daemon.tick_sensors(f"wake_{AGENT}")
            daemon.tick_sensors(APPROVALS)
    return rows, _first_alarm(platform, key_of(week))


def _released(platform: "Platform", daemon: "InProcessDaemon") -> Row:
    """What is live of oncall by the job that tries it on its tasks, and lets its gate decide."""
    daemon.run_job("agentops", f"evaluate_{AGENT}")
    live = opened(platform)
    rates = platform.lake.accepted(f"{AGENT}/evaluation").facts["summary"]["rates"]
    done = next(rate for rate in rates if rate["score"] == "success")
    uses = ", ".join(f"{name}@{short(digest)}" for name, digest in live.agent.uses.items())
    tried = f"{done['mean']:.0%} of its {done['tasks']} tasks done as they should be"
    said = f"{short(live.manifest.digest)} is live: {tried}; it uses {uses} and operates {SYSTEM}"
    return row("oncall is tried and released", said, f"ops releases {AGENT}")


def _forced(platform: "Platform") -> Row:
    """The release that the year took back is promoted again, and a person forces the one before over its gate."""
    from ops_pipelines.core.pointer import PRODUCTION

    was_live = {move.release for move in platform.releases.history(SYSTEM, PRODUCTION)}
    known = [release for release in platform.releases.releases(SYSTEM) if release.digest in was_live]
    older, *_, newer = (one.digest for one in sorted(known, key=lambda release: release.latest.cut_off))
    if platform.live(PRODUCTION, SYSTEM) != newer:
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


def _first_alarm(platform: "Platform", week: str) -> "Alarm | None":
    """The alarm of the week that woke oncall: that of the performance, where there is one; None where all was quiet."""
    from ops_pipelines.adapters.waking import run_of_alarm
    from ops_pipelines.agentops.alarms import Alarm

    inbox = platform.lake.good("alarms", week)
    alarms = [Alarm.from_json(record) for record in inbox.facts["alarms"]] if inbox else []
    woke = [alarm for alarm in alarms if platform.runs.steps(run_of_alarm(alarm, agent=AGENT))]
    return min(woke, key=lambda alarm: alarm.finding != "performance", default=None)


def _woken(platform: "Platform", alarm: "Alarm") -> Row:
    run = _run_of(alarm)
    used = [step.name for step in platform.runs.steps(run) if step.kind == "tool"]
    return row(
        f"the alarm {alarm.key} wakes oncall", f"it reads and asks: {', '.join(used)}", f"ops agent show {run[:12]}"
    )


def _people_told(platform: "Platform") -> Row:
    told = platform.lake.good(APPROVALS)
    return row(
        "people are told, once each", f"{len(told.facts['told']) if told else 0} wait for them", "asset approvals"
    )


def _run_of(alarm: "Alarm") -> str:
    from ops_pipelines.adapters.waking import run_of_alarm

    return run_of_alarm(alarm, agent=AGENT)


def _next_steps(run: str) -> list[tuple[str, str]]:
    return [
        (f".venv/bin/ops agent show {run[:12]}", "what oncall read, asked, and did"),
        (f".venv/bin/ops why {run}", "from what it did back to its release, data and commit"),
        (".venv/bin/ops agent approvals --all", "what was asked for, by whom, and who said what"),
        (f".venv/bin/ops agent step {run[:12]}", "through the run, step by step"),
    ]
