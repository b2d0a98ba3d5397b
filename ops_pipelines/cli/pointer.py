"""`ops promote`, `ops rollback`, `ops releases`: which release is live, and moving it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

app = typer.Typer()
System = Annotated[str, typer.Argument(help="The release line, for instance flight_delay.")]


@app.callback()
def _family() -> None:
    pass


@app.command("promote")
def promote_release(
    system: System,
    release: Annotated[str, typer.Argument(help="The first digits of the release's digest.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "promoted by hand",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a release live, through its gate. Exit 1 where the gate says no."""
    platform = _platform_with(system)
    if not dry_run:
        _answer(platform.promote(system, release, actor=actor(), reason=reason), as_json)
        return
    from ops_pipelines.core.pointer import promote
    from ops_pipelines.core.release import find_release

    found = find_release(platform.releases, system, release)
    rehearsed = _Rehearsal(platform.releases)
    move = promote(
        rehearsed, found, platform.decision(actor(), reason), resolves=platform.resolves, preflight=platform.works_here
    )
    _show_rehearsed(move, as_json)


@app.command("rollback")
def roll_release_back(
    system: System,
    to: Annotated[str | None, typer.Option(help="A release that was live before; the last one without it.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "rolled back by hand",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put an earlier release back: no training, no deployment."""
    platform = _platform_with(system)
    if not dry_run:
        _answer(platform.roll_back(system, to, actor=actor(), reason=reason), as_json)
        return
    from ops_pipelines.core.pointer import roll_back

    rehearsed = _Rehearsal(platform.releases)
    move = roll_back(
        rehearsed,
        system,
        platform.decision(actor(), reason),
        to=to,
        resolves=platform.resolves,
        preflight=platform.still_answers,
    )
    _show_rehearsed(move, as_json)


@app.command("releases")
def list_releases(system: System, as_json: AsJson = False) -> None:
    """Every release of a system, its gate's verdict with the reasons, and which one is live."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import near_miss
    from ops_pipelines.core.pointer import PRODUCTION, check_chain, live_move

    platform = Platform.embedded()
    history = platform.releases.history(system, PRODUCTION)
    check_chain(history)
    live = live_move(history)
    rows = [_row(release, live.release if live else None) for release in platform.releases.releases(system)]
    show(rows, title=f"releases of {system}", as_json=as_json)
    if not rows and platform.systems():
        print(near_miss(system, platform.systems()), file=sys.stderr)


def _platform_with(system: str) -> "Platform":
    """The platform; ConfigError with the nearest system where this one has no release."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import ConfigError, near_miss

    platform = Platform.embedded()
    if not platform.releases.releases(system):
        raise ConfigError(
            f"{system!r} has no release",
            expected="a system that was trained",
            action=near_miss(system, platform.systems()),
        )
    return platform


class _Rehearsal:
    """A release store that is read and never written, so that a move meets every rule and changes nothing."""

    def __init__(self, store: Any) -> None:
        self.save = self.append = lambda *_: None
        self.releases, self.history = store.releases, store.history


def _show_rehearsed(move: Any, as_json: bool) -> None:
    from ops_pipelines.core.fingerprint import short

    row = {"would be live": short(move.release), "by": move.action} if move else {"live": "it is live already"}
    show([row], as_json=as_json)


def _row(release: Any, live: str | None) -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import name_of, reasons_of

    evidence = release.latest
    name = evidence.facts.get("loss_name", "log_loss")
    loss = evidence.facts.get("metrics", {}).get(name)
    return {
        "release": short(release.digest),
        "live": "live" if release.digest == live else "",
        "knows until": f"{evidence.cut_off:%Y-%m-%d}",
        "version": evidence.facts.get("model_version", ""),
        "loss": "" if loss is None else f"{name.replace('_', ' ')} {loss:.4f}",
        "gate": name_of(evidence.verdict),
        "because": "; ".join(reasons_of(evidence.verdict)),
    }


def _answer(shipped: Any, as_json: bool) -> None:
    from ops_pipelines.core.fingerprint import short

    move = shipped.move
    if move is None:
        show([{"live": "it was live already"}], as_json=as_json)
        return
    show(
        [{"live": short(move.release), "by": move.actor, "because": move.reason, "as of": move.as_of, "at": move.at}],
        as_json=as_json,
    )
    if shipped.mirror_problem:
        typer.echo(f"MLflow's alias did not follow: {shipped.mirror_problem}", err=True)
