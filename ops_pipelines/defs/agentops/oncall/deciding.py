"""What `oncall` decides by rules, from numbers alone: do nothing, roll back, retrain, or tell a person.

It is no language model. A word such as "blocked" decides nothing: the loss and the gap are compared with their limits here,
and where word and numbers contradict each other a person is told. Whatever is unclear is never acted upon.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any

from ops_pipelines.core.errors import check_settings

NOTHING, ROLL_BACK, RETRAIN, NOTIFY = "nothing", "roll back", "retrain", "notify"
_CAME_IN = ("promote", "override", "rollback")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a move is so recent that it may be the cause, when a report is too old, and what the release before must save.

    `least_gain` is in units of the loss.
    """

    recent_weeks: int = 8
    stale_weeks: int = 2
    least_gain: float = 0.01

    def __post_init__(self) -> None:
        check_settings(
            self,
            "settings",
            recent_weeks=(self.recent_weeks >= 0, "at least 0"),
            stale_weeks=(self.stale_weeks >= 0, "at least 0"),
            least_gain=(self.least_gain > 0, "more than 0"),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done and why; a rollback goes back to `to`, from `seen`, which was live when it was decided."""

    action: str
    why: str
    to: str = ""
    seen: str = ""


def decide(report: Mapping[str, Any], history: Mapping[str, Any], rule: Thresholds) -> Plan:
    """The plan for a system's report and its history, as the agent's tools return them.

    >>> found = {"loss": 0.7, "loss_limit": 0.6, "gap": 0.0, "gap_limit": 0.1, "verdict": "blocked"}
    >>> report = {"week": "2013-06-25", "weeks_old": 0, "release": "a", "live": "a", "performance": found, "before": {}}
    >>> decide(report, {"live": "a", "moves": []}, Thresholds()).action
    'retrain'
    """
    unclear = _unclear(report, history, rule)
    if unclear:
        return Plan(NOTIFY, unclear)
    judged = report["performance"]
    if report["release"] != history["live"]:
        return Plan(NOTHING, f"{report['release']} was judged, and {history['live']} is live since")
    if not _is_lost(judged):
        return Plan(NOTHING, f"{_numbers(judged)}: within the limits{_drift_words(report)}")
    move = _recent(report, history, rule)
    if move is None:
        return Plan(RETRAIN, f"{_numbers(judged)}, and nothing was put live in the {rule.recent_weeks} weeks before")
    return _after_a_move(judged, report["before"], move, history, rule)


def _after_a_move(
    judged: Mapping[str, Any],
    before: Mapping[str, Any],
    move: Mapping[str, Any],
    history: Mapping[str, Any],
    rule: Thresholds,
) -> Plan:
    """The plan where what is live came in lately: back, unless the release before was no better on the same rows."""
    told = f"{_numbers(judged)} since the {move['action']} of {move['as_of']}"
    if not _are_numbers(before, "loss"):
        return Plan(NOTIFY, f"{told}; nobody knows what the release before would have lost")
    saved = judged["loss"] - before["loss"]
    beside = f"{before['release']} would have lost {before['loss']:.3f} on the same rows{_interval(before)}"
    if saved <= 0:
        return Plan(RETRAIN, f"{told}; {beside}, which is no better")
    if saved < rule.least_gain:
        return Plan(NOTIFY, f"{told}; {beside}, which is too little better to say")
    if not any(one["release"] == before["release"] and one["was_live"] for one in history.get("releases", ())):
        return Plan(NOTIFY, f"{told}; {beside}, and it was never live")
    return Plan(ROLL_BACK, f"{told}; {beside}", before["release"], history["live"])


def _unclear(report: Mapping[str, Any], history: Mapping[str, Any], rule: Thresholds) -> str:
    """Why nobody can tell from these; empty where one can."""
    judged = report.get("performance", {})
    if not _are_numbers(report, "weeks_old") or not history.get("live"):
        return "the report names no age, or nothing is live"
    if report["weeks_old"] > rule.stale_weeks:
        return f"the last week that was judged, {report['week']}, ended {report['weeks_old']} weeks ago"
    if not _are_numbers(judged, "loss", "loss_limit", "gap", "gap_limit"):
        return f"how good the scores of {report['week']} were was not judged{_drift_words(report)}"
    if _is_lost(judged) != (judged.get("verdict") == "blocked"):
        return f"{_numbers(judged)}, and the verdict is {judged.get('verdict')!r}: they do not go together"
    return ""


def _is_lost(judged: Mapping[str, Any]) -> bool:
    return bool(judged["loss"] > judged["loss_limit"] or abs(judged["gap"]) > judged["gap_limit"])


def _recent(report: Mapping[str, Any], history: Mapping[str, Any], rule: Thresholds) -> Mapping[str, Any] | None:
    """The move that put the live release there, where it replaced another one and is recent."""
    moves = list(history["moves"])
    if len(moves) < 2 or moves[-1]["release"] != history["live"] or moves[-1]["action"] not in _CAME_IN:
        return None
    weeks = (date.fromisoformat(report["week"]) - date.fromisoformat(moves[-1]["as_of"])).days / 7
    return moves[-1] if weeks <= rule.recent_weeks else None


def _are_numbers(found: Mapping[str, Any], *names: str) -> bool:
    known = [found.get(name) for name in names]
    return all(isinstance(one, int | float) and not isinstance(one, bool) and isfinite(one) for one in known)


def _numbers(judged: Mapping[str, Any]) -> str:
    loss = f"the loss is {judged['loss']:.3f} (limit {judged['loss_limit']:.3f})"
    return f"{loss}, the gap {judged['gap']:+.3f} (limit {judged['gap_limit']:.3f})"


def _interval(before: Mapping[str, Any]) -> str:
    if not _are_numbers(before, "gain", "low", "high"):
        return ""
    return f" ({-before['gain']:.3f} less, between {-before['high']:+.3f} and {-before['low']:+.3f})"


def _drift_words(report: Mapping[str, Any]) -> str:
    found = {name.replace("_", " "): one["flagged"] for name, one in report.get("drift", {}).items() if one["flagged"]}
    return "".join(f"; {name} in {flagged} columns" for name, flagged in found.items())
