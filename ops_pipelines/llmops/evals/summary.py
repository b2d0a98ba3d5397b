"""What a run comes to: the mean of each score with how sure it is, what could not be told, and what went wrong.

Cases of one cluster resemble each other, so that intervals count clusters. A mean is only of what was scored; how much
was not is said beside it, and more of it than a rule allows makes the run NotEvaluated.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import ClusteredMean, clustered_mean
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.evals.result import EvalRun, Scored

FAILED_BELOW = 0.5
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer whose score is below FAILED_BELOW, and why."""

    case: str
    kind: str
    repeat: int
    score: str
    value: float
    why: str


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """One score over a run. `mean` is None where nothing was scored, `interval` where its 95% cannot be told.

    `cases` and `answers` count what was scored, `missing` the answers that ought to have been and could not.
    """

    name: str
    mean: float | None
    interval: tuple[float, float] | None
    cases: int
    answers: int
    clusters: int
    missing: int
    failures: tuple[Failure, ...]

    @property
    def missing_share(self) -> float:
        """The share of the answers that ought to have been scored and were not."""
        return self.missing / (self.missing + self.answers) if self.missing else 0.0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in numbers. `errors` has why each case without an answer has none."""

    cases: int
    scores: Mapping[str, ScoreSummary]
    by_kind: Mapping[str, Mapping[str, float]]
    errors: Mapping[str, str]
    stopped: str = ""

    def rows(self) -> Iterator[dict[str, object]]:
        """A row for each score, as tables show it."""
        for one in self.scores.values():
            low, high = one.interval or (None, None)
            yield {
                "score": one.name,
                "mean": one.mean,
                "low": low,
                "high": high,
                "cases": one.cases,
                "clusters": one.clusters,
                "not evaluated": one.missing,
                "failures": len(one.failures),
            }


@dataclass(frozen=True, slots=True)
class EvalRule:
    """What a run has to come to: the least mean of each score that is required, and how much may be missing of each.

    ConfigError for no score, and for a bound outside 0 to 1.
    """

    least: Mapping[str, float] = field(default_factory=dict)
    most_missing: float = 0.0

    def __post_init__(self) -> None:
        bounded = bool(self.least) and all(0 <= bound <= 1 for bound in self.least.values())
        check_settings(
            self,
            "evaluation",
            least=(bounded, "at least one score, with a mean from 0 to 1"),
            most_missing=(0 <= self.most_missing < 1, "from 0 to below 1"),
        )


def summarise(run: EvalRun) -> RunSummary:
    """A run in numbers."""
    names = run.scorers or dict.fromkeys(name for one in run.scored for name in one.scores)
    kinds = sorted({one.kind for one in run.scored})
    return RunSummary(
        cases=len({one.case for one in run.scored}),
        scores={name: _summary(name, run) for name in names},
        by_kind={kind: _means([one for one in run.scored if one.kind == kind], list(names)) for kind in kinds},
        errors={one.case: one.error for one in run.errors},
        stopped=run.stopped,
    )


def judge_run(run: EvalRun, rule: EvalRule) -> Verdict:
    """Whether each required mean is reached; Blocked with the worst answers where one is not.

    NotEvaluated for a run without a case, one that was stopped, and one in which a required score is missing more often
    than allowed: what was not asked, not answered or not judged is no pass.
    """
    summary = summarise(run)
    evidence = {"cases": summary.cases, "means": {name: one.mean for name, one in summary.scores.items()}}
    if not run.scored:
        return NotEvaluated("no case was asked", evidence)
    low = [reason for name, bound in rule.least.items() for reason in _too_low(summary.scores.get(name), bound)]
    if low:
        return Blocked(tuple(low), evidence)
    unknown = [why for name in rule.least for why in _unknown(name, summary, rule)]
    if summary.stopped:
        unknown.insert(0, f"the evaluation was stopped: {summary.stopped}")
    return NotEvaluated("; ".join(unknown), evidence) if unknown else Passed(evidence)


def _too_low(one: ScoreSummary | None, bound: float) -> Iterator[str]:
    if one and one.mean is not None and one.mean < bound:
        worst = sorted(one.failures, key=lambda failure: failure.value)[:_SHOWN]
        named = "; ".join(f"{failure.case}: {failure.why}" for failure in worst)
        yield f"{one.name} is {one.mean:.3f}, and at least {bound:.3f} is required" + (f" ({named})" if named else "")


def _unknown(name: str, summary: RunSummary, rule: EvalRule) -> Iterator[str]:
    one = summary.scores.get(name)
    if one is None or one.mean is None:
        yield f"{name} was not scored"
    elif one.missing_share > rule.most_missing:
        share = f"{one.missing_share:.1%}, and {rule.most_missing:.1%} may be"
        yield f"{name} is missing of {one.missing} answer(s): {share}"


def _summary(name: str, run: EvalRun) -> ScoreSummary:
    means, clusters = run.means(name), run.clusters()
    told = [value for values in run.values(name).values() for value in values]
    missing = told.count(None)
    if not means:
        return ScoreSummary(name, None, None, 0, 0, 0, missing, ())
    found = _clustered(list(means.values()), [clusters[case] for case in means])
    bounds = found.interval()
    return ScoreSummary(
        name=name,
        mean=found.mean,
        interval=None if bounds is None else (max(0.0, bounds[0]), min(1.0, bounds[1])),
        cases=len(means),
        answers=len(told) - missing,
        clusters=found.clusters,
        missing=missing,
        failures=tuple(_failures(name, run.scored)),
    )


def _clustered(values: list[float], clusters: list[str]) -> ClusteredMean:
    import numpy as np

    return clustered_mean(np.array(values), clusters)


def _failures(name: str, scored: tuple[Scored, ...]) -> Iterator[Failure]:
    for one in scored:
        value = one.scores.get(name)
        if value is not None and value < FAILED_BELOW:
            yield Failure(one.case, one.kind, one.repeat, name, value, one.why.get(name, ""))


def _means(scored: list[Scored], names: list[str]) -> dict[str, float]:
    found = {name: [value for one in scored if (value := one.scores.get(name)) is not None] for name in names}
    return {name: fmean(values) for name, values in found.items() if values}
