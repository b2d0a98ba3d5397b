"""How old a corpus may be: its snapshot, and what people last looked over.

A snapshot has an instant, and a document may say in `reviewed` when somebody last read it. The dates of files are not
asked: a checkout or an installation makes them all new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.llmops.corpus import Document

REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class FreshnessRule:
    """How many days a snapshot, and a document's last review, may lie back; None is as long as they like."""

    snapshot_days: float | None = 7
    review_days: float | None = None

    def __post_init__(self) -> None:
        days = (self.snapshot_days, self.review_days)
        good = [value is None or value > 0 for value in days]
        expected = "more than 0 days, or nothing"
        check_settings(self, "freshness", snapshot_days=(good[0], expected), review_days=(good[1], expected))


def judge_snapshot_age(taken_at: datetime | None, as_of: datetime, rule: FreshnessRule) -> Verdict:
    """Blocked where the latest snapshot is older than allowed, NotEvaluated where none was taken."""
    if taken_at is None:
        return NotEvaluated("no snapshot was taken yet")
    days = (utc(as_of) - utc(taken_at)).total_seconds() / 86400
    evidence = {"snapshot_days": round(days, 3)}
    if rule.snapshot_days is None or days <= rule.snapshot_days:
        return Passed(evidence)
    return Blocked((f"the snapshot is {days:.1f} days old, and {rule.snapshot_days:g} are allowed",), evidence)


def judge_reviews(documents: Sequence[Document], as_of: datetime, rule: FreshnessRule) -> Verdict:
    """Blocked with each document whose last review lies too far back; what has no date of review is not asked for one.

    NotEvaluated where reviews are asked for and no document has a date.
    """
    if rule.review_days is None:
        return Passed({"reviewed": 0})
    dated = {document.id: _reviewed(document) for document in documents if REVIEWED in document.metadata}
    ages = {name: None if when is None else (utc(as_of) - when).days for name, when in dated.items()}
    if not ages:
        return NotEvaluated("no document says when it was reviewed")
    unread = [
        f"{name}: {REVIEWED!r} is no date such as 2026-01-31" for name, age in sorted(ages.items()) if age is None
    ]
    stale = [
        f"{name} was reviewed {age} days ago, and {rule.review_days:g} are allowed"
        for name, age in sorted(ages.items())
        if age is not None and age > rule.review_days
    ]
    evidence = {
        "reviewed": len(ages),
        "oldest_days": max((age for age in ages.values() if age is not None), default=None),
    }
    return Blocked((*unread, *stale), evidence) if unread or stale else Passed(evidence)


def judge_freshness(snapshot: Verdict, reviews: Verdict) -> Verdict:
    """Both as one: Blocked with the reasons of whichever is, then NotEvaluated, then Passed."""
    both = (snapshot, reviews)
    evidence = {**snapshot.evidence, **reviews.evidence}
    blocked = [reason for verdict in both if isinstance(verdict, Blocked) for reason in reasons_of(verdict)]
    if blocked:
        return Blocked(tuple(blocked), evidence)
    unknown = [verdict.why for verdict in both if isinstance(verdict, NotEvaluated)]
    return NotEvaluated("; ".join(unknown), evidence) if unknown else Passed(evidence)


def _reviewed(document: Document) -> datetime | None:
    try:
        found = date.fromisoformat(str(document.metadata[REVIEWED]))
    except ValueError:
        return None
    return datetime(found.year, found.month, found.day, tzinfo=UTC)
