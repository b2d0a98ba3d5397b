"""The alarms inbox: what is not quiet, since when, and whether people were told.

An **alarm** is (system, finding, release, first week). It opens in the first week whose stored verdict is not Passed and
goes on while the same release is not quiet; a quiet week ends it, and so does a week in which another release was
judged. A week in which a system was not judged is neither: its alarms stay as they were, since missing is not quiet.

People are told of each alarm once, and only of findings that start a training, say that one was asked for in vain, that
a canary does harm, or that features are not served as they are learned from. Drift of features and of labels is shown,
since on seasonal data somebody who is told of each would soon read none. A finding that could not be judged is told as
"could not tell"; once it is judged and blocked, the alarm itself is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict, name_of, reasons_of

WATCHED = {"performance": "performance", "drift": "prediction_drift", "feature_health": "parity"}
"""The parts that hold findings, each with the one that people are told of and that it cannot be without."""
OF_MODELS, OF_FEATURES = ("performance", "drift"), ("feature_health",)
"""The parts that a week of a model, and one of a feature set, has to have before it is looked at."""
ALSO_WATCHED = {"episodes": "retraining", "canary": "canary"}
"""The parts that a system may hold besides, each with the finding that people are told of: what was asked for and is not
answered, and a canary that does harm."""
UNKNOWN = "unknown"
"""The release of a finding that names none, while no alarm of that finding is open."""
_NOT_EVALUATED = name_of(NotEvaluated(""))


@dataclass(frozen=True, slots=True)
class Finding:
    """One stored verdict on one system in one week; `release` is empty where what was judged names none."""

    system: str
    name: str
    release: str
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Alarm:
    """One finding that is not quiet, from the week `since` to the week `week`, `weeks` judged weeks in a row.

    `verdict` (blocked or not evaluated) and `reasons` are those of the last week. `notified_at` is when people were told
    of it as it is now; None where they were not.
    """

    system: str
    finding: str
    release: str
    since: str
    week: str
    weeks: int
    verdict: str
    reasons: tuple[str, ...]
    notified_at: datetime | None = None

    @property
    def key(self) -> str:
        """What the alarm is told once under: the same for all its weeks."""
        return f"{self.system}/{self.finding}/{short(self.release)}/{self.since}"

    @property
    def is_judged(self) -> bool:
        """Whether it is an alarm, and not only that nobody could tell."""
        return self.verdict != _NOT_EVALUATED

    @property
    def notice(self) -> str:
        """What telling it is remembered by: its key, or that of "could not tell", which an alarm may follow."""
        return self.key if self.is_judged else f"{self.key}?"

    @property
    def is_told(self) -> bool:
        """Whether people are told of it at all, rather than only shown it: of what starts a training, of one that
        was asked for in vain, of a canary that does harm, and of skewed features.
        """
        return self.finding in (*WATCHED.values(), *ALSO_WATCHED.values())

    def to_json(self) -> dict[str, Any]:
        """The alarm as plain JSON, read back by `from_json`."""
        at = self.notified_at.isoformat() if self.notified_at else None
        return asdict(self) | {"key": self.key, "reasons": list(self.reasons), "notified_at": at}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Alarm":
        """The alarm that `to_json` wrote."""
        at = datetime.fromisoformat(record["notified_at"]) if record["notified_at"] else None
        plain = {name: value for name, value in record.items() if name != "key"}
        return cls(**{**plain, "reasons": tuple(record["reasons"]), "notified_at": at})


def findings_in(artefact: Artefact) -> tuple[Finding, ...]:
    """What a stored part of a system (`flight_delay/drift`) found; the finding that it should hold and does not is
    "could not tell".
    """
    system, _, part = artefact.key.rpartition("/")
    needed = (
        {WATCHED[part]: NotEvaluated(f"{artefact.address} holds no finding {WATCHED[part]!r}")}
        if part in WATCHED
        else {}
    )
    release = str(artefact.facts.get("release") or "")
    found: dict[str, Verdict] = {**needed, **artefact.findings}
    return tuple(Finding(system, name, release, verdict) for name, verdict in found.items())


def advance(before: Sequence[Alarm], week: str, findings: Sequence[Finding]) -> tuple[Alarm, ...]:
    """The inbox after a week: its findings that are not quiet, and the open alarms that were not judged in it.

    `before` is the inbox after an earlier week, empty where there is none. Nobody is told here: see `stamped`.

    >>> from ops_pipelines.core.verdict import Blocked
    >>> blocked = Finding("delays", "performance", "a" * 64, Blocked(("log loss 0.7",)))
    >>> first = advance((), "2013-01-01", [blocked])
    >>> [(alarm.key, alarm.weeks) for alarm in advance(first, "2013-01-08", [blocked])]
    [('delays/performance/aaaaaaaaaaaa/2013-01-01', 2)]
    """
    known = {(alarm.system, alarm.finding): alarm for alarm in before}
    judged = {(finding.system, finding.name): finding for finding in findings}
    kept = [alarm for place, alarm in known.items() if place not in judged]
    found = [
        _after(known.get(place), week, finding)
        for place, finding in judged.items()
        if not isinstance(finding.verdict, Passed)
    ]
    return tuple(sorted([*kept, *found], key=lambda alarm: alarm.key))


def stamped(inbox: Sequence[Alarm], told: Mapping[str, datetime]) -> tuple[Alarm, ...]:
    """The inbox with when people were told of each; `told` holds the instant of each `Alarm.notice`, by any week's inbox."""
    return tuple(replace(alarm, notified_at=told.get(alarm.key) or told.get(alarm.notice)) for alarm in inbox)


def untold(inbox: Sequence[Alarm]) -> tuple[Alarm, ...]:
    """The alarms of a stamped inbox that people are still to be told of."""
    return tuple(alarm for alarm in inbox if alarm.is_told and alarm.notified_at is None)


def message(alarm: Alarm) -> tuple[str, str]:
    """What a person is told: a title of one line, and the reasons with what to look at."""
    what = "alarm" if alarm.is_judged else "could not tell"
    lines = [
        *(f"- {reason}" for reason in alarm.reasons),
        f"release {short(alarm.release)}, {_duration(alarm)}",
        f"alarm {alarm.key}",
    ]
    return f"{alarm.system} {alarm.finding}: {what} in the week of {alarm.week}", "\n".join(lines)


def rows(inbox: Sequence[Alarm]) -> list[dict[str, str]]:
    """The inbox as a table for people, alarms before what could not be told; empty for an empty inbox."""
    ordered = sorted(inbox, key=lambda alarm: (not alarm.is_judged, alarm.key))
    return [
        {
            "system": alarm.system,
            "finding": alarm.finding,
            "state": "alarm" if alarm.is_judged else "could not tell",
            "release": short(alarm.release),
            "how long": _duration(alarm),
            "why": "; ".join(alarm.reasons),
            "told": _told(alarm),
        }
        for alarm in ordered
    ]


def _after(open_one: Alarm | None, week: str, finding: Finding) -> Alarm:
    """The alarm of a finding that is not quiet: the open one a week longer, or a new one."""
    # A week that could not be looked at may name no release: it says nothing of the open one's having changed.
    release = finding.release or (open_one.release if open_one else UNKNOWN)
    goes_on = open_one if open_one and open_one.release == release else None
    return Alarm(
        system=finding.system,
        finding=finding.name,
        release=release,
        since=goes_on.since if goes_on else week,
        week=week,
        weeks=goes_on.weeks + 1 if goes_on else 1,
        verdict=name_of(finding.verdict),
        reasons=reasons_of(finding.verdict),
    )


def _duration(alarm: Alarm) -> str:
    return f"{alarm.weeks} week{'s' if alarm.weeks > 1 else ''} in a row, since {alarm.since}"


def _told(alarm: Alarm) -> str:
    if not alarm.is_told:
        return "shown only"
    return f"{alarm.notified_at:%Y-%m-%d %H:%M}" if alarm.notified_at else "not yet"
