"""What `oncall` remembers of each system: the last alarms, and what it did about them, so that it does not go to and fro.

A run without a memory, such as that of a task or of a fork, goes on without one.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from ops_pipelines.agentops.recording import StepFailed
from ops_pipelines.agentops.session import Session

KEPT = 10
SOURCE = "tool:drift_report"
"""Where what is remembered is from: the platform's own numbers, and nobody's words."""


def recalled(session: Session, system: str) -> list[Mapping[str, Any]]:
    """The incidents of a system that are remembered, the newest last; empty where nothing is."""
    try:
        return list(session.recall().get(_key(system)) or ())
    except StepFailed:
        return []


def remember(session: Session, before: Sequence[Mapping[str, Any]], alarm: Mapping[str, Any], did: str) -> None:
    """Keep what was done about an alarm."""
    told = {"alarm": alarm["key"], "week": alarm["week"], "did": did}
    kept = [*(one for one in before if one["alarm"] != alarm["key"]), told][-KEPT:]
    try:
        session.remember(_key(alarm["system"]), kept, source=SOURCE)
    except StepFailed:
        return


def done_lately(before: Sequence[Mapping[str, Any]], did: str, week: str, *, weeks: int) -> str:
    """The alarm because of which the same was done in so many weeks before; empty for none."""
    now = date.fromisoformat(week)
    recent = (one for one in before if one["did"] == did and (now - date.fromisoformat(one["week"])).days <= 7 * weeks)
    return next((str(one["alarm"]) for one in recent), "")


def _key(system: str) -> str:
    return f"incidents of {system}"
