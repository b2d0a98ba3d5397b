"""`ops cost`: what calls of chat models came to, by whoever asked and whatever answered, and what budgets have left."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.output import AsJson, show

if TYPE_CHECKING:
    from ops_pipelines.core.clock import Window
    from ops_pipelines.llmops.spending import Spending

app = typer.Typer()
cost = typer.Typer(invoke_without_command=True, suggest_commands=False)
app.add_typer(cost, name="cost")
DAYS = 7


@app.callback()
def _family() -> None:
    pass


@cost.callback()
def tell_cost(
    ctx: typer.Context,
    by: Annotated[
        str, typer.Option(help="Some of tenant, feature, release, system, provider, model, day, with commas.")
    ] = "system,feature,tenant",
    system: Annotated[str | None, typer.Option(help="Only calls for this system.")] = None,
    since: Annotated[str | None, typer.Option(help="The first day, in UTC; a week ago without it.")] = None,
    until: Annotated[str | None, typer.Option(help="The last day, in UTC; today without it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what calls came to: requests, tokens, dollars, and how long answers took.

    Where a price is unknown so is the cost: `unpriced` counts the calls that are not in the sum. Calls that the log has
    handed over to the lake are told as well. `ops cost budgets SYSTEM` tells what is left.
    """
    if ctx.invoked_subcommand:
        return
    from ops_pipelines.adapters.call_records import calls_in
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.llmops.spending import spending_by

    platform = Platform.embedded()
    window = _window(since, until, platform.clock.wall())
    names = [name.strip() for name in by.split(",") if name.strip()]
    found = spending_by(calls_in(platform, window, system), names)
    show([_row(one, as_json) for one in found], title="cost", as_json=as_json)


@cost.command("budgets")
def tell_budgets(
    system: Annotated[str, typer.Argument(help="The system, for instance runbook_answers.")],
    environment: Annotated[str, typer.Option(help="Whose live release.")] = "production",
    as_json: AsJson = False,
) -> None:
    """Tell what is spent, reserved and left of each budget of the live release, by account, in the window that goes on.

    Exit 1 where a budget is exhausted: nothing is left, or so little that questions were refused.
    """
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.adapters.released_budgets import live_budgets, uses_now

    platform = Platform.embedded()
    where = platform.project.checked_environment(environment)
    uses = uses_now(platform, live_budgets(platform, system, where))
    show([use.to_json() for use in uses], title=f"budgets of {system}", as_json=as_json)
    if any(use.is_exhausted for use in uses):
        raise typer.Exit(REFUSED)


def _window(since: str | None, until: str | None, now: datetime) -> "Window":
    from ops_pipelines.core.clock import Window

    last = _day(until) if until else now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = _day(since) if since else last - timedelta(days=DAYS)
    return Window(first, last + timedelta(days=1))


def _day(text: str) -> datetime:
    from ops_pipelines.core.errors import ConfigError

    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no day", expected="a day such as 2026-03-05", action="Write one") from error


def _row(one: "Spending", as_json: bool) -> dict[str, Any]:
    known = None if one.usd is None else float(one.usd) if as_json else f"{one.usd:f}"
    took = {f"p{percent} ms": round(latency, 1) for percent, latency in one.latency_ms.items()}
    latency = took or dict.fromkeys(("p50 ms", "p95 ms", "p99 ms"), None if as_json else "")
    return {
        **one.group,
        "requests": one.requests,
        "failed": one.failed,
        "tokens in": one.input_tokens,
        "tokens out": one.output_tokens,
        "estimated": one.estimated,
        "usd": known if as_json or known is not None else "unknown",
        "unpriced": one.unpriced,
        **latency,
    }
