from datetime import timedelta
from decimal import Decimal

import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.spending import LatencyBudget, judge_latency, spending_by
from ops_pipelines.testing.call_log import MONDAY, call_of

CALLS = [
    call_of("a", usd=Decimal("0.5"), latency_ms=100),
    call_of("b", usd=None, usage=None, outcome="cut", latency_ms=9000),
    call_of("c", tenant="other", usd=Decimal(2), at=MONDAY + timedelta(days=1), latency_ms=300),
]


def test_calls_are_summed_by_tenant_the_dearest_first():
    other, acme = spending_by(CALLS, ["tenant"])
    assert (other.group, acme.group) == ({"tenant": "other"}, {"tenant": "acme"})
    assert (acme.requests, acme.failed, acme.unpriced, acme.usd) == (2, 1, 1, Decimal("0.5"))
    assert (acme.input_tokens, acme.output_tokens) == (1200, 80)


def test_a_cost_that_nobody_knows_is_no_sum():
    (found,) = spending_by([call_of("a", usd=None)], ["feature"])
    assert (found.usd, found.unpriced) == (None, 1)


def test_several_names_tell_calls_apart_together():
    assert [one.group for one in spending_by(CALLS, ["day", "tenant"])] == [
        {"day": "2026-03-03", "tenant": "other"},
        {"day": "2026-03-02", "tenant": "acme"},
    ]


def test_latency_is_that_of_what_was_answered():
    assert spending_by(CALLS, ["system"])[0].latency_ms == {50: 100, 95: 300, 99: 300}


def test_estimated_tokens_are_counted_as_such():
    assert spending_by([call_of("a", usage=Usage(1, 1, is_estimate=True))], ["day"])[0].estimated == 1


def test_a_name_that_is_none_has_a_near_miss():
    with pytest.raises(ConfigError, match="Did you mean 'tenant'"):
        spending_by(CALLS, ["tenants"])


@pytest.mark.parametrize(
    ("latencies", "verdict"),
    [([100.0] * 19, NotEvaluated), ([100.0] * 20, Passed), ([100.0] * 18 + [900.0] * 2, Blocked), ([], NotEvaluated)],
)
def test_latency_is_judged_at_its_percentiles_and_not_for_a_few_answers(latencies, verdict):
    assert isinstance(judge_latency(latencies, LatencyBudget(p50=200, p95=800)), verdict)


@pytest.mark.parametrize("limits", [{}, {"p50": 200, "p95": 100}, {"p99": 0}])
def test_a_latency_budget_that_makes_no_sense_is_refused(limits):
    with pytest.raises(ConfigError, match="latency_ms"):
        LatencyBudget(**limits)
