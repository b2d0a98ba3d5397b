"""A decision as a value: Passed, Blocked with reasons, or NotEvaluated with why.

There is no fourth case, and only Passed is a pass. An error, an empty set, a stale or a missing result is NotEvaluated.
Evidence is plain JSON (numbers, texts, lists, mappings), so that a verdict can be stored beside what it judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ops_pipelines.core.errors import DataError

Evidence: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Passed:
    """The thing was judged and is good."""

    evidence: Evidence = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The thing was judged and is refused, for these reasons (at least one)."""

    reasons: tuple[str, ...]
    evidence: Evidence = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.reasons:
            raise ValueError("Blocked needs at least one reason")


@dataclass(frozen=True, slots=True)
class NotEvaluated:
    """The thing could not be judged, and why. Never a pass."""

    why: str
    evidence: Evidence = field(default_factory=dict)


Verdict: TypeAlias = Passed | Blocked | NotEvaluated


def reasons_of(verdict: Verdict) -> tuple[str, ...]:
    """Why a verdict is not a pass, as sentences; empty for Passed.

    >>> reasons_of(NotEvaluated("no rows"))
    ('not evaluated: no rows',)
    """
    match verdict:
        case Passed():
            return ()
        case Blocked(reasons=reasons):
            return reasons
        case NotEvaluated(why=why):
            return (f"not evaluated: {why}",)


def name_of(verdict: Verdict) -> str:
    """The word for a verdict in tables: passed, blocked or not evaluated."""
    return {Passed: "passed", Blocked: "blocked", NotEvaluated: "not evaluated"}[type(verdict)]


def verdict_to_json(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON, read back by `verdict_from_json`."""
    return {"verdict": name_of(verdict), "reasons": list(reasons_of(verdict)), "evidence": dict(verdict.evidence)}


def verdict_from_json(record: Mapping[str, Any]) -> Verdict:
    """The verdict that `verdict_to_json` wrote; DataError for anything else."""
    match record:
        case {"verdict": "passed", "reasons": [], "evidence": evidence}:
            return Passed(evidence)
        case {"verdict": "blocked", "reasons": [_, *_] as reasons, "evidence": evidence}:
            return Blocked(tuple(reasons), evidence)
        case {"verdict": "not evaluated", "reasons": [why], "evidence": evidence}:
            return NotEvaluated(str(why).removeprefix("not evaluated: "), evidence)
    raise DataError(
        f"A stored verdict cannot be read: {dict(record)!r}",
        expected="a record written by verdict_to_json",
        action="Materialize what it judged again",
    )
