"""What is stored of a model, as numbers that an agent can decide by: how a week went, and which release was live when."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import check_chain
from ops_pipelines.core.verdict import name_of

DRIFT, PERFORMANCE = "drift", "performance"
_MOVES = 10


def report_of(platform: Platform, system: str, week: str, *, environment: str) -> dict[str, Any]:
    """How a system did in a week, or without one in the last that was looked at.

    `weeks_old` counts from the end of that week. What was not judged has no numbers; `before` holds the same rows scored
    by the release that the scoring one had replaced. DataError where nothing is stored for the week.
    """
    parts = {part: f"{system}/{part}" for part in (DRIFT, PERFORMANCE)}
    stored = sorted({at for key in parts.values() for at in platform.lake.partitions(key)})
    wanted = week or (stored[-1] if stored else "")
    drift, judged = (platform.lake.good(key, wanted) if wanted else None for key in parts.values())
    known = judged or drift
    if known is None:
        raise DataError(
            f"Nothing is stored of {system!r} for {week or 'any week'}",
            expected=f"one of {', '.join(stored[-3:]) or 'none'}",
            action="Ask for a week that was scored",
        )
    end = utc(datetime.fromisoformat(f"{wanted}T00:00:00+00:00")) + timedelta(weeks=1)
    live = platform.live(environment, system)
    return {
        "system": system,
        "week": wanted,
        "weeks_old": (platform.clock.as_of() - end) // timedelta(weeks=1),
        "release": short(str(known.facts.get("release", ""))),
        "live": short(live) if live else "",
        "performance": _numbers_of(judged),
        "before": _before(judged),
        "drift": _drift_of(drift),
    }


def history_of(platform: Platform, system: str, *, environment: str) -> dict[str, Any]:
    """Which releases a system has and the last moves of its pointer, the newest last; without anybody's reasons.

    `as_of` of a move is the logical instant from which its release was live.
    """
    history = platform.releases.history(system, environment)
    check_chain(history)
    was_live = {move.release for move in history}
    moves = [
        {"number": move.sequence, "action": move.action, "release": short(move.release), "as_of": _day(move.as_of)}
        for move in history[-_MOVES:]
    ]
    releases = [
        {
            "release": short(one.digest),
            "gate": name_of(one.latest.verdict),
            "knows_until": _day(one.latest.cut_off) if one.latest.cut_off else "",
            "was_live": one.digest in was_live,
        }
        for one in platform.releases.releases(system)
    ]
    live = short(history[-1].release) if history else ""
    return {"system": system, "live": live, "moves": moves, "releases": releases}


def _numbers_of(judged: Artefact | None) -> dict[str, Any]:
    """The loss and the gap of a week with their limits, as far as they are known; empty where it was not judged."""
    if judged is None or PERFORMANCE not in judged.findings:
        return {}
    verdict = judged.findings[PERFORMANCE]
    known, limits = verdict.evidence, verdict.evidence.get("limits", {})
    return {
        "verdict": name_of(verdict),
        "loss": known.get("loss"),
        "loss_limit": limits.get("loss"),
        "expected_loss": known.get("expected_loss"),
        "gap": known.get("gap"),
        "gap_limit": limits.get("gap"),
        "rows": known.get("rows"),
        "coverage": known.get("coverage"),
    }


def _before(judged: Artefact | None) -> dict[str, Any]:
    """What the release before would have lost on the same rows; `gain` is what the present one saves, with its interval."""
    found: Mapping[str, Any] = judged.facts.get("before", {}) if judged else {}
    if found.get("loss") is None:
        return {}
    numbers = {name: found.get(name) for name in ("loss", "gain", "low", "high")}
    return {"release": short(str(found["release"])), **numbers}


def _drift_of(drift: Artefact | None) -> dict[str, Any]:
    """How many columns drifted, of how many, by finding; empty where drift was not measured."""
    return {
        name: {
            "verdict": name_of(verdict),
            "flagged": len(verdict.evidence.get("flagged", ())),
            "judged": verdict.evidence.get("judged"),
        }
        for name, verdict in (drift.findings.items() if drift else ())
    }


def _day(instant: datetime) -> str:
    return f"{utc(instant):%Y-%m-%d}"
