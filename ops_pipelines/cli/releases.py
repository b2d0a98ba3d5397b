"""`ops releases`: every release of a system, which one is live, and whether it came in through its gate."""

from typing import TYPE_CHECKING, Any

import typer

from ops_pipelines.cli.output import AsJson, show
from ops_pipelines.cli.pointer import Environment, System

if TYPE_CHECKING:
    from ops_pipelines.core.verdict import Verdict

app = typer.Typer()


@app.callback()
def _family() -> None:
    pass


@app.command("releases")
def list_releases(system: System, environment: Environment = "production", as_json: AsJson = False) -> None:
    """Every release of a system, its gate's verdict with the reasons, and which one is live. Exit 2 for no known system."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.cli.known_system import check_known
    from ops_pipelines.core.pointer import check_chain, forced, live_move

    platform = Platform.embedded()
    history = platform.releases.history(system, platform.project.checked_environment(environment))
    check_chain(history)
    if not history:
        check_known(platform, system)
    live, health = live_move(history), forced(history, platform.clock.wall())
    known = platform.releases.releases(system)
    rows = [_row(release, live.release if live else None, health) for release in known]
    if not as_json:
        rows = _without_what_none_has(rows)
    show(rows, title=f"releases of {system} in {environment}", as_json=as_json)


def _without_what_none_has(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without the columns of models where these are of something else."""
    of_models = [name for name in ("version", "loss") if not any(row[name] for row in rows)]
    return [{name: value for name, value in row.items() if name not in of_models} for row in rows]


def _row(release: Any, live: str | None, health: "Verdict") -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short
    from ops_pipelines.core.verdict import name_of, reasons_of

    evidence = release.latest
    name = evidence.facts.get("loss_name", "log_loss")
    loss = evidence.facts.get("metrics", {}).get(name)
    return {
        "release": short(release.digest),
        "live": _live(health) if release.digest == live else "",
        "knows until": f"{evidence.cut_off:%Y-%m-%d}",
        "version": evidence.facts.get("model_version", ""),
        "loss": "" if loss is None else f"{name.replace('_', ' ')} {loss:.4f}",
        "gate": name_of(evidence.verdict),
        "because": "; ".join(reasons_of(evidence.verdict)),
    }


def _live(health: "Verdict") -> str:
    """How the live release came to be so: `live`, or by whom it was forced, until when and why."""
    from ops_pipelines.core.verdict import reasons_of

    because = "; ".join(reasons_of(health)).removeprefix("not evaluated: ")
    return f"live, {because}" if because else "live"
