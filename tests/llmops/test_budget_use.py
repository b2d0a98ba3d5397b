from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.budget import Budget, Caller, accounts_of
from ops_pipelines.llmops.budget_use import judge_budget_use, uses_of
from ops_pipelines.llmops.cost import nanos
from ops_pipelines.testing.answer_log import MONDAY
from ops_pipelines.testing.budget_store import MemoryBudgetStore

DAY = Window(MONDAY, MONDAY + timedelta(days=1))
NOON = MONDAY + timedelta(hours=12)
TENANT = Budget("tenant", Decimal(10), per=("tenant",))
ALL = Budget("all", Decimal(100))
HOURLY = Budget("hourly", Decimal(1), window=timedelta(hours=1))


@pytest.fixture
def store():
    return MemoryBudgetStore()


def spend(store, dollars, tenant="acme", *budgets, at=NOON, settled=True):
    """Reserve and settle some dollars of a tenant on its accounts."""
    accounts = accounts_of(budgets or (TENANT, ALL), Caller("desk", "r1", "", tenant), at)
    id = f"{tenant}-{at}-{dollars}"
    store.reserve(id, accounts, nanos(Decimal(dollars)), at=at, until=at + timedelta(minutes=15))
    if settled:
        store.settle(id, nanos(Decimal(dollars)), at=at)


def used(store, *budgets, refused=()):
    return uses_of(budgets or (TENANT, ALL), store, DAY, NOON, refused)


def test_each_account_is_told_the_most_used_first(store):
    spend(store, 9, "acme")
    spend(store, 2, "other", settled=False)
    assert [(use.account, use.spent.settled, use.spent.reserved, use.share) for use in used(store)] == [
        ("tenant[tenant=acme]", 9 * 10**9, 0, 0.9),
        ("tenant[tenant=other]", 0, 2 * 10**9, 0.2),
        ("all", 9 * 10**9, 2 * 10**9, 0.11),
    ]


def test_a_budget_of_nobody_in_particular_is_there_before_anybody_spent(store):
    assert [(use.account, use.share, use.window) for use in used(store)] == [("all", 0, DAY)]


def test_each_window_of_the_day_is_told_where_something_was_spent(store):
    for hour in (0, 23):
        spend(store, 1, "acme", HOURLY, at=MONDAY + timedelta(hours=hour))
    windows = [(use.window.start.hour, use.is_exhausted) for use in used(store, HOURLY)]
    assert windows == [(0, True), (23, True)]


def test_what_was_spent_on_other_days_does_not_count(store):
    spend(store, 9, at=NOON - timedelta(days=1))
    spend(store, 9, at=NOON + timedelta(days=1))
    assert [use.account for use in used(store)] == ["all"]


def test_an_alert_is_a_finding_that_names_the_account(store):
    spend(store, 8)
    verdict = judge_budget_use([TENANT, ALL], used(store))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == (
        "the budget tenant[tenant=acme] of $10 was spent or reserved to 80% in the window that ends at 2026-03-03 00:00",
    )


def test_a_budget_that_has_too_little_left_for_anybody_is_exhausted_although_some_is_left(store):
    spend(store, "9.99")
    refused = [(Caller("desk", "r1", "", "acme"), NOON)]
    states = {use.account: (use.is_exhausted, use.refused) for use in used(store, refused=refused)}
    assert states == {"tenant[tenant=acme]": (True, 1), "all": (False, 1)}


def test_refused_questions_are_a_finding_whatever_the_accounts_say(store):
    verdict = judge_budget_use([TENANT, ALL], used(store), refused=2)
    assert isinstance(verdict, Blocked)
    assert verdict.reasons[0].startswith("2 questions were refused")


def test_little_spent_passes_and_no_budget_is_not_evaluated(store):
    spend(store, 1)
    assert isinstance(judge_budget_use([TENANT, ALL], used(store)), Passed)
    assert isinstance(judge_budget_use((), ()), NotEvaluated)
    assert isinstance(judge_budget_use([TENANT], ()), Passed)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4)), max_size=12))
def test_what_is_told_of_all_tenants_is_what_the_common_account_holds(spendings):
    store = MemoryBudgetStore()
    for number, (tenant, dollars) in enumerate(spendings):
        spend(store, dollars, tenant, at=NOON + timedelta(seconds=number))
    uses = {use.account: use.spent.total for use in used(store)}
    assert sum(total for account, total in uses.items() if account != "all") == uses["all"]
