"""What a run may spend, and all who work for it: a child's call is paid from its own cap and from those above it.

A call is reserved on all of these at once, in one step of the BudgetStore, so that children who come together cannot spend
a shared dollar twice. A cap is of a run and not of a day: there is one window, and a reservation never expires by itself,
since nobody knows whether a call that was never settled was made.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.llmops.budget import Account, BudgetStore, Spent
from ops_pipelines.llmops.cost import nanos

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_ONE_WINDOW = 0


@dataclass(frozen=True, slots=True)
class Purse:
    """What one run may spend in all, within the purse of the run that it works for.

    >>> root = Purse("root", Decimal(1))
    >>> [account.key for account in root.child("worker", Decimal("0.5")).accounts]
    ['run:worker', 'run:root']
    """

    run: str
    limit_usd: Decimal
    parent: "Purse | None" = None

    def __post_init__(self) -> None:
        above = {account.key for account in self.parent.accounts} if self.parent else set()
        if self.limit_usd < 0 or not self.run or f"run:{self.run}" in above:
            raise ConfigError(
                f"The run {self.run!r} cannot have a purse of ${self.limit_usd}",
                expected="a limit of 0 or more, and an id that no run above it has",
                action="Give each run an id of its own",
            )

    def child(self, run: str, limit_usd: Decimal | None = None) -> "Purse":
        """The purse of a run that works for this one; without a limit of its own it has this one's."""
        return Purse(run, self.limit_usd if limit_usd is None else limit_usd, self)

    @property
    def accounts(self) -> tuple[Account, ...]:
        """Where each of its calls counts, its own first."""
        limit = nanos(self.limit_usd)
        own = Account(f"run:{self.run}", _ONE_WINDOW, limit, limit + 1)
        return (own, *(self.parent.accounts if self.parent else ()))

    def reserve(self, store: BudgetStore, id: str, usd: Decimal, *, at: datetime) -> Verdict:
        """Set aside the most that a call can cost, here and above, or nowhere."""
        return store.reserve(id, self.accounts, nanos(usd), at=at, until=_NEVER)

    def spent(self, store: BudgetStore, at: datetime) -> Spent:
        """What it has spent, its children's calls included."""
        return store.spent(self.accounts[0], at)


def settle(store: BudgetStore, id: str, usd: Decimal | None, *, at: datetime) -> bool:
    """Book what a call cost; all that was reserved where nobody knows (None)."""
    return store.settle(id, None if usd is None else nanos(usd), at=at)
