"""How much may be spent, by whom and for what: reserved before a call, settled after it.

What a call can cost at most is set aside before it is made, in the same step that looks at what is left. So callers who
come at once cannot spend the same dollar twice, and one that is killed leaves its reservation behind, which counts
until it expires. What a BudgetStore guarantees is checked by `ops_pipelines.testing.budget_store`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError, NotAllowed, check_settings
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.cost import from_nanos, nanos

DIMENSIONS = ("tenant", "feature", "release", "system")
"""By what spending is told apart."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BudgetSpent(NotAllowed):
    """A call that was not made, since a budget has not enough left for it, or since nobody knows what it would cost."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a call is made. An empty tenant or feature is one of its own, for whoever names none."""

    system: str
    release: str
    feature: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What one budget holds for one caller in one window; amounts are billionths of a dollar."""

    key: str
    window: int
    limit: int
    alert: int


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of dollars for each window of time, counted from 1970 in UTC, so that a day is a calendar's day.

    `of` names whose calls count (tenant, feature, release, system); without it all do. `per` names by what they are told
    apart: a budget per tenant has the whole limit for each tenant. At `alert_share` of it people are told.
    """

    name: str
    limit_usd: Decimal
    window: timedelta = timedelta(days=1)
    of: Mapping[str, str] = field(default_factory=dict)
    per: tuple[str, ...] = ()
    alert_share: float = 0.8

    def __post_init__(self) -> None:
        known = all(name in DIMENSIONS for name in (*self.of, *self.per))
        check_settings(
            self,
            f"budgets: {self.name}",
            limit_usd=(self.limit_usd > 0, "more than 0"),
            window=(self.window >= timedelta(seconds=1), "at least a second"),
            per=(known, f"only names among {', '.join(DIMENSIONS)} here and under `of`"),
            alert_share=(0 < self.alert_share <= 1, "more than 0 and at most 1"),
        )

    def account(self, caller: Caller, at: datetime) -> Account | None:
        """Where a call at this instant counts; None where the budget is not about its caller."""
        if any(getattr(caller, name) != wanted for name, wanted in self.of.items()):
            return None
        apart = ",".join(f"{name}={getattr(caller, name)}" for name in self.per)
        limit, key = nanos(self.limit_usd), f"{self.name}[{apart}]" if apart else self.name
        return Account(key, self.window_at(at), limit, int(limit * self.alert_share))

    def window_at(self, at: datetime) -> int:
        """Which window an instant lies in, counted from 1970."""
        return (utc(at) - _EPOCH) // self.window

    def span_of(self, window: int) -> Window:
        """The span of time of a window."""
        return Window(_EPOCH + window * self.window, _EPOCH + (window + 1) * self.window)

    def to_json(self) -> dict[str, Any]:
        """The budget as plain JSON, its dollars as a text, since they are exact."""
        return {
            "name": self.name,
            "limit_usd": f"{self.limit_usd:f}",
            "window_seconds": self.window.total_seconds(),
            "of": dict(self.of),
            "per": list(self.per),
            "alert_share": self.alert_share,
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Budget":
        """The budget in a record of `to_json`, or in a release; ConfigError for what is none."""
        given = dict(record)
        try:
            limit, seconds = Decimal(str(given.pop("limit_usd"))), float(given.pop("window_seconds", 86_400))
            return cls(limit_usd=limit, window=timedelta(seconds=seconds), per=tuple(given.pop("per", ())), **given)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise ConfigError(
                f"A budget cannot be read from {dict(record)!r}: {error!r}",
                expected="name and limit_usd, and where wanted window_seconds, of, per and alert_share",
                action="Correct it where the release's budgets stand",
            ) from error


@dataclass(frozen=True, slots=True)
class Spent:
    """What an account has spent, and what is reserved on it beside that; billionths of a dollar."""

    settled: int = 0
    reserved: int = 0

    @property
    def total(self) -> int:
        """What cannot be spent again."""
        return self.settled + self.reserved


class BudgetStore(Protocol):
    """Where reservations and spending are kept; amounts are billionths of a dollar, instants the wall clock's."""

    def reserve(self, id: str, accounts: Sequence[Account], amount: int, *, at: datetime, until: datetime) -> Verdict:
        """Set an amount aside on all accounts, or on none: the verdict of `judge_reservation` on what they hold now.

        DataError where the id was used before.
        """

    def settle(self, id: str, amount: int | None, *, at: datetime) -> bool:
        """Book what a reserved call cost, all that was reserved where nobody knows (None), also after it expired.

        False where there is no such reservation, or it was settled before: then nothing changes.
        """

    def spent(self, account: Account, at: datetime) -> Spent:
        """What an account holds now."""

    def held(self, budget: str, windows: range, at: datetime) -> Mapping[tuple[str, int], Spent]:
        """What each account of a budget holds now, by its key and window, of those that ever held anything in `windows`."""


def is_of(key: str, budget: str) -> bool:
    """Whether an account is one of a budget's.

    >>> is_of("daily[tenant=acme]", "daily"), is_of("daily", "daily"), is_of("daily_all", "daily")
    (True, True, False)
    """
    return key == budget or key.startswith(f"{budget}[")


def accounts_of(budgets: Sequence[Budget], caller: Caller, at: datetime) -> tuple[Account, ...]:
    """The accounts on which a call counts."""
    found = (budget.account(caller, at) for budget in budgets)
    return tuple(account for account in found if account is not None)


def judge_reservation(accounts: Sequence[Account], held: Sequence[Spent], amount: int) -> Verdict:
    """Whether all accounts have an amount left; Passed names in its `alerts` those whose alert this very call reaches."""
    reasons, alerts = [], []
    for account, spent in zip(accounts, held, strict=True):
        after = spent.total + amount
        if after > account.limit:
            left = max(account.limit - spent.total, 0)
            reasons.append(
                f"the budget {account.key} of ${_dollars(account.limit)} has ${_dollars(left)} left, and the call may cost "
                f"${_dollars(amount)}"
            )
        elif spent.total < account.alert <= after:
            alerts.append(
                f"the budget {account.key} of ${_dollars(account.limit)} is spent or reserved to {after / account.limit:.0%}"
            )
    return Blocked(tuple(reasons)) if reasons else Passed({"alerts": alerts})


def _dollars(amount: int) -> str:
    return f"{from_nanos(amount):f}"
