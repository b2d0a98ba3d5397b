"""`ops promote`, `ops rollback`, `ops releases`: which release is live, and moving it."""

import getpass
from typing import Annotated, Any

import typer

from ops_pipelines.cli.output import AsJson, DryRun, show

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
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.release import PRODUCTION, find_release, gate_of, live_move
    from ops_pipelines.core.verdict import name_of, reasons_of

    platform = Platform.embedded()
    if dry_run:
        live = live_move(platform.releases.history(system, PRODUCTION))
        verdict = gate_of(find_release(platform.releases, system, release), baseline=live.release if live else None)
        show([{"would be": name_of(verdict), "because": "; ".join(reasons_of(verdict))}], as_json=as_json)
        return
    _answer(platform.promote(system, release, actor=getpass.getuser(), reason=reason), as_json)


@app.command("rollback")
def roll_release_back(
    system: System,
    to: Annotated[str | None, typer.Option(help="A release that was live before; the last one without it.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "rolled back by hand",
    as_json: AsJson = False,
) -> None:
    """Put an earlier release back: no training, no deployment."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    _answer(platform.roll_back(system, to, actor=getpass.getuser(), reason=reason), as_json)


@app.command("releases")
def list_releases(system: System, as_json: AsJson = False) -> None:
    """Every release of a system, its gate's verdict with the reasons, and which one is live."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.release import PRODUCTION, check_chain, live_move

    store = Platform.embedded().releases
    history = store.history(system, PRODUCTION)
    check_chain(history)
    live = live_move(history)
    rows = [_row(release, live.release if live else None) for release in store.releases(system)]
    show(rows, title=f"releases of {system}", as_json=as_json)


def _row(release: Any, live: str | None) -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import name_of, reasons_of

    evidence = release.latest
    return {
        "release": short(release.digest),
        "live": "live" if release.digest == live else "",
        "knows until": f"{evidence.cut_off:%Y-%m-%d}",
        "version": evidence.facts.get("model_version", ""),
        "log loss": f"{evidence.facts.get('metrics', {}).get('log_loss', float('nan')):.4f}",
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
