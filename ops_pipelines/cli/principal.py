"""`ops principal add|list|revoke`: who may do what. The token is shown once, and only its sha256 is kept."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show

if TYPE_CHECKING:
    from datetime import datetime

    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.principal import Principal

app = typer.Typer()
principal = typer.Typer(
    help="add, list or revoke: who may promote, override, approve, call.", no_args_is_help=True, suggest_commands=False
)
app.add_typer(principal, name="principal")
Name = Annotated[str, typer.Argument(help="A person, a service or an agent, for instance ada or release-robot.")]


@app.callback()
def _family() -> None:
    pass


@principal.command("add")
def add_principal(
    name: Name,
    role: Annotated[list[str], typer.Option(help="caller, proposer, promoter, approver or admin; may be repeated.")],
    system: Annotated[str, typer.Option(help="The system that the roles are for; every one without it.")] = "*",
    environment: Annotated[str, typer.Option(help="Where the roles hold; everywhere without it.")] = "*",
    expires_days: Annotated[
        int | None, typer.Option(help="After how many days the token ends; never without it.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give somebody a token, which is shown once. A known name gets another token and these roles instead of its own."""
    from ops_pipelines.adapters.access import new_token
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.principal import Grant, add, token_digest

    platform = Platform.embedded()
    where = environment if environment == "*" else platform.project.checked_environment(environment)
    grants, token = [Grant(one, system, where) for one in role], new_token()
    by, at = _administrator(platform), platform.clock.wall()
    everybody, until = platform.principals.everybody(), _expiry(at, expires_days)
    row = add(everybody, name, grants, digest=token_digest(token), by=by, at=at, expires=until)
    if dry_run:
        show([_row(row, at)], as_json=as_json)
        return
    platform.principals.register(row)
    show([{**_row(row, at), "token": token}], as_json=as_json)
    print("The token is not shown again. Its owner sets it as OPS_TOKEN.", file=sys.stderr)


@principal.command("list")
def list_principals(as_json: AsJson = False) -> None:
    """Everybody, with their roles and until when they hold. Tokens are not kept, and so not shown."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    rows = [_row(one, platform.clock.wall()) for one in platform.principals.everybody()]
    show(rows, title="principals", as_json=as_json)
    if not rows:
        print(
            "The platform is open to whoever may write its files, until the first principal is added.", file=sys.stderr
        )


@principal.command("revoke")
def revoke_principal(name: Name, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Take somebody's token out of force, at once and for every process. Their past stays in the history."""
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.principal import revoke

    platform = Platform.embedded()
    by, at = _administrator(platform), platform.clock.wall()
    row = revoke(platform.principals.everybody(), name, by=by, at=at)
    if not dry_run:
        platform.principals.register(row)
    show([_row(row, at)], as_json=as_json)


def _administrator(platform: "Platform") -> str:
    from ops_pipelines.core.principal import ADMINISTER, EVERY

    return platform.access.whoever_may(ADMINISTER, EVERY, EVERY, otherwise=actor())


def _expiry(at: "datetime", days: int | None) -> "datetime | None":
    """The instant after so many days; ConfigError where no calendar goes that far."""
    from datetime import timedelta

    from ops_pipelines.core.errors import ConfigError

    try:
        return None if days is None else at + timedelta(days=days)
    except OverflowError as error:
        raise ConfigError(
            f"No token expires after {days} days", expected="a date", action="Name fewer days, or none"
        ) from error


def _row(row: "Principal", now: "datetime") -> dict[str, Any]:
    return {
        "principal": row.name,
        "may": ", ".join(str(grant) for grant in row.grants),
        "until": f"{row.expires:%Y-%m-%d %H:%M} UTC" if row.expires else "",
        "token": row.why_not(now) or "in force",
        "by": row.by,
    }
