"""A week of a system as the lake has it: its drift, its performance, its open episodes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError, near_miss
from ops_pipelines.core.verdict import Passed, Verdict, name_of, reasons_of, verdict_to_json

if TYPE_CHECKING:
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.lineage import Artefact

PARTS = ("performance", "drift")
FINDINGS = ("performance", "label_drift", "feature_drift", "prediction_drift")
NEVER = "never judged"


@dataclass(frozen=True, slots=True)
class JudgedWeek:
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

    @property
    def estimate(self) -> dict[str, Any]:
        """What the week's loss was estimated to be before its outcomes were known, as a verdict; empty where nobody did."""
        part = self.parts["drift"]
        return part.facts.get("estimate", {}) if part else {}

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
            "loss_name": evidence.get("loss_name"),
            "loss": evidence.get("loss"),
            "loss_limit": limits.get("loss"),
            "gap": evidence.get("gap"),
            "gap_limit": limits.get("gap"),
            "coverage": part.facts.get("coverage") if part else None,
            **{name: name_of(verdict) if verdict else NEVER for name, verdict in self.findings.items()},
            "open_episodes": list(self.episodes),
        }

    def verdicts(self) -> dict[str, Any]:
        """Each finding with its reasons as plain JSON; None for one that was never made."""
        return {name: verdict_to_json(verdict) if verdict else None for name, verdict in self.findings.items()}


def platform_with(system: str) -> "Platform":
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


def weeks_of(lake: "Lake", system: str) -> list[str]:
    """Every week that was scored or judged, accepted or not, in order."""
    files = [file for part in ("predictions", *PARTS) for file in (lake.root / system / part).glob("*/*.parquet")]
    return sorted({file.parent.name for file in files})


def read_week(lake: "Lake", system: str, week: str) -> JudgedWeek:
    """A week as it was written last."""
    from ops_pipelines.mlops.retraining import Episode

    parts = {part: lake.latest(f"{system}/{part}", week) for part in PARTS}
    makers = [*parts.values(), lake.good(f"{system}/predictions", week)]
    release = next((made.facts["release"] for made in makers if made and "release" in made.facts), None)
    stored = lake.good(f"{system}/episodes", week)
    episodes = [Episode.from_json(record) for record in stored.facts["episodes"]] if stored else []
    return JudgedWeek(week, release, parts, tuple(episode.key for episode in episodes if episode.is_open))


def check_week(lake: "Lake", system: str, week: str) -> None:
    """Raises ConfigError with the nearest week for one that was neither scored nor judged."""
    known = weeks_of(lake, system)
    if week not in known:
        raise ConfigError(
            f"{system} has no week {week!r}", expected="a week that was scored", action=near_miss(week, known)
        )


def raise_why(lake: "Lake", system: str, week: str) -> None:
    """Raises NoAcceptedData with why a week has no drift: its scores were refused, or it was, or nobody looked."""
    for part in ("predictions", "drift"):
        lake.accepted(f"{system}/{part}", week)


def column_by_week(lake: "Lake", system: str, column: str, week: str | None) -> dict[str, dict[str, Any]]:
    """The rows of one column by week, of one week or of all that keep it.

    DataError where no week was judged, ConfigError for a column that no judged week keeps.
    """
    if week:
        check_week(lake, system, week)
    weeks = [read_week(lake, system, key) for key in ([week] if week else weeks_of(lake, system))]
    tables = {read.key: read.table(lake, "drift") or [] for read in weeks}
    if not any(tables.values()):
        if week:
            raise_why(lake, system, week)
        raise _never_measured(system, weeks[-1] if weeks else None)
    found = {key: row for key, table in tables.items() for row in table if row["name"] == column}
    if not found:
        raise _no_such_column(system, column, {row["name"] for table in tables.values() for row in table})
    return found


def _never_measured(system: str, last: JudgedWeek | None) -> DataError:
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
