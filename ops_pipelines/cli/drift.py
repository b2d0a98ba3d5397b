"""`ops drift list|show|explain|retrain`: what was found in the weeks after a release, and asking for another.

What is found is told and never refused: these verbs exit 0 however bad a week was, and 3 for a week that nobody judged.
"""

from typing import TYPE_CHECKING, Annotated

import typer

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
from ops_pipelines.core.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.mlops.retraining_log import Request

SENSOR = "retrain_{system}"
"""Spelled here too, since the module that makes it costs seconds to import; a test holds the two together."""

app = typer.Typer()
drift = typer.Typer(
    help="list, show or explain the weeks since a release, or retrain.", no_args_is_help=True, suggest_commands=False
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
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Ask for a challenger, whatever cooldown and budget say; they count it. At one instant only one can be asked for."""
    platform = platform_with(system)
    wanted = _request(platform, system, week, reason)
    if dry_run:
        earlier = [row for row in platform.retraining.requests(system) if row.key == wanted.key]
        row = earlier[0] if earlier else wanted
    else:
        row = platform.retraining.ask(wanted)
    state = "stands since it was asked first" if row != wanted else "would be written" if dry_run else "written"
    sensor = SENSOR.format(system=system)
    if as_json:
        show([row.to_json() | {"state": state, "sensor": sensor}], as_json=True)
        return
    told = {"request": row.key, "week": row.week, "because": row.reason, "by": row.actor, "as of": row.as_of}
    show([told | {"state": state}], as_json=False)
    print(
        f"The sensor {sensor} launches what is written, at its next tick where automation is on: OPS_AUTOMATION=on ops ui"
    )


def _request(platform: "Platform", system: str, week: str | None, reason: str) -> "Request":
    """The row to write; ConfigError for no reason, or no week that could be trained up to."""
    from ops_pipelines.mlops.retraining_log import Request

    if not reason.strip():
        raise ConfigError("The reason is empty", expected="why a run is worth it", action="Say it with --reason")
    trained = _week_to_train(platform.lake, system, week)
    as_of, wall = platform.clock.as_of(), platform.clock.wall()
    return Request(f"{system}/request/{int(as_of.timestamp())}", system, trained, as_of, reason, actor(), wall)


def _week_to_train(lake: "Lake", system: str, week: str | None) -> str:
    """The week asked for, or the last accepted one: judged, or failing that scored, or trained on before."""
    accepted = [lake.partitions(f"{system}/{part}") for part in ("drift", "predictions", "training_set")]
    known = {key for keys in accepted for key in keys}
    if not known or (week and week not in known):
        raise ConfigError(
            f"{system} cannot be trained up to {week or 'any week'}: nothing of it was accepted",
            expected="a week whose features were accepted",
            action=near_miss(week, known) if week and known else "`ops materialize` makes scores or a training set",
        )
    return week or next(keys[-1] for keys in accepted if keys)


def _report(platform: "Platform", system: str, week: str) -> str | None:
    """Where the week's report is read while `ops ui` runs; None where none was made."""
    from ops_pipelines.adapters.reports import Reports

    reports = Reports(platform.project.home)
    made = reports.read(f"/{system}/{week}.html")
    return None if made is None else reports.url(system, week)
