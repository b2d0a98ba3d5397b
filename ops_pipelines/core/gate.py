"""The one rule by which verdicts open a gate.

A gate opens when every required judgement is there, was made of this very subject, and passed. A judgement of another
subject is stale, and a missing one was never made: both leave the gate shut as NotEvaluated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with the name of the question that it answers and the digest of what was judged."""

    name: str
    subject: str
    verdict: Verdict


def decide(subject: str, *, required: Sequence[str], judgements: Sequence[Judgement]) -> Verdict:
    """Passed when each required judgement of `subject` passed; otherwise why the gate stays shut.

    Blocked wins over NotEvaluated, since a refusal is known and the rest is not. An empty `required` is NotEvaluated:
    a gate that asks nothing has judged nothing.
    """
    if not required:
        return NotEvaluated("the gate requires no judgement, so nothing was judged")
    verdicts = {name: _verdict_of(name, subject, judgements) for name in required}
    reasons = {name: reasons_of(verdict) for name, verdict in verdicts.items()}
    evidence = {name: dict(verdict.evidence) for name, verdict in verdicts.items()}
    blocked = [reason for name, v in verdicts.items() if isinstance(v, Blocked) for reason in reasons[name]]
    if blocked:
        return Blocked(tuple(blocked), evidence)
    unknown = [f"{name}: {v.why}" for name, v in verdicts.items() if isinstance(v, NotEvaluated)]
    return NotEvaluated("; ".join(unknown), evidence) if unknown else Passed(evidence)


def _verdict_of(name: str, subject: str, judgements: Sequence[Judgement]) -> Verdict:
    named = [judgement for judgement in judgements if judgement.name == name]
    if not named:
        return NotEvaluated("was never judged")
    latest = named[-1]
    if latest.subject != subject:
        return NotEvaluated(f"is stale: it judged {short(latest.subject)} and not {short(subject)}")
    return latest.verdict
