"""What a change of a prompt will cost before it ships: the same cases asked with the one and with the other.

The cases are a golden set, or last week's questions with how often each kind was asked. Tokens that go in are estimated from
what would really be sent. How long answers will be nobody knows: what was recorded for a case counts for both prompts, up to
the limit that each sets; without a record the limit itself counts, and without either nothing is projected.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

from ops_pipelines.core.errors import OpsError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.prompt import Prompt
from ops_pipelines.llmops.prompt_diff import ESTIMATE
from ops_pipelines.llmops.tokens import estimate_input, estimate_tokens

PriceOf: TypeAlias = Callable[[str, str, Usage], Decimal | None]
"""What some tokens of a provider's model cost in US dollars; None where the price is unknown."""
_LIMITS = ("max_completion_tokens", "max_tokens")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class AskedCase:
    """Values that a prompt is asked with, how often against the others, and how long the answer was, where that is known.

    `before` are the values of the earlier prompt, where it is asked with others: it may have been given other passages.
    """

    id: str
    values: Mapping[str, Any]
    weight: float = 1.0
    output_tokens: int | None = None
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CaseCost:
    """What one case costs with the prompt before and with the one after, in US dollars."""

    id: str
    before: Decimal
    after: Decimal
    weight: float

    @property
    def more(self) -> Decimal:
        """How much more the case adds to the whole: its rise by how often it is asked."""
        return (self.after - self.before) * Decimal(str(self.weight))


@dataclass(frozen=True, slots=True)
class CostRule:
    """How much a request may cost on the average: so many times as much as before, and so many dollars. None for no limit."""

    most_times: float | None = None
    most_usd: Decimal | None = None


class _CannotProject(Exception):
    """Why a case has no projected cost."""


def judge_projected_cost(
    before: Prompt, after: Prompt, cases: Sequence[AskedCase], price_of: PriceOf, rule: CostRule
) -> Verdict:
    """Passed where the average request stays within the rule; Blocked with the cases that cause most of the rise.

    NotEvaluated without cases, for an unknown price, and for a case that cannot be asked or whose answer may have any
    length. The evidence has both averages, their ratio, and each case's share.
    """
    if not cases or not any(case.weight > 0 for case in cases):
        return NotEvaluated("there is no case to project the cost on")
    try:
        costs = [_cost_of(before, after, case, price_of) for case in cases]
    except _CannotProject as error:
        return NotEvaluated(str(error))
    first, second = (_average(costs, which) for which in ("before", "after"))
    evidence = _evidence(first, second, costs)
    reasons = _reasons(first, second, rule, costs)
    return Blocked(reasons, evidence) if reasons else Passed(evidence)


def _cost_of(before: Prompt, after: Prompt, case: AskedCase, price_of: PriceOf) -> CaseCost:
    earlier = case if case.before is None else replace(case, values=case.before)
    return CaseCost(case.id, _usd(before, earlier, price_of), _usd(after, case, price_of), case.weight)


def _usd(prompt: Prompt, case: AskedCase, price_of: PriceOf) -> Decimal:
    usd = price_of(prompt.provider, prompt.model, _usage(prompt, case))
    if usd is None:
        raise _CannotProject(f"the price of {prompt.provider}/{prompt.model} is unknown, which is not nothing")
    return usd


def _usage(prompt: Prompt, case: AskedCase) -> Usage:
    """The tokens of a case, as far as they can be told. It may hold values that only one of the prompts takes."""
    taken = {name: value for name, value in case.values.items() if name in prompt.variables}
    try:
        request = prompt.request(taken)
    except OpsError as error:
        raise _CannotProject(f"case {case.id!r} cannot be asked: {error.wrong}") from error
    limits = [int(prompt.parameters[name]) for name in _LIMITS if prompt.parameters.get(name)]
    lengths = [*limits, *([case.output_tokens] if case.output_tokens is not None else [])]
    if not lengths:
        raise _CannotProject(
            f"case {case.id!r}: no length of an answer was recorded, and the prompt sets no max_tokens"
        )
    schema = canonical_json(request.response_schema).decode() if request.response_schema else ""
    return Usage(estimate_input(request.messages) + estimate_tokens(schema), min(lengths), is_estimate=True)


def _average(costs: Sequence[CaseCost], which: str) -> Decimal:
    weights = [Decimal(str(cost.weight)) for cost in costs]
    total = sum((getattr(cost, which) * weight for cost, weight in zip(costs, weights, strict=True)), Decimal(0))
    return Decimal(total / sum(weights))


def _reasons(before: Decimal, after: Decimal, rule: CostRule, costs: Sequence[CaseCost]) -> tuple[str, ...]:
    reasons = []
    if rule.most_times is not None and after > before * Decimal(str(rule.most_times)):
        times = f"{after / before:.2f} times" if before else "more than nothing, which is any number of times"
        reasons.append(
            f"a request costs {times} as much as before on the average, and may cost {rule.most_times:g} times"
        )
    if rule.most_usd is not None and after > rule.most_usd:
        reasons.append(f"a request costs ${after:.6f} on the average, and may cost ${rule.most_usd:f}")
    if reasons:
        causes = ", ".join(f"{cost.id} (${cost.before:.6f} to ${cost.after:.6f})" for cost in _causes(costs))
        reasons.append(f"most of it comes from {causes}" if causes else "no case costs more than before")
    return tuple(reasons)


def _causes(costs: Sequence[CaseCost]) -> list[CaseCost]:
    """The cases that add most to the rise, the first first."""
    rising = [cost for cost in costs if cost.more > 0]
    return sorted(rising, key=lambda cost: (-cost.more, cost.id))[:_SHOWN]


def _evidence(before: Decimal, after: Decimal, costs: Sequence[CaseCost]) -> dict[str, Any]:
    return {
        "usd_before": float(before),
        "usd_after": float(after),
        "times": float(after / before) if before else None,
        "cases": len(costs),
        "causes": [
            {
                "case": cost.id,
                "usd_before": float(cost.before),
                "usd_after": float(cost.after),
                "more": float(cost.more),
            }
            for cost in _causes(costs)
        ],
        "estimate": ESTIMATE.partition(",")[0],
    }
