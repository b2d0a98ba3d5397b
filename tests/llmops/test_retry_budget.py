import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops.retry_budget import RetryBudget

BUDGET = RetryBudget(attempts=4, seconds=60, first_wait_seconds=0.5, longest_wait_seconds=1.5)


def test_waits_double_up_to_the_longest_one():
    assert [BUDGET.wait_after(attempt, spent_seconds=0, chance=1.0) for attempt in (1, 2, 3, 4)] == [
        0.5,
        1.0,
        1.5,
        None,
    ]


def test_what_a_provider_asks_for_is_a_floor():
    assert BUDGET.wait_after(1, spent_seconds=0, chance=0.5, asked_seconds=7.0) == 7.25


def test_a_wait_that_ends_after_the_budget_is_not_begun():
    assert BUDGET.wait_after(1, spent_seconds=59.8, chance=1.0) is None


@given(st.integers(1, 9), st.floats(0, 100), st.floats(0, 1), st.none() | st.floats(0, 100))
def test_no_wait_ever_leads_past_the_budget_or_below_what_was_asked_for(attempt, spent, chance, asked):
    wait = BUDGET.wait_after(attempt, spent_seconds=spent, chance=chance, asked_seconds=asked)
    assert wait is None or (asked or 0) <= wait < BUDGET.seconds - spent + 1e-9


@pytest.mark.parametrize("settings", [{"attempts": 0}, {"seconds": 0}, {"first_wait_seconds": 9}])
def test_a_budget_that_makes_no_sense_is_refused(settings):
    with pytest.raises(ConfigError, match="retries"):
        RetryBudget(**settings)
