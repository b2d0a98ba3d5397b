"""`ops canary start|status|stop`: a release that answers a share of the requests beside the live one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.verdict import Verdict
    from ops_pipelines.mlops.canary import Canary, Ending

app = typer.Typer()
canary = typer.Typer(
    help="start, status or stop: a release that answers a share of the requests.",
    no_args_is_help=True,
    suggest_commands=False,
)
app.add_typer(canary, name="canary")
System = Annotated[str, typer.Argument(help="The release line, for instance flight_delay.")]


@app.callback()
def _family() -> None:
    pass


@canary.command("start")
def start(
    system: System,
    release: Annotated[str, typer.Argument(help="The first digits of the candidate's digest.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")],
    share: Annotated[
        float, typer.Option(help="The share of the keys that it answers, more than 0 and less than 1.")
    ] = 0.1,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let a release answer a share of the requests. Exit 1 where its gate refused it."""
    from ops_pipelines.adapters.canary_door import begin_canary, plan_canary
    from ops_pipelines.adapters.platform import Platform

    begin = plan_canary if dry_run else begin_canary
    begun = begin(Platform.embedded(), system, release, share=share, actor=actor(), reason=reason)
    show([_row(begun, "would run" if dry_run else "runs", as_json=as_json)], as_json=as_json)


@canary.command("status")
def status(system: System, as_json: AsJson = False) -> None:
    """The canary that runs with its last verdict, and those that ended, the latest first."""
    from ops_pipelines.adapters.canary_door import running_canary
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.known_system import check_known
    from ops_pipelines.core.pointer import PRODUCTION

    platform = Platform.embedded()
    check_known(platform, system)
    begun, counts = platform.canaries.running(system, PRODUCTION), running_canary(platform, system)
    rows = []
    if begun:
        state = "runs" if counts else "over: the pointer has moved"
        rows.append(_row(begun, state, verdict=_last_verdict(platform, begun), as_json=as_json))
    past = platform.canaries.past(system, PRODUCTION)
    rows += [_ended_row(canary, ending, as_json=as_json) for canary, ending in reversed(past)]
    show(rows, title=f"canaries of {system}", as_json=as_json)


@canary.command("stop")
def stop(
    system: System,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "stopped by hand",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take the canary back; the live release answers everybody within a second."""
    from ops_pipelines.adapters.canary_door import end_canary, the_running_canary
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.principal import CANARY

    platform = Platform.embedded()
    running = the_running_canary(platform, system)
    verdict = _last_verdict(platform, running)
    if dry_run:
        show([_row(running, "would end", verdict=verdict, as_json=as_json)], as_json=as_json)
        return
    who = platform.access.whoever_may(CANARY, system, running.environment, otherwise=actor())
    ending = end_canary(platform, running, actor=who, reason=reason, verdict=verdict)
    show([_ended_row(running, ending, as_json=as_json)], as_json=as_json)


def _last_verdict(platform: "Platform", running: "Canary") -> "Verdict":
    """How a canary was judged last; NotEvaluated where it was not judged yet."""
    from ops_pipelines.core.verdict import NotEvaluated
    from ops_pipelines.mlops.canary import CANARY

    key = f"{running.system}/canary"
    for week in reversed(platform.lake.partitions(key)):
        made = platform.lake.good(key, week)
        if made and made.facts.get("canary") == running.digest:
            return made.findings[CANARY]
    return NotEvaluated("it was not judged yet")


def _row(canary: "Canary", state: str, *, verdict: "Verdict | None" = None, as_json: bool) -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import verdict_to_json

    if as_json:
        return canary.to_json() | {"state": state} | ({"verdict": verdict_to_json(verdict)} if verdict else {})
    return {
        "candidate": short(canary.candidate),
        "beside": short(canary.champion),
        "share": f"{canary.share:.0%}",
        "state": state,
        "by": canary.actor,
        "because": canary.reason,
        "since": f"{canary.as_of:%Y-%m-%d %H:%M}",
        "judged": _words(verdict) if verdict else "",
    }


def _ended_row(canary: "Canary", ending: "Ending", *, as_json: bool) -> dict[str, Any]:
    if as_json:
        return _row(canary, "ended", as_json=True) | {"ended": ending.to_json()}
    told = f"ended by {ending.actor} at {ending.as_of:%Y-%m-%d %H:%M}: {ending.reason}"
    return _row(canary, told, verdict=ending.verdict, as_json=False)


def _words(verdict: "Verdict") -> str:
    from ops_pipelines.core.verdict import Blocked, name_of, reasons_of

    why = "; ".join(reasons_of(verdict))
    return f"blocked: {why}" if isinstance(verdict, Blocked) else why or name_of(verdict)
