"""How good an agent is on its tasks, with how sure that is: success, its steps, what went wrong, and what it took."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops_pipelines.agentops.evaluation.distribution import Distribution, distribution_of
from ops_pipelines.agentops.evaluation.task_verdict import TaskVerdict
from ops_pipelines.core.proportion import Proportion, clustered_proportion
from ops_pipelines.llmops.evals.result import EvalRun


@dataclass(frozen=True, slots=True)
class Rate:
    """A score over tasks: `proportion` with its doubt, None where no run was scored; `missing` runs could not be."""

    name: str
    proportion: Proportion | None
    tasks: int
    clusters: int
    missing: int

    def row(self) -> dict[str, Any]:
        """The rate as tables show it."""
        low, high = self.proportion.interval() if self.proportion else (None, None)
        share = self.proportion.share if self.proportion else None
        counts = {"tasks": self.tasks, "clusters": self.clusters, "not evaluated": self.missing}
        return {"score": self.name, "mean": share, "low": low, "high": high, **counts}


@dataclass(frozen=True, slots=True)
class AgentSummary:
    """The runs of an agent in numbers.

    `kinds` counts steps by what they were, `decisive` runs by their first decisive misstep. `added_up` runs failed by several
    small missteps, `recovered` ones stumbled and succeeded.
    """

    runs: int
    rates: Mapping[str, Rate]
    kinds: Mapping[str, int]
    decisive: Mapping[str, int]
    added_up: int
    recovered: int
    usd: Distribution
    steps: Distribution
    tool_calls: Distribution

    def rows(self) -> Iterator[dict[str, Any]]:
        """A row for each score."""
        for rate in self.rates.values():
            yield rate.row()

    def to_json(self) -> dict[str, Any]:
        """The summary as plain JSON."""
        spread = {name: getattr(self, name).to_json() for name in ("usd", "steps", "tool_calls")}
        plain = {name: getattr(self, name) for name in ("runs", "added_up", "recovered")}
        return {
            **plain,
            "rates": list(self.rows()),
            "kinds": dict(self.kinds),
            "decisive": dict(self.decisive),
            **spread,
        }


def summarise_agent(run: EvalRun, verdicts: Sequence[TaskVerdict]) -> AgentSummary:
    """An evaluation and its verdicts in numbers."""
    told = [verdict for verdict in verdicts if verdict.success is not None]
    decisive = Counter(verdict.decisive.kind for verdict in told if verdict.decisive)
    return AgentSummary(
        runs=len(verdicts),
        rates={name: rate_of(run, name) for name in run.scorers},
        kinds=dict(Counter(step.kind for verdict in told for step in verdict.steps).most_common()),
        decisive=dict(decisive.most_common()),
        added_up=sum(verdict.added_up > 0 for verdict in told),
        recovered=sum(verdict.recovered for verdict in told),
        usd=distribution_of([verdict.effort.usd for verdict in told]),
        steps=distribution_of([verdict.effort.steps for verdict in told]),
        tool_calls=distribution_of([verdict.effort.tool_calls for verdict in told]),
    )


def rate_of(run: EvalRun, name: str) -> Rate:
    """One score of an evaluation with its doubt."""
    means, clusters = run.means(name), run.clusters()
    missing = sum(value is None for values in run.values(name).values() for value in values)
    draws = [clusters[task] for task in means]
    proportion = clustered_proportion(list(means.values()), draws) if means else None
    return Rate(name, proportion, len(means), len(set(draws)), missing)
