"""Whether what was asked for was launched, and ended in a decision.

A request ends when its challenger is promoted or refused. Anything else is told, with its reason, once the request is
older than the patience of the rule, and at once where nothing will happen by itself any more: its runs are given up, or
its training set was refused. What nobody wants any more is not told: a later request of the system was decided, or all
episodes that it answers have ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ops_pipelines.core.clock import utc
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.training_cost import RequestCost

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
            return "not launched"
        if self.is_given_up:
            return f"given up after {len(runs)} runs that failed"
        return "begun and not ended" if runs[-1].is_unknown else f"{len(runs)} of {self.attempts} runs ended undecided"

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


def _reason(answer: Answer) -> str:
    request = answer.request
    return f"{request.key}, asked for by {request.actor} as of {utc(request.as_of):%Y-%m-%d}: {answer.state}"
