from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.spend import Purse, settle
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.budget import Spent
from ops_pipelines.testing.budget_store import MemoryBudgetStore

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
CENT = 10**7


def test_a_child_spends_its_own_cap_and_those_above_it():
    store, root = MemoryBudgetStore(), Purse("root", Decimal("0.10"))
    child = root.child("child", Decimal("0.06"))
    assert isinstance(child.reserve(store, "a", Decimal("0.05"), at=NOON), Passed)
    refused = child.reserve(store, "b", Decimal("0.02"), at=NOON)
    assert isinstance(refused, Blocked)
    assert "run:child" in refused.reasons[0]
    assert isinstance(root.reserve(store, "c", Decimal("0.06"), at=NOON), Blocked)
    assert settle(store, "a", Decimal("0.01"), at=NOON)
    assert (root.spent(store, NOON), child.spent(store, NOON)) == (Spent(CENT, 0), Spent(CENT, 0))


def test_a_reservation_that_nobody_settles_counts_for_ever():
    store, root = MemoryBudgetStore(), Purse("root", Decimal("0.10"))
    root.reserve(store, "a", Decimal("0.10"), at=NOON)
    years = NOON + timedelta(days=3650)
    assert isinstance(root.reserve(store, "b", Decimal("0.01"), at=years), Blocked)


def test_four_parallel_children_never_overspend_a_shared_cap():
    store, root = MemoryBudgetStore(), Purse("root", Decimal("0.10"))
    children = [root.child(f"child-{number}") for number in range(4)]

    def call(number: int) -> bool:
        made = children[number % 4].reserve(store, str(number), Decimal("0.01"), at=NOON)
        if isinstance(made, Passed) and number % 2:
            settle(store, str(number), Decimal("0.01"), at=NOON)
        return isinstance(made, Passed)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(call, range(80))) == 10
    assert root.spent(store, NOON).total == 10 * CENT


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.booleans()), max_size=40))
def test_no_cap_of_a_tree_is_ever_overspent(calls):
    store, root = MemoryBudgetStore(), Purse("root", Decimal("0.20"))
    child = root.child("child", Decimal("0.10"))
    tree = [root, child, child.child("grandchild", Decimal("0.05")), root.child("other")]
    for number, (which, cents, settled) in enumerate(calls):
        made = tree[which].reserve(store, str(number), Decimal(cents) / 100, at=NOON)
        if settled and isinstance(made, Passed):
            settle(store, str(number), None, at=NOON)
    for purse in tree:
        assert purse.spent(store, NOON).total <= purse.limit_usd * 10**9


@pytest.mark.parametrize(
    "make", [lambda root: root.child("root"), lambda root: Purse("", Decimal(1)), lambda root: Purse("a", Decimal(-1))]
)
def test_a_purse_that_would_count_twice_or_below_nothing_is_refused(make):
    with pytest.raises(ConfigError, match="purse"):
        make(Purse("root", Decimal(1)))
