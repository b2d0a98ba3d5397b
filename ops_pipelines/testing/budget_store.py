"""The fake of `llmops.budget.BudgetStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Lock

import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.llmops.budget import Account, BudgetStore, Spent, is_of, judge_reservation

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=15)
ACCOUNT = Account("daily[tenant=acme]", 7, limit=100, alert=80)


@dataclass(slots=True)
class _Reservation:
    accounts: Sequence[Account]
    amount: int
    until: datetime
    settled: int | None = None


class MemoryBudgetStore:
    """A BudgetStore that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reservations: dict[str, _Reservation] = {}

    def reserve(self, id: str, accounts: Sequence[Account], amount: int, *, at: datetime, until: datetime) -> Verdict:
        with self._lock:
            if id in self._reservations:
                raise DataError(f"{id!r} was reserved before", expected="a new id", action="Make one")
            found = judge_reservation(accounts, [self._held(account, at) for account in accounts], amount)
            if isinstance(found, Passed):
                self._reservations[id] = _Reservation(accounts, amount, until)
            return found

    def settle(self, id: str, amount: int | None, *, at: datetime) -> bool:  # noqa: ARG002  (it keeps all of them)
        with self._lock:
            found = self._reservations.get(id)
            if found is None or found.settled is not None:
                return False
            found.settled = found.amount if amount is None else amount
            return True

    def spent(self, account: Account, at: datetime) -> Spent:
        with self._lock:
            return self._held(account, at)

    def held(self, budget: str, windows: range, at: datetime) -> Mapping[tuple[str, int], Spent]:
        with self._lock:
            accounts = {one for each in self._reservations.values() for one in each.accounts}
            known = [one for one in accounts if is_of(one.key, budget) and one.window in windows]
            return {(one.key, one.window): self._held(one, at) for one in known}

    def _held(self, account: Account, at: datetime) -> Spent:
        of = [
            one
            for one in self._reservations.values()
            if any((each.key, each.window) == (account.key, account.window) for each in one.accounts)
        ]
        settled = sum(one.settled for one in of if one.settled is not None)
        return Spent(settled, sum(one.amount for one in of if one.settled is None and one.until > at))


def reserved(store: BudgetStore, id: str, amount: int, *accounts: Account, at: datetime = NOON) -> Verdict:
    """The verdict on an amount that is set aside for a quarter of an hour."""
    return store.reserve(id, accounts or (ACCOUNT,), amount, at=at, until=at + timedelta(minutes=15))


class BudgetStoreConformance:
    """What every BudgetStore guarantees, as tests of the fixture `store`."""

    def test_what_is_reserved_cannot_be_reserved_again_and_the_last_dollar_can(self, store: BudgetStore) -> None:
        assert isinstance(reserved(store, "a", 60), Passed)
        refused = reserved(store, "b", 41)
        assert isinstance(refused, Blocked)
        assert "daily[tenant=acme]" in refused.reasons[0]
        assert isinstance(reserved(store, "c", 40), Passed)
        assert store.spent(ACCOUNT, NOON) == Spent(0, 100)

    def test_settling_books_what_it_cost_and_frees_the_rest(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        assert store.settle("a", 10, at=NOON)
        assert store.spent(ACCOUNT, NOON) == Spent(10, 0)

    def test_a_cost_that_nobody_knows_is_what_was_reserved(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        store.settle("a", None, at=NOON)
        assert store.spent(ACCOUNT, NOON) == Spent(60, 0)

    def test_settling_twice_or_what_was_never_reserved_changes_nothing(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        assert [store.settle(id, 10, at=NOON) for id in ("a", "a", "nobody's")] == [True, False, False]
        assert store.spent(ACCOUNT, NOON) == Spent(10, 0)

    def test_a_reservation_counts_until_it_expires_and_can_be_settled_after_it(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        moment = timedelta(microseconds=1)
        assert (store.spent(ACCOUNT, LATER - moment), store.spent(ACCOUNT, LATER)) == (Spent(0, 60), Spent())
        assert store.settle("a", 50, at=LATER + timedelta(hours=1))
        assert store.spent(ACCOUNT, LATER) == Spent(50, 0)

    def test_all_accounts_are_reserved_or_none(self, store: BudgetStore) -> None:
        small = Account("feature", 7, limit=50, alert=40)
        assert isinstance(reserved(store, "a", 60, ACCOUNT, small), Blocked)
        assert (store.spent(ACCOUNT, NOON), store.spent(small, NOON)) == (Spent(), Spent())

    def test_windows_and_accounts_are_kept_apart(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        others = [Account(ACCOUNT.key, 8, 100, 80), Account("daily[tenant=other]", 7, 100, 80)]
        assert [store.spent(other, NOON) for other in others] == [Spent(), Spent()]

    def test_an_alert_is_told_once_when_it_is_reached(self, store: BudgetStore) -> None:
        told = [reserved(store, str(number), 20).evidence["alerts"] for number in range(5)]
        assert [len(alerts) for alerts in told] == [0, 0, 0, 1, 0]
        assert "80%" in told[3][0]

    def test_an_id_that_was_used_before_is_refused(self, store: BudgetStore) -> None:
        reserved(store, "a", 1)
        with pytest.raises(DataError, match="before"):
            reserved(store, "a", 1)

    def test_an_empty_store_has_spent_nothing(self, store: BudgetStore) -> None:
        assert (store.spent(ACCOUNT, NOON), store.settle("a", 1, at=NOON)) == (Spent(), False)

    def test_all_accounts_of_a_budget_are_told_with_what_they_hold(self, store: BudgetStore) -> None:
        other = Account("daily[tenant=other]", 8, 100, 80)
        for number, account in enumerate((ACCOUNT, other, Account("daily_all", 7, 100, 80))):
            reserved(store, str(number), 60, account)
        store.settle("1", 10, at=NOON)
        assert store.held("daily", range(7, 9), NOON) == {
            (ACCOUNT.key, 7): Spent(0, 60),
            (other.key, 8): Spent(10, 0),
        }
        assert store.held("daily", range(8, 9), NOON).keys() == {(other.key, 8)}
        assert store.held("nobody's", range(7, 9), NOON) == {}

    def test_an_account_whose_only_reservation_expired_holds_nothing(self, store: BudgetStore) -> None:
        reserved(store, "a", 60)
        assert store.held("daily", range(7, 8), LATER) == {(ACCOUNT.key, 7): Spent()}

    def test_callers_who_come_at_once_never_reserve_more_than_there_is(self, store: BudgetStore) -> None:
        def call(number: int) -> bool:
            verdict = reserved(store, str(number), 7)
            if isinstance(verdict, Passed) and number % 2:
                store.settle(str(number), 7, at=NOON)
            return isinstance(verdict, Passed)

        with ThreadPoolExecutor(50) as pool:
            assert sum(pool.map(call, range(50))) == 14
        assert store.spent(ACCOUNT, NOON).total == 98
