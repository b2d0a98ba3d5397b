"""`ops drift list|show|explain|retrain|requests`: what was found in the weeks after a release, and asking for another.

What is found is told and never refused: these verbs exit 0 however bad a week was, and 3 for a week that nobody judged.
Only a request may be: `retrain` exits 1 where the rule of the model says that it has to wait.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from ops_pipelines.cli import REFUSED
from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.drift_words import (
    histogram,
    histogram_words,
    print_week,
    section,
    through_words,
    week_words,
    without_bins,
)
from ops_pipelines.cli.judged_week import check_week, column_by_week, platform_with, raise_why, read_week, weeks_of
from ops_pipelines.cli.output import AsJson, DryRun, show
from ops_pipelines.cli.retraining_words import print_asked, print_ledger

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

SENSOR = "retrain_{system}"
"""Spelled here too, since the module that makes it costs seconds to import; a test holds the two together."""

app = typer.Typer()
drift = typer.Typer(
    help="list, show or explain the weeks since a release, or retrain and see its requests.",
    no_args_is_help=True,
    suggest_commands=False,
)
app.add_typer(drift, name="drift")
System = Annotated[str, typer.Argument(help="The release line, for instance flight_delay.")]


@app.callback()
def _family() -> None:
    pass


@drift.command("list")
def list_weeks(
    system: System,
    last: Annotated[int | None, typer.Option(help="Only so many of the last weeks.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """One line a week: log loss and gap with their limits, what each finding says, and which episodes are open."""
    lake = platform_with(system).lake
    keys = weeks_of(lake, system)
    weeks = [read_week(lake, system, key) for key in (keys[-last:] if last else keys)]
    rows = [week.to_json() if as_json else week_words(week) for week in weeks]
    show(rows, title=f"weeks of {system} (limits in brackets)", as_json=as_json)


@drift.command("show")
def show_week(
    system: System,
    week: Annotated[str, typer.Argument(help="The week, for instance 2013-04-23.")],
    as_json: AsJson = False,
) -> None:
    """One week in full: each column, each number, every verdict with its reasons, and the release before."""
    platform = platform_with(system)
    lake = platform.lake
    check_week(lake, system, week)
    read = read_week(lake, system, week)
    columns, numbers = read.table(lake, "drift"), read.table(lake, "performance")
    if columns is None and numbers is None:
        raise_why(lake, system, week)
    known = read.to_json() | {
        "verdicts": read.verdicts(),
        "columns": [without_bins(row) for row in sorted(columns or [], key=lambda row: -row["ratio"])],
        "measured": sorted(numbers or [], key=lambda row: row["name"] != "all"),
        "before": read.before,
        "estimate": read.estimate,
        "report": _report(platform, system, week),
    }
    if as_json:
        show([known], as_json=True)
    else:
        print_week(known)


@drift.command("explain")
def explain_column(
    system: System,
    column: Annotated[str, typer.Argument(help="A feature, or score for what the release said.")],
    week: Annotated[str | None, typer.Option(help="Show the histogram of this week.")] = None,
    as_json: AsJson = False,
) -> None:
    """One column through the weeks that were judged, or bin by bin in one of them."""
    lake = platform_with(system).lake
    found = column_by_week(lake, system, column, week)
    rows = [{"week": key} | without_bins(drifted) for key, drifted in found.items()]
    bins = histogram(found[week]) if week else []
    if as_json:
        show([{**row, "histogram": bins} for row in rows] if week else rows, as_json=True)
        return
    section(f"{column} of {system}: ten blocks are the limit", [through_words(row) for row in rows])
    if week:
        section(f"shares of {column} in the training period and in {week}", histogram_words(bins))


@drift.command("retrain")
def ask_for_training(
    system: System,
    reason: Annotated[str, typer.Option(help="Why, for the retraining log.")],
    week: Annotated[
        str | None, typer.Option(help="Train up to the end of this week; of the last accepted one without it.")
    ] = None,
    key: Annotated[str | None, typer.Option(help="Your own key: the same one twice is one request.")] = None,
    by: Annotated[str | None, typer.Option(help="Which system or agent asks; your login is kept beside it.")] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Ask although cooldown or budget say no; they count it.")
    ] = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a challenger, once for each key. Exit 1 where cooldown, an open request or a budget say no."""
    from ops_pipelines.adapters.retraining_door import plan_request, write_request
    from ops_pipelines.core.principal import PROPOSE
    from ops_pipelines.core.verdict import Passed

    platform = platform_with(system)
    first = platform.project.environments[0]
    asks = platform.access.whoever_may(PROPOSE, system, first, otherwise=actor())
    who = f"{by} ({asks})" if by else asks
    wanted = plan_request(platform, system, reason=reason, actor=who, key=key, week=week, anyway=anyway)
    done = wanted if dry_run else write_request(platform, wanted)
    print_asked(done, sensor=SENSOR.format(system=system), dry_run=dry_run, as_json=as_json)
    if not isinstance(done.verdict, Passed):
        raise typer.Exit(REFUSED)


@drift.command("requests")
def list_requests(
    system: System,
    last: Annotated[int | None, typer.Option(help="Only so many of the last requests.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """One line a request: who asked, what became of it, and the CPU seconds and US dollars that its runs cost."""
    from ops_pipelines.adapters.retraining_answers import answers_of, rule_of

    platform = platform_with(system)
    print_ledger(answers_of(platform, system)[-(last or 0) :], rule_of(platform, system), as_json=as_json)


def _report(platform: "Platform", system: str, week: str) -> str | None:
    """Where the week's report is read while `ops ui` runs; None where none was made."""
    from ops_pipelines.adapters.reports import Reports

    reports = Reports(platform.project.home)
    made = reports.read(f"/{system}/{week}.html")
    return None if made is None else reports.url(system, week)
