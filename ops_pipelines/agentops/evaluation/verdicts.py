"""Whether an agent is good enough by itself, and no worse than the one that is live."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ops_pipelines.agentops.evaluation.scores import SCORES, SUCCESS
from ops_pipelines.agentops.evaluation.summary import rate_of
from ops_pipelines.core.errors import check_settings, near_miss
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.compare import CompareRule, compare_runs, judge_comparison
from ops_pipelines.llmops.evals.result import EvalRun
from ops_pipelines.llmops.evals.summary import EvalRule, judge_run


@dataclass(frozen=True, slots=True)
class FloorRule:
    """What an agent has to come to alone.

    `least` are the least means of scores. `surely` are shares below which the true ones must not lie, with `confidence`: too
    few tasks cannot show that, however well they went. ConfigError for a score that there is not, and for other numbers.
    """

    least: Mapping[str, float]
    surely: Mapping[str, float] = field(default_factory=dict)
    confidence: float = 0.95

    def __post_init__(self) -> None:
        unknown = [name for name in (*self.least, *self.surely) if name not in SCORES]
        expected = near_miss(unknown[0], SCORES) if unknown else "a mean from 0 to 1 of at least one score"
        check_settings(
            self,
            "floors",
            least=(not unknown and bool(self.least) and _are_shares(self.least), expected),
            surely=(_are_shares(self.surely), "a share from 0 to below 1 of each score"),
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
        )


def judge_floors(run: EvalRun, rule: FloorRule) -> Verdict:
    """Passed where each mean is reached, and each share is sure enough; Blocked, with the worst tasks, where one is not.

    NotEvaluated where a run is missing, and where there are too few tasks to be sure.
    """
    alone = judge_run(run, EvalRule(rule.least))
    rates = {name: rate_of(run, name) for name in dict.fromkeys((*rule.least, *rule.surely))}
    evidence = {**alone.evidence, "rates": [rate.row() for rate in rates.values()]}
    if isinstance(alone, Blocked):
        return Blocked(alone.reasons, evidence)
    if isinstance(alone, NotEvaluated):
        return NotEvaluated(alone.why, evidence)
    unsure = list(_unsure(run, rule))
    return NotEvaluated("cannot tell: " + "; ".join(unsure), evidence) if unsure else Passed(evidence)


def judge_beside_live(candidate: EvalRun, live: EvalRun, *, rule: CompareRule | None = None) -> Verdict:
    """Passed where a candidate succeeds no worse than what is live on the same tasks; see `judge_comparison`.

    NotEvaluated where the tasks, or the way of judging them, are not the same, and where nobody can tell.
    """
    asked = rule or CompareRule()
    if candidate.cases != live.cases:
        return NotEvaluated("the two were not evaluated on the same tasks: evaluate what is live on these")
    if candidate.scorers.get(SUCCESS) != live.scorers.get(SUCCESS):
        return NotEvaluated(f"{SUCCESS} was judged in another way then: evaluate what is live again")
    ours, theirs = candidate.values(SUCCESS), live.values(SUCCESS)
    return judge_comparison(compare_runs(ours, theirs, clusters=candidate.clusters(), rule=asked), asked)


def _unsure(run: EvalRun, rule: FloorRule) -> Iterator[str]:
    for name, bound in rule.surely.items():
        rate = rate_of(run, name)
        if rate.proportion is None:
            yield f"{name} was not scored"
            continue
        low = rate.proportion.lower_bound(confidence=rule.confidence)
        if low < bound:
            shown = f"{name} is {rate.proportion.share:.3f} on {rate.tasks} tasks of {rate.clusters} clusters"
            yield f"{shown}, and surely only above {low:.3f}, where {bound:.3f} is asked for"


def _are_shares(bounds: Mapping[str, float]) -> bool:
    return all(0 <= bound <= 1 for bound in bounds.values())
