from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.llmops.budget import Account, Budget, Caller, Spent, accounts_of, judge_reservation
from ops_pipelines.llmops.cost import from_nanos, nanos

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
ACME = Caller("runbook_answers", "r1", "console", "acme")


def keys(*budgets: Budget, caller: Caller = ACME) -> list[str]:
    return [account.key for account in accounts_of(budgets, caller, NOON)]


def test_a_budget_per_tenant_has_an_account_for_each():
    assert keys(Budget("daily", Decimal(5), per=("tenant", "feature"))) == ["daily[tenant=acme,feature=console]"]
    assert keys(Budget("daily", Decimal(5))) == ["daily"]


def test_a_budget_of_somebody_else_is_not_asked():
    assert keys(
        Budget("theirs", Decimal(5), of={"tenant": "other"}), Budget("ours", Decimal(5), of={"release": "r1"})
    ) == ["ours"]


def test_a_day_is_a_calendars_day_in_utc():
    budget = Budget("daily", Decimal(5))
    at = [NOON.replace(hour=0), NOON.replace(hour=23, minute=59), NOON + timedelta(hours=12)]
    first, same, next_day = (budget.account(ACME, instant).window for instant in at)
    assert (first, next_day) == (same, same + 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"limit_usd": Decimal(0)},
        {"per": ("team",)},
        {"of": {"team": "x"}},
        {"alert_share": 1.5},
        {"window": timedelta(0)},
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(settings):
    with pytest.raises(ConfigError, match="budgets: daily"):
        Budget("daily", **({"limit_usd": Decimal(1)} | settings))


def test_a_refusal_says_what_is_left_in_dollars():
    account = Account("daily", 1, nanos(Decimal("0.01")), 8_000_000)
    verdict = judge_reservation([account], [Spent(9_000_000)], 2_000_000)
    assert isinstance(verdict, Blocked)
    assert "$0.01 has $0.001 left, and the call may cost $0.002" in verdict.reasons[0]


@given(st.lists(st.integers(0, 60), max_size=40), st.integers(1, 100))
def test_whatever_is_asked_for_no_more_is_granted_than_the_limit(amounts, limit):
    account, held = Account("a", 0, limit, limit), 0
    for amount in amounts:
        if isinstance(judge_reservation([account], [Spent(held)], amount), Passed):
            held += amount
    assert held <= limit


@given(st.decimals(0, 1000, allow_nan=False, places=9))
def test_a_billionth_of_a_dollar_is_kept_exactly(usd):
    assert from_nanos(nanos(usd)) == usd


def test_a_budget_comes_back_from_its_json_unchanged():
    budget = Budget("daily", Decimal("0.1"), timedelta(hours=1), {"release": "r1"}, ("tenant",), 0.5)
    assert Budget.from_json(budget.to_json()) == budget
    assert Budget.from_json({"name": "daily", "limit_usd": 5}) == Budget("daily", Decimal(5))


@pytest.mark.parametrize("record", [{}, {"name": "a", "limit_usd": "much"}, {"name": "a", "limit_usd": 1, "limits": 2}])
def test_what_is_no_budget_is_refused(record):
    with pytest.raises(ConfigError, match="cannot be read"):
        Budget.from_json(record)
