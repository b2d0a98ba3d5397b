"""Whether what was asked for was launched, and ended in a decision.

A request ends when its challenger is promoted or refused. Anything else is told, with its reason, once the request is
older than the patience of the rule, and at once where nothing will happen by itself any more: its runs are given up, or
its training set was refused. What nobody wants any more is not told: a later request of the system was decided, or all
episodes that it answers have ended.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.retraining_log import Request, TrainingStep
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.mlops.training_cost import RequestCost, spending

RETRAINING = "retraining"
"""The finding that something was asked for and is not answered."""
PROMOTED, REFUSED, ROLLED_BACK = "promoted", "refused", "promoted, then rolled back"
DECIDED = (PROMOTED, REFUSED, ROLLED_BACK)
PASSED, NO_DATA = "passed, and not promoted", "training set refused"
"""Where a request may stand still without a decision: before the pointer, and before the training."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A request and what became of it: its outcome as far as it has one, what its runs cost, whether it is wanted still.

    `attempts` is how many runs a request gets.
    """

    request: Request
    outcome: str | None
    cost: RequestCost
    is_wanted: bool = True
    attempts: int = 3

    @property
    def is_decided(self) -> bool:
        return self.outcome in DECIDED

    @property
    def is_given_up(self) -> bool:
        """Whether all its runs have ended without anything, or stand where nobody goes on by himself."""
        if self.outcome:
            return self.outcome == NO_DATA
        return len(self.cost.runs) >= self.attempts and not self.cost.runs[-1].is_unknown

    @property
    def state(self) -> str:
        """What became of it in a few words."""
        runs = self.cost.runs
        if self.outcome:
            return self.outcome
        if not runs:
            return "no run has begun"
        if self.is_given_up:
            return f"given up after {len(runs)} runs that failed"
        how = "has begun and not ended" if runs[-1].is_unknown else "ended without a decision"
        return f"run {len(runs)} of {self.attempts} {how}"

    def is_overdue(self, end: datetime, patience_weeks: int) -> bool:
        """Whether it had its time by an instant of the platform's clock, and no decision."""
        return not self.is_decided and utc(end) >= utc(self.request.as_of) + timedelta(weeks=patience_weeks)

    def is_open(self, end: datetime, patience_weeks: int) -> bool:
        """Whether its decision is still to be waited for, so that nobody need ask for another one."""
        return self.is_wanted and not (self.is_decided or self.is_given_up or self.is_overdue(end, patience_weeks))


def judge_answers(answers: Sequence[Answer], *, end: datetime, patience_weeks: int) -> Verdict:
    """Blocked with each request that is not answered as it should be by an instant; Passed, also where none was made.

    `answers` are those of one system, in the order in which they were asked for.
    """
    decided = [number for number, answer in enumerate(answers) if answer.is_decided]
    since = answers[decided[-1] + 1 if decided else 0 :]
    bad = [a for a in since if a.is_wanted and (a.is_given_up or a.is_overdue(end, patience_weeks))]
    if bad:
        return Blocked(tuple(_reason(answer) for answer in bad))
    waiting = [answer.request.key for answer in since if answer.is_open(end, patience_weeks)]
    return Passed({"requests": len(answers), "waiting": waiting})


def why_wait(
    requests: Sequence[Request],
    steps: Sequence[TrainingStep],
    *,
    decided: Container[str],
    end: datetime,
    rule: RetrainingRule,
) -> str | None:
    """Why nothing more may be asked for at an instant of the platform's clock; None where it may.

    In this order: the cooldown after the last request, a request that is not `decided` (by its key) and within patience,
    the budget of runs, the budget of CPU seconds.
    """
    asked = sorted(requests, key=lambda request: utc(request.as_of))
    cool = utc(asked[-1].as_of) + timedelta(weeks=rule.cooldown_weeks) if asked else utc(end)
    if utc(end) < cool:
        return f"cooldown until {cool:%Y-%m-%d}"
    young = [request for request in asked if utc(end) < utc(request.as_of) + timedelta(weeks=rule.patience_weeks)]
    waited_for = [request.key for request in young if request.key not in decided]
    if waited_for:
        return f"{waited_for[-1]} is not decided yet"
    spent = spending(requests, steps, after=utc(end) - timedelta(weeks=rule.budget_weeks), by=end)
    if spent.requests >= rule.budget_runs:
        return f"the budget of {rule.budget_runs} runs in {rule.budget_weeks} weeks is spent"
    dear = spent.why_not_another(rule.budget_cpu_seconds)
    return f"the budget of {rule.budget_cpu_seconds} CPU seconds in {rule.budget_weeks} weeks: {dear}" if dear else None


def answer_to_json(answer: Answer, *, price_per_cpu_hour_usd: float | None) -> dict[str, Any]:
    """A request as a line of the ledger: what became of it and what it cost; None for what is not known."""
    cost, request = answer.cost, answer.request
    return {
        "request": request.key,
        "week": request.week,
        "as_of": utc(request.as_of).isoformat(),
        "actor": request.actor,
        "reason": request.reason,
        "episodes": list(request.episodes),
        "state": answer.state,
        "runs": len(cost.runs),
        "cpu_seconds": round(cost.cpu_seconds, 3),
        "unknown_runs": cost.unknown_runs,
        "usd": cost.usd(price_per_cpu_hour_usd),
    }


def answer_words(answer: Answer, *, price_per_cpu_hour_usd: float | None) -> dict[str, str]:
    """The same line for people: an unknown cost is said to be unknown."""
    row = answer_to_json(answer, price_per_cpu_hour_usd=price_per_cpu_hour_usd)
    known = f"{row['cpu_seconds']:.1f}" if row["runs"] > row["unknown_runs"] or row["cpu_seconds"] else ""
    unknown = f"{row['unknown_runs']} run(s) unknown" if row["unknown_runs"] else ""
    price = "" if not row["runs"] else "unknown" if row["usd"] is None else f"{row['usd']:.4f}"
    return {
        "request": row["request"],
        "week": row["week"],
        "by": row["actor"],
        "because": row["reason"][:120],
        "state": row["state"],
        "CPU seconds": " + ".join(filter(None, [known, unknown])),
        "US dollars": price,
    }


def _reason(answer: Answer) -> str:
    request = answer.request
    return f"{request.key}, asked for by {request.actor} as of {utc(request.as_of):%Y-%m-%d}: {answer.state}"
