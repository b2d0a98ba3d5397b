"""How far budgets are used: by account, in each of their windows, and whether people have to be told."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.budget import Budget, BudgetStore, Caller, Spent, accounts_of
from ops_pipelines.llmops.cost import from_nanos, nanos

_MOMENT = timedelta(microseconds=1)
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """What one account of a budget holds in one window; `refused` counts questions that it had, perhaps, too little for.

    Which of several budgets refused a question nobody wrote down: each on which its caller counts has it.
    """

    budget: Budget
    account: str
    window: Window
    spent: Spent
    refused: int = 0

    @property
    def share(self) -> float:
        """Which part of the limit is spent or reserved."""
        return self.spent.total / nanos(self.budget.limit_usd)

    @property
    def is_alerting(self) -> bool:
        """Whether people are to be told."""
        return self.share >= self.budget.alert_share

    @property
    def is_exhausted(self) -> bool:
        """Whether nothing is left, or so little that questions were refused."""
        return self.share >= 1 or (self.is_alerting and self.refused > 0)

    def to_json(self) -> dict[str, Any]:
        """The use as plain JSON; dollars are texts, since they are exact."""
        return {
            "budget": self.budget.name,
            "account": self.account,
            "limit_usd": _dollars(self.budget.limit_usd),
            "spent_usd": _dollars(from_nanos(self.spent.settled)),
            "reserved_usd": _dollars(from_nanos(self.spent.reserved)),
            "share": round(self.share, 4),
            "refused": self.refused,
            "state": "exhausted" if self.is_exhausted else "alert" if self.is_alerting else "good",
            "until": self.window.end.isoformat(),
        }


def uses_of(
    budgets: Sequence[Budget],
    store: BudgetStore,
    over: Window,
    at: datetime,
    refused: Iterable[tuple[Caller, datetime]] = (),
) -> tuple[BudgetUse, ...]:
    """Each account of some budgets in each of its windows that touches a span of time, the most used first.

    An account exists once something was reserved on it; a budget that is not told apart by anything is shown from the
    first. `refused` are the questions for which a budget had too little left: who asked, and when.
    """
    counts = _counted(budgets, refused)
    found = [use for budget in budgets for use in _uses_of_one(budget, store, over, at, counts)]
    return tuple(sorted(found, key=lambda use: (-use.share, use.account, use.window.start)))


def judge_budget_use(budgets: Sequence[Budget], uses: Sequence[BudgetUse], *, refused: int = 0) -> Verdict:
    """Passed where no account has reached its alert and no question was refused; NotEvaluated without a budget."""
    evidence = {"refused": refused, "accounts": [use.to_json() for use in uses[:_SHOWN]]}
    reasons = [
        f"the budget {use.account} of ${_dollars(use.budget.limit_usd)} was spent or reserved to {use.share:.0%} in the "
        f"window that ends at {use.window.end:%Y-%m-%d %H:%M}"
        for use in uses
        if use.is_alerting
    ]
    if refused:
        asked = "1 question was" if refused == 1 else f"{refused} questions were"
        reasons.insert(0, f"{asked} refused, since a budget had too little left")
    if reasons:
        return Blocked(tuple(reasons), evidence)
    return Passed(evidence) if budgets else NotEvaluated("there is no budget", evidence)


def _uses_of_one(
    budget: Budget, store: BudgetStore, over: Window, at: datetime, refused: Mapping[tuple[str, int], int]
) -> list[BudgetUse]:
    windows = range(budget.window_at(over.start), budget.window_at(over.end - _MOMENT) + 1)
    held = dict(store.held(budget.name, windows, at))
    if not budget.per:
        held.setdefault((budget.name, windows[-1]), Spent())
    return [
        BudgetUse(budget, key, budget.span_of(window), spent, refused.get((key, window), 0))
        for (key, window), spent in held.items()
    ]


def _counted(budgets: Sequence[Budget], refused: Iterable[tuple[Caller, datetime]]) -> Counter[tuple[str, int]]:
    """How many questions were refused, by the key and window of each account on which they would have counted."""
    counts: Counter[tuple[str, int]] = Counter()
    for caller, at in refused:
        counts.update({(account.key, account.window) for account in accounts_of(budgets, caller, at)})
    return counts


def _dollars(usd: Decimal) -> str:
    return f"{usd.normalize():f}"
