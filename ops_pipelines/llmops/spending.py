"""What calls came to, by tenant, feature, release, day or whatever else: requests, tokens, dollars and how long they took."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError, check_settings, near_miss
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.call_log import ANSWERED, Call

GROUPS: Mapping[str, Callable[[Call], str]] = {
    "tenant": lambda call: call.caller.tenant,
    "feature": lambda call: call.caller.feature,
    "release": lambda call: call.caller.release,
    "system": lambda call: call.caller.system,
    "provider": lambda call: call.provider,
    "model": lambda call: call.answered_by or call.model,
    "day": lambda call: f"{utc(call.called_at):%Y-%m-%d}",
}
"""By what calls are grouped. A day is one in UTC."""
LATENCIES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Spending:
    """What the calls of one group came to.

    `usd` sums the calls whose cost is known, and is None where none is; `unpriced` counts the others. `estimated` counts
    calls whose tokens are an estimate. `latency_ms` has the 50th, 95th and 99th percentile of what was answered.
    """

    group: Mapping[str, str]
    requests: int
    failed: int
    unpriced: int
    estimated: int
    input_tokens: int
    output_tokens: int
    usd: Decimal | None
    latency_ms: Mapping[int, float]


def spending_by(calls: Iterable[Call], by: Sequence[str]) -> tuple[Spending, ...]:
    """The spending of each group, the dearest first; ConfigError with a near miss for a name that is not in GROUPS."""
    for name in by:
        if name not in GROUPS:
            raise ConfigError(
                f"Calls are not told apart by {name!r}",
                expected=f"some of {', '.join(GROUPS)}",
                action=near_miss(name, GROUPS),
            )
    groups: dict[tuple[str, ...], list[Call]] = {}
    for call in calls:
        groups.setdefault(tuple(GROUPS[name](call) for name in by), []).append(call)
    found = [_spending(dict(zip(by, key, strict=True)), group) for key, group in groups.items()]
    return tuple(sorted(found, key=lambda one: (-(one.usd or 0), -one.requests, tuple(one.group.values()))))


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest of some values that at least so many percent do not exceed (nearest rank).

    >>> percentile([10.0, 20.0, 30.0, 40.0], 50), percentile([10.0, 20.0, 30.0, 40.0], 95)
    (20.0, 40.0)
    """
    return sorted(values)[max(ceil(percent / 100 * len(values)) - 1, 0)]


@dataclass(frozen=True, slots=True)
class LatencyBudget:
    """How long answers may take, in milliseconds, at some percentiles; fewer answers than `least_calls` are not judged."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    least_calls: int = 20

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.p50, self.p95, self.p99) if limit is not None]
        check_settings(
            self,
            "latency_ms",
            p99=(
                bool(limits) and limits == sorted(limits) and limits[0] > 0,
                "limits above 0 that rise, at least one of them",
            ),
            least_calls=(self.least_calls >= 1, "at least 1"),
        )


def judge_latency(latencies_ms: Sequence[float], budget: LatencyBudget) -> Verdict:
    """Whether answers took no longer than they may; NotEvaluated for too few of them."""
    if len(latencies_ms) < budget.least_calls:
        return NotEvaluated(f"{len(latencies_ms)} answers are fewer than {budget.least_calls}")
    limits = {percent: getattr(budget, f"p{percent}") for percent in LATENCIES}
    found = {percent: percentile(latencies_ms, percent) for percent in LATENCIES}
    evidence = {"answers": len(latencies_ms), **{f"p{percent}": found[percent] for percent in LATENCIES}}
    late = tuple(
        f"p{percent} is {found[percent]:.0f} ms, and {limit:.0f} ms are allowed"
        for percent, limit in limits.items()
        if limit is not None and found[percent] > limit
    )
    return Blocked(late, evidence) if late else Passed(evidence)


def _spending(group: Mapping[str, str], calls: Sequence[Call]) -> Spending:
    usages = [call.usage for call in calls if call.usage]
    costs = [call.usd for call in calls if call.usd is not None]
    took = [call.latency_ms for call in calls if call.outcome == ANSWERED]
    return Spending(
        group=group,
        requests=len(calls),
        failed=sum(call.outcome != ANSWERED for call in calls),
        unpriced=len(calls) - len(costs),
        estimated=sum(usage.is_estimate for usage in usages),
        input_tokens=sum(usage.input_tokens for usage in usages),
        output_tokens=sum(usage.output_tokens for usage in usages),
        usd=sum(costs, Decimal(0)) if costs else None,
        latency_ms={percent: percentile(took, percent) for percent in LATENCIES} if took else {},
    )
