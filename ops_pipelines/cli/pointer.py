"""`ops promote` and `ops rollback`: moving the pointer that says which release is live."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform, Shipped

app = typer.Typer()
System = Annotated[str, typer.Argument(help="The release line, for instance flight_delay.")]
Environment = Annotated[str, typer.Option(help="Where: production, or staging where the project has it.")]


@dataclass(frozen=True, slots=True)
class _Wish:
    """Which release is to be live where, why, and for how many hours without its gate (None: through it)."""

    system: str
    release: str
    environment: str
    reason: str | None
    hours: int | None


@app.callback()
def _family() -> None:
    pass


@app.command("promote")
def promote_release(  # noqa: PLR0913 a verb's options are its arguments
    system: System,
    release: Annotated[str | None, typer.Argument(help="The first digits of the release's digest.")] = None,
    *,
    from_: Annotated[
        str | None, typer.Option("--from", help="Instead of digits: what is live there, for instance staging.")
    ] = None,
    environment: Environment = "production",
    reason: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Break-glass: without its gate. Needs a reason.")] = False,
    hours: Annotated[int | None, typer.Option(help="With --force: for how long, at most 168; 24 without it.")] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Make a release live, through its gate. Exit 1 where the gate says no, or where the token in OPS_TOKEN may not."""
    platform = _platform_with(system, dry_run)
    wanted = _release_to_promote(platform, system, release, from_)
    shipped = _shipped(platform, _Wish(system, wanted, environment, reason, _hours(force, hours)))
    _answer(shipped, dry_run, as_json)


@app.command("rollback")
def roll_release_back(
    system: System,
    to: Annotated[str | None, typer.Option(help="A release that was live before; the last one without it.")] = None,
    environment: Environment = "production",
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "rolled back by hand",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put an earlier release back: no training, no deployment. Exit 1 where the token in OPS_TOKEN may not."""
    platform = _platform_with(system, dry_run)
    shipped = platform.roll_back(system, to, actor=actor(), reason=reason, environment=environment)
    _answer(shipped, dry_run, as_json)


def _shipped(platform: "Platform", wish: _Wish) -> "Shipped":
    from datetime import timedelta

    where = {"actor": actor(), "environment": wish.environment}
    if wish.hours is None:
        reason = wish.reason or "promoted by hand"
        return platform.promote(wish.system, wish.release, reason=reason, **where)
    lasting = timedelta(hours=wish.hours)
    return platform.override(wish.system, wish.release, reason=wish.reason or "", lasting=lasting, **where)


def _hours(force: bool, hours: int | None) -> int | None:
    from ops_pipelines.core.errors import ConfigError

    if hours is not None and not force:
        raise ConfigError(
            "--hours says how long a release is forced, and it is not",
            expected="--force with --hours",
            action="Leave --hours out: what passes its gate stays live until something else does",
        )
    return (24 if hours is None else hours) if force else None


def _release_to_promote(platform: "Platform", system: str, release: str | None, origin: str | None) -> str:
    """The digits of the release: those that were typed, or those of what is live in another environment."""
    from ops_pipelines.core.errors import ConfigError
    from ops_pipelines.core.pointer import check_chain

    if (release is None) == (origin is None):
        raise ConfigError(
            "It is not clear which release is meant",
            expected="the first digits of one, or --from an environment",
            action=f"`ops releases {system}` lists the digits",
        )
    if origin is None:
        return str(release)
    history = platform.releases.history(system, platform.project.checked_environment(origin))
    check_chain(history)
    if not history:
        raise ConfigError(
            f"Nothing of {system!r} is live in {origin}",
            expected="a release to take from there",
            action=f"`ops promote {system} RELEASE --environment {origin}` first",
        )
    return history[-1].release


def _platform_with(system: str, dry_run: bool) -> "Platform":
    """The platform, or one that moves nothing; ConfigError with the nearest system where this one has no release."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.errors import ConfigError, near_miss

    platform = Platform.embedded()
    if not platform.releases.releases(system):
        raise ConfigError(
            f"{system!r} has no release",
            expected="a system that was trained",
            action=near_miss(system, platform.systems()),
        )
    return replace(platform, releases=_Rehearsal(platform.releases), registry=_NoMirror()) if dry_run else platform


class _Rehearsal:
    """A release store that is read and never written, so that a move meets every rule and changes nothing."""

    def __init__(self, store: Any) -> None:
        self.save = self.append = lambda *_: None
        self.releases, self.history = store.releases, store.history


class _NoMirror:
    """A model registry whose aliases stay where they are."""

    def mirror(self, *_: str) -> None:
        pass


def _answer(shipped: "Shipped", dry_run: bool, as_json: bool) -> None:
    move = shipped.move
    if move is None:
        show([{"live": f"it {'is' if dry_run else 'was'} live already"}], as_json=as_json)
        return
    show([_rehearsed(move) if dry_run else _moved(move)], as_json=as_json)
    if shipped.mirror_problem:
        typer.echo(f"MLflow's alias did not follow: {shipped.mirror_problem}", err=True)


def _rehearsed(move: Any) -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short

    return {"would be live": short(move.release), "by": move.action}


def _moved(move: Any) -> dict[str, Any]:
    from ops_pipelines.core.fingerprint import short

    row = {"live": short(move.release), "in": move.environment, "by": move.actor, "because": move.reason}
    until = {"forced until": move.expires} if move.expires else {}
    return row | {"as of": move.as_of, "at": move.at} | until
