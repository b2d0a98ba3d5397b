"""What answering a request cost, in CPU seconds and, where a price is known, in US dollars.

An unknown cost is unknown and not zero. A run that was killed in the middle of a step left no end of it, and one that is
under way has none yet: both count against a budget as the dearest run that is known, and where none is known as all of
it. So nothing is launched by itself beyond a budget because nobody knew what it costs. A run that never began cost
nothing, and what ran before costs were written down is not counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ops_pipelines.core.clock import utc
from ops_pipelines.mlops.retraining_log import Request, TrainingStep

_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class RunCost:
    """One run that answers a request: the CPU seconds of the steps that ended, and whether one of them never did."""

    run: str
    cpu_seconds: float
    is_unknown: bool
    is_good: bool


@dataclass(frozen=True, slots=True)
class RequestCost:
    """What a request has cost so far; no runs where none has begun."""

    runs: tuple[RunCost, ...] = ()

    @property
    def cpu_seconds(self) -> float:
        """What is known of it."""
        return sum(run.cpu_seconds for run in self.runs)

    @property
    def unknown_runs(self) -> int:
        """How many runs cost something beyond that which nobody knows."""
        return sum(run.is_unknown for run in self.runs)

    def usd(self, price_per_cpu_hour: float | None) -> float | None:
        """Its price; None where the price of an hour, or the cost of a run, is not known."""
        if price_per_cpu_hour is None or self.unknown_runs:
            return None
        return self.cpu_seconds / _HOUR * price_per_cpu_hour


@dataclass(frozen=True, slots=True)
class Spending:
    """CPU seconds spent within a budget's weeks: those known, the runs of unknown cost, and the dearest known run."""

    requests: int
    cpu_seconds: float
    unknown_runs: int
    dearest_run: float | None

    @property
    def reserved(self) -> float:
        """What counts as spent: each unknown run as the dearest known one; infinite where no run's cost is known."""
        if not self.unknown_runs:
            return self.cpu_seconds
        return math.inf if self.dearest_run is None else self.cpu_seconds + self.unknown_runs * self.dearest_run

    def left(self, budget: float | None) -> float | None:
        """What is left of a budget, at least 0; None where there is none."""
        return None if budget is None else max(0.0, budget - self.reserved)

    def why_not_another(self, budget: float | None) -> str | None:
        """Why a further run does not fit into a budget, when it costs as much as the dearest one; None where it fits.

        The first run of all fits into any budget, since nobody can know what it costs.
        """
        if budget is None or self.reserved + (self.dearest_run or 0.0) <= budget:
            return None
        if math.isinf(self.reserved):
            return f"{_runs(self.unknown_runs)} of unknown cost, and no run's cost is known"
        unknown = f", {_runs(self.unknown_runs)} of unknown cost counted as the dearest" if self.unknown_runs else ""
        return f"{self.reserved:.1f} are spent{unknown}, and the next run may cost {self.dearest_run or 0.0:.1f}"


def cost_of(request: Request, steps: Sequence[TrainingStep]) -> RequestCost:
    """What the runs of a request cost, in the order in which they began."""
    own: dict[str, list[TrainingStep]] = {}
    for step in steps:
        if step.request == request.key:
            own.setdefault(step.run, []).append(step)
    return RequestCost(tuple(_run_cost(run, written) for run, written in own.items()))


def spending(requests: Sequence[Request], steps: Sequence[TrainingStep], *, after: datetime, by: datetime) -> Spending:
    """What was spent on the requests of an instant later than `after`, and not later than `by`."""
    within = [request for request in requests if utc(after) < utc(request.as_of) <= utc(by)]
    costs = [cost_of(request, steps) for request in within]
    known = [run.cpu_seconds for cost in costs for run in cost.runs if not run.is_unknown]
    return Spending(
        requests=len(within),
        cpu_seconds=sum(cost.cpu_seconds for cost in costs),
        unknown_runs=sum(cost.unknown_runs for cost in costs),
        dearest_run=max(known, default=None),
    )


def _run_cost(run: str, written: Sequence[TrainingStep]) -> RunCost:
    ended = {step.part: step for step in written if step.cpu_seconds is not None}
    return RunCost(
        run=run,
        cpu_seconds=sum(step.cpu_seconds or 0.0 for step in ended.values()),
        is_unknown=any(step.part not in ended for step in written),
        is_good=all(step.is_good for step in ended.values()),
    )


def _runs(count: int) -> str:
    return f"{count} run{'s' if count != 1 else ''}"
