"""`ops drift list|show|explain|retrain`: what was found in the weeks after a release, and asking for another.

What is found is told and never refused: these verbs exit 0 however bad a week was, and 3 for a week that nobody judged.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops_pipelines.cli.actor import actor
from ops_pipelines.cli.output import AsJson, DryRun, show
from ops_pipelines.core.errors import ConfigError, DataError, near_miss
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Passed, Verdict, name_of, reasons_of, verdict_to_json

if TYPE_CHECKING:
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.lineage import Artefact
    from ops_pipelines.mlops.retraining import Request

PARTS = ("performance", "drift")
FINDINGS = ("performance", "label_drift", "feature_drift", "prediction_drift")
NEVER = "never judged"
SENSOR = "retrain_{system}"
"""Spelled here too, since the module that makes it costs seconds to import; a test holds the two together."""
_LIMIT_AT, _BAR = 10, 20

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
    lake = _platform_with(system).lake
    keys = _weeks(lake, system)
    weeks = [_read(lake, system, key) for key in (keys[-last:] if last else keys)]
    rows = [week.to_json() if as_json else week.words() for week in weeks]
    show(rows, title=f"weeks of {system} (limits in brackets)", as_json=as_json)


@drift.command("show")
def show_week(
    system: System,
    week: Annotated[str, typer.Argument(help="The week, for instance 2013-04-23.")],
    as_json: AsJson = False,
) -> None:
    """One week in full: each column, each number, every verdict with its reasons, and the release before."""
    platform = _platform_with(system)
    lake = platform.lake
    _check_week(lake, system, week)
    read = _read(lake, system, week)
    columns, numbers = read.table(lake, "drift"), read.table(lake, "performance")
    if columns is None and numbers is None:
        _raise_why(lake, system, week)
    known = read.to_json() | {
        "verdicts": read.verdicts(),
        "columns": [_without_bins(row) for row in sorted(columns or [], key=lambda row: -row["ratio"])],
        "measured": sorted(numbers or [], key=lambda row: row["name"] != "all"),
        "before": read.before,
        "report": _report(platform, system, week),
    }
    if as_json:
        show([known], as_json=True)
    else:
        _print_week(known)


@drift.command("explain")
def explain_column(
    system: System,
    column: Annotated[str, typer.Argument(help="A feature, or score for what the release said.")],
    week: Annotated[str | None, typer.Option(help="Show the histogram of this week.")] = None,
    as_json: AsJson = False,
) -> None:
    """One column through the weeks that were judged, or bin by bin in one of them."""
    lake = _platform_with(system).lake
    found = _column_by_week(lake, system, column, week)
    rows = [{"week": key} | _without_bins(drifted) for key, drifted in found.items()]
    bins = _histogram(found[week]) if week else []
    if as_json:
        show([{**row, "histogram": bins} for row in rows] if week else rows, as_json=True)
        return
    _section(f"{column} of {system}: ten blocks are the limit", [_through_words(row) for row in rows])
    if week:
        _section(f"shares of {column} in the training period and in {week}", _histogram_words(bins))


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
    platform = _platform_with(system)
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


@dataclass(frozen=True, slots=True)
class _Week:
    """One week of a system as it was written last: performance and drift (None where never made), release, episodes."""

    key: str
    release: str | None
    parts: "dict[str, Artefact | None]"
    episodes: tuple[str, ...]

    @property
    def findings(self) -> dict[str, Verdict | None]:
        known = {name: verdict for part in self.parts.values() if part for name, verdict in part.findings.items()}
        return {name: known.get(name) for name in FINDINGS}

    @property
    def before(self) -> dict[str, Any]:
        """What the release before would have scored; empty where none was, or the week's outcomes were not judged."""
        part = self.parts["performance"]
        return part.facts.get("before", {}) if part else {}

    def table(self, lake: "Lake", part: str) -> list[dict[str, Any]] | None:
        """The rows of a part; None where what was written last was not accepted, so that nothing stale is shown."""
        made = self.parts[part]
        return lake.read(made.key, self.key).to_pylist() if made and isinstance(made.verdict, Passed) else None

    def to_json(self) -> dict[str, Any]:
        """The line of the week as plain JSON; None for what is not known."""
        found, part = self.findings["performance"], self.parts["performance"]
        evidence = found.evidence if found else {}
        limits = evidence.get("limits", {})
        return {
            "week": self.key,
            "release": self.release,
            "log_loss": evidence.get("log_loss"),
            "log_loss_limit": limits.get("log_loss"),
            "gap": evidence.get("gap"),
            "gap_limit": limits.get("gap"),
            "coverage": part.facts.get("coverage") if part else None,
            **{name: _name_of(verdict) for name, verdict in self.findings.items()},
            "open_episodes": list(self.episodes),
        }

    def words(self) -> dict[str, str]:
        """The line of the week for people."""
        row = self.to_json()
        return {
            "week": self.key,
            "release": short(self.release) if self.release else "",
            "log loss": _limited(row["log_loss"], row["log_loss_limit"], ".3f"),
            "gap": _limited(row["gap"], row["gap_limit"], "+.3f"),
            "coverage": _text(row["coverage"], ".1%"),
            **{name.replace("_", " "): row[name] for name in FINDINGS},
            "open episodes": ", ".join(" since ".join(key.split("/")[-2:]) for key in self.episodes),
        }

    def verdicts(self) -> dict[str, Any]:
        """Each finding with its reasons as plain JSON; None for one that was never made."""
        return {name: verdict_to_json(verdict) if verdict else None for name, verdict in self.findings.items()}


def _platform_with(system: str) -> "Platform":
    """The platform; ConfigError with the nearest system where this one was never trained."""
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    if system not in platform.systems():
        raise ConfigError(
            f"{system!r} has no checkpoint",
            expected="a system that was trained",
            action=near_miss(system, platform.systems()),
        )
    return platform


def _weeks(lake: "Lake", system: str) -> list[str]:
    """Every week that was scored or judged, accepted or not, in order."""
    files = [file for part in ("predictions", *PARTS) for file in (lake.root / system / part).glob("*/*.parquet")]
    return sorted({file.parent.name for file in files})


def _read(lake: "Lake", system: str, week: str) -> _Week:
    """A week as it was written last."""
    from ops_pipelines.mlops.retraining import Episode

    parts = {part: lake.latest(f"{system}/{part}", week) for part in PARTS}
    makers = [*parts.values(), lake.good(f"{system}/predictions", week)]
    release = next((made.facts["release"] for made in makers if made and "release" in made.facts), None)
    stored = lake.good(f"{system}/episodes", week)
    episodes = [Episode.from_json(record) for record in stored.facts["episodes"]] if stored else []
    return _Week(week, release, parts, tuple(episode.key for episode in episodes if episode.is_open))


def _check_week(lake: "Lake", system: str, week: str) -> None:
    """Raises ConfigError with the nearest week for one that was neither scored nor judged."""
    known = _weeks(lake, system)
    if week not in known:
        raise ConfigError(
            f"{system} has no week {week!r}", expected="a week that was scored", action=near_miss(week, known)
        )


def _raise_why(lake: "Lake", system: str, week: str) -> None:
    """Raises NoAcceptedData with why a week has no drift: its scores were refused, or it was, or nobody looked."""
    for part in ("predictions", "drift"):
        lake.accepted(f"{system}/{part}", week)


def _column_by_week(lake: "Lake", system: str, column: str, week: str | None) -> dict[str, dict[str, Any]]:
    """The rows of one column by week, of one week or of all that keep it.

    DataError where no week was judged, ConfigError for a column that no judged week keeps.
    """
    if week:
        _check_week(lake, system, week)
    weeks = [_read(lake, system, key) for key in ([week] if week else _weeks(lake, system))]
    tables = {read.key: read.table(lake, "drift") or [] for read in weeks}
    if not any(tables.values()):
        if week:
            _raise_why(lake, system, week)
        raise _never_measured(system, weeks[-1] if weeks else None)
    found = {key: row for key, table in tables.items() for row in table if row["name"] == column}
    if not found:
        raise _no_such_column(system, column, {row["name"] for table in tables.values() for row in table})
    return found


def _never_measured(system: str, last: _Week | None) -> DataError:
    """What to say where no week asked for has a column, with why the last one has none."""
    verdict = last.findings["feature_drift"] if last else None
    why = "; ".join(reasons_of(verdict)) if verdict else NEVER
    return DataError(
        f"No column of {system} was compared with its training period ({why})",
        expected="a week that was scored and judged",
        action=f"`ops drift list {system}` shows what was judged",
    )


def _no_such_column(system: str, column: str, known: set[str]) -> ConfigError:
    from ops_pipelines.mlops.calibration import OUTCOME

    if column == OUTCOME:
        return ConfigError(
            f"The drift of the {OUTCOME} of {system} is kept as a finding and not as a column: it is known only when "
            "outcomes are",
            expected="a feature, or score",
            action=f"`ops drift list {system}` has it as label drift, and `ops drift show` its reasons",
        )
    return ConfigError(
        f"{system} has no column {column!r}",
        expected="a column that the release saw, or score",
        action=near_miss(column, known),
    )


def _request(platform: "Platform", system: str, week: str | None, reason: str) -> "Request":
    """The row to write; ConfigError for no reason, or no week that could be trained up to."""
    from ops_pipelines.mlops.retraining import Request

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


def _name_of(verdict: Verdict | None) -> str:
    return name_of(verdict) if verdict else NEVER


def _print_week(known: dict[str, Any]) -> None:
    _section(f"verdicts on {known['week']}", _verdict_words(known["verdicts"]))
    columns = [{name: row[name] for name in ("name", "role", "rows")} | _effect_words(row) for row in known["columns"]]
    _section("how far each column is from the training period, the worst first", columns)
    _section("how the scores turned out, with intervals over the days", _measured_words(known["measured"]))
    _section("the release before, on the same rows", [_before_words(known["before"])])
    print(f"report: {known['report'] or 'none was made'}")


def _section(title: str, rows: list[dict[str, Any]]) -> None:
    """A titled table and an empty line, also where no terminal would show the title."""
    print(title)
    show(rows)
    print()


def _verdict_words(verdicts: dict[str, Any]) -> list[dict[str, str]]:
    """One row a reason, so that none is cut."""
    never: dict[str, Any] = {"verdict": NEVER, "reasons": []}
    return [
        {"finding": name.replace("_", " "), "verdict": (found or never)["verdict"], "because": reason}
        for name, found in verdicts.items()
        for reason in (found or never)["reasons"] or [""]
    ]


def _without_bins(column: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in column.items() if name not in ("bins", "reference", "current")}


def _through_words(row: dict[str, Any]) -> dict[str, Any]:
    words = _effect_words(row)
    bar = f"{words['ratio']:<6}{_ratio_bar(row['ratio'])}" if row["limit"] else ""
    return {"week": row["week"]} | words | {"ratio": bar}


def _effect_words(column: dict[str, Any]) -> dict[str, str]:
    return {
        "PSI": f"{column['effect']:.3f}",
        "limit": _text(column["limit"], ".3f") or "too few weeks",
        "ratio": f"{column['ratio']:.2f}" if column["limit"] else "",
        "adjusted p": f"{column['p_value']:.1g}",
        "flagged": "flagged" if column["flagged"] else "",
        "moved most": column["moved"],
    }


def _measured_words(numbers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a group, where the lake has one for each of its measures."""
    groups: dict[str, dict[str, Any]] = {}
    for row in numbers:
        group = groups.setdefault(row["name"], {"of": row["name"], "rows": row["rows"]})
        sign = "+" if row["measure"] == "gap" else ""
        interval = f" [{row['low']:{sign}.3f}, {row['high']:{sign}.3f}]" if row["low"] is not None else ""
        limit = f" limit {row['limit']:.3f}" if row["limit"] is not None else ""
        group[row["measure"].replace("_", " ")] = _text(row["value"], f"{sign}.3f") + interval + limit
    return list(groups.values())


def _before_words(before: dict[str, Any]) -> dict[str, str]:
    if not before:
        return {"release": "none was live before, or no outcome is known"}
    if before.get("log_loss") is None:
        return {"release": short(before["release"]), "log loss": before.get("why", "not known")}
    gain = _text(before["gain"], "+.4f")
    if before["low"] is not None:
        gain += f" [{before['low']:+.4f}, {before['high']:+.4f}]"
    return {"release": short(before["release"]), "log loss": f"{before['log_loss']:.4f}", "gain by its successor": gain}


def _histogram(column: dict[str, Any]) -> list[dict[str, Any]]:
    """The bins of a column with their shares in the training period and in the week."""
    shares = zip(column["bins"], column["reference"], column["current"], strict=True)
    return [{"bin": name, "training": before, "week": now} for name, before, now in shares]


def _histogram_words(bins: list[dict[str, Any]]) -> list[dict[str, Any]]:
    largest = max((max(row["training"], row["week"]) for row in bins), default=0.0) or 1.0
    return [
        {"bin": row["bin"]}
        | {
            side: f"{row[side]:6.1%} {'█' * round(row[side] / largest * _BAR)}".rstrip()
            for side in ("training", "week")
        }
        for row in bins
    ]


def _ratio_bar(ratio: float) -> str:
    """Ten blocks up to the limit, then a line and at most ten more."""
    blocks = round(ratio * _LIMIT_AT)
    inside = ("█" * min(blocks, _LIMIT_AT)).ljust(_LIMIT_AT, "·")
    beyond = "█" * min(blocks - _LIMIT_AT, _LIMIT_AT)
    return f"{inside}|{beyond}" if ratio > 1 else inside


def _limited(value: float | None, limit: float | None, form: str) -> str:
    """A number with its limit in brackets; empty where there is none."""
    return _text(value, form) + (f" ({limit:.3f})" if value is not None and limit is not None else "")


def _text(value: float | None, form: str) -> str:
    return "" if value is None else f"{value:{form}}"
