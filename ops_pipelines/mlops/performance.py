"""How good a release's scores turned out, once outcomes are known, and whether that is worse than its training weeks.

Two measures are judged: the task's loss, and the **gap** between the mean outcome and the mean score, which is what a
model gets wrong first when the world changes. Their limits come from the training period alone: each of its weeks is
scored by a model that did not see it, and one more such week would stay within the limits with the rule's confidence. A
week is blocked where a measure is beyond its limit and that is more than the week's own days explain.
"""

from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import ClusteredMean, clustered_mean, prediction_bound
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


PERFORMANCE = "performance"
"""The finding of this room."""


@dataclass(frozen=True, slots=True)
class PerformanceRule:
    """When a week's performance is blocked, and when it cannot be judged.

    `confidence` is shared by the two measures' limits; `day_confidence` is that of the one-sided interval over the week's
    days which an excess has to clear. Under `min_rows` labelled rows, or a share of labelled rows under `min_coverage`, a
    week is not judged; slices under `min_slice_rows` rows are not shown. ConfigError for numbers that cannot be meant.
    """

    confidence: float = 0.95
    day_confidence: float = 0.9
    min_rows: int = 500
    min_coverage: float = 0.7
    min_windows: int = 3
    min_slice_rows: int = 100

    def __post_init__(self) -> None:
        check_settings(
            self,
            "performance",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            day_confidence=(0.5 < self.day_confidence < 1, "more than 0.5 and less than 1"),
            min_rows=(self.min_rows >= 1, "at least 1"),
            min_coverage=(0 <= self.min_coverage <= 1, "a share from 0 to 1"),
            min_windows=(self.min_windows >= 2, "at least 2"),
            min_slice_rows=(self.min_slice_rows >= 1, "at least 1"),
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """What the training period says is normal: each of its weeks' loss and gap, by models that saw it not."""

    losses: tuple[float, ...]
    gaps: tuple[float, ...]

    @property
    def loss(self) -> float:
        """The mean loss of the training weeks."""
        return sum(self.losses) / len(self.losses)

    def loss_limit(self, rule: PerformanceRule) -> float:
        """The loss that one more such week would stay below; never under the worst training week's."""
        return max(*self.losses, prediction_bound(self.losses, confidence=_each(rule)))

    def gap_limit(self, rule: PerformanceRule) -> float:
        """The distance of the gap from 0 that one more such week would stay within; two-sided."""
        spread = prediction_bound([gap - sum(self.gaps) / len(self.gaps) for gap in self.gaps], confidence=_both(rule))
        return max(spread, *(abs(gap) for gap in self.gaps))


def _each(rule: PerformanceRule) -> float:
    """The confidence of one of the two measures, by Bonferroni."""
    return 1 - (1 - rule.confidence) / 2


def _both(rule: PerformanceRule) -> float:
    return 1 - (1 - rule.confidence) / 4


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A week's scored rows whose labels are known: label, score and day of each, slices, and how many were scored.

    `slices` has one column per slicing dimension and one row per label.
    """

    labels: "np.ndarray"
    scores: "np.ndarray"
    days: Sequence[Hashable]
    slices: "pd.DataFrame"
    scored: int

    @property
    def coverage(self) -> float:
        """The share of scored rows whose label is known; 0 where none was scored."""
        return len(self.labels) / self.scored if self.scored else 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of a group of rows, with its day-clustered interval; None where one day is all there is."""

    name: str
    measure: str
    rows: int
    value: float | None
    low: float | None = None
    high: float | None = None
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Performance:
    """A week's performance: every number by group and measure, `all` first, and the verdict."""

    measured: tuple[Measured, ...]
    verdict: Verdict


def judge_performance(
    task: Task, outcomes: Outcomes, expected: "Expected | NotEvaluated", rule: PerformanceRule
) -> Performance:
    """The numbers of a week, overall and per slice, and its verdict.

    NotEvaluated where labels are too few, cover too little, come from one day only, or where the release keeps no limits;
    the numbers are there all the same, as far as there are rows.
    """
    if not len(outcomes.labels):
        return Performance((), NotEvaluated("no label is known yet"))
    loss, gap = _loss_and_gap(task, outcomes)
    whole = _rows_of(task, "all", outcomes, (loss, gap), rule)
    shown = (*whole, *_slices(task, outcomes, rule))
    evidence: dict[str, Any] = {
        "rows": len(outcomes.labels),
        "coverage": round(outcomes.coverage, 4),
        "loss_name": task.loss_name,
        "loss": loss.mean,
        **{row.measure: row.value for row in whole[1:]},
    }
    why = _why_not(outcomes, loss, expected, rule)
    if why or isinstance(expected, NotEvaluated):
        return Performance(shown, NotEvaluated(why or "", evidence))
    limits = {"loss": expected.loss_limit(rule), "gap": expected.gap_limit(rule)}
    limited = tuple(_with_limit(row, {task.loss_name: limits["loss"], "gap": limits["gap"]}) for row in shown)
    evidence |= {"limits": limits, "expected_loss": expected.loss, "rule": asdict(rule)}
    reasons = _reasons(task, loss, gap, expected, rule)
    return Performance(limited, Blocked(reasons, evidence) if reasons else Passed(evidence))


def _loss_and_gap(task: Task, outcomes: Outcomes) -> tuple[ClusteredMean, ClusteredMean]:
    losses = task.loss(outcomes.labels, outcomes.scores)
    return clustered_mean(losses, outcomes.days), clustered_mean(outcomes.labels - outcomes.scores, outcomes.days)


def _why_not(
    outcomes: Outcomes, loss: ClusteredMean, expected: "Expected | NotEvaluated", rule: PerformanceRule
) -> str | None:
    """Why a week cannot be judged; None where it can."""
    if len(outcomes.labels) < rule.min_rows:
        return f"{len(outcomes.labels)} labelled rows, and {rule.min_rows} are needed"
    if outcomes.coverage < rule.min_coverage:
        return f"labels are known for {outcomes.coverage:.1%} of the scored rows, under the floor of {rule.min_coverage:.0%}"
    if loss.standard_error is None:
        return "all labelled rows are of one day, and an interval needs two"
    if isinstance(expected, NotEvaluated):
        return expected.why
    if len(expected.losses) < rule.min_windows:
        return f"the training period has {len(expected.losses)} weeks, and limits need {rule.min_windows}"
    return None


def _reasons(
    task: Task, loss: ClusteredMean, gap: ClusteredMean, expected: Expected, rule: PerformanceRule
) -> tuple[str, ...]:
    """What is beyond its limit by more than the week's own days explain."""
    noise_of_loss, noise_of_gap = _noise(loss, rule.day_confidence), _noise(gap, rule.day_confidence)
    loss_limit, gap_limit = expected.loss_limit(rule), expected.gap_limit(rule)
    reasons = []
    if loss.mean > loss_limit and loss.mean - noise_of_loss > expected.loss:
        reasons.append(
            f"{task.loss_name.replace('_', ' ')} {loss.mean:.3f}, above the {loss_limit:.3f} that the training weeks "
            f"allow (their mean is {expected.loss:.3f})"
        )
    if abs(gap.mean) > gap_limit and abs(gap.mean) - noise_of_gap > 0:
        reasons.append(task.gap_words(gap.mean, gap_limit))
    return tuple(reasons)


def _noise(mean: ClusteredMean, confidence: float) -> float:
    bound = mean.upper_bound(confidence=confidence)
    return bound - mean.mean if bound is not None else float("inf")


def _slices(task: Task, outcomes: Outcomes, rule: PerformanceRule) -> list[Measured]:
    """The numbers of each slice with enough rows."""
    import numpy as np

    days = np.asarray(outcomes.days)
    found: list[Measured] = []
    for dimension in outcomes.slices.columns:
        values = outcomes.slices[dimension].astype("string").fillna("missing").to_numpy()
        for value in sorted(set(values)):
            inside = values == value
            if inside.sum() < rule.min_slice_rows:
                continue
            part = Outcomes(
                outcomes.labels[inside],
                outcomes.scores[inside],
                list(days[inside]),
                outcomes.slices[inside],
                int(inside.sum()),
            )
            found += _rows_of(task, f"{dimension}={value}", part, _loss_and_gap(task, part), rule)
    return found


def _rows_of(
    task: Task, name: str, outcomes: Outcomes, judged: tuple[ClusteredMean, ClusteredMean], rule: PerformanceRule
) -> list[Measured]:
    """The numbers of one group: loss and gap with their two-sided intervals, and what the task shows beside them."""
    rows, wide = len(outcomes.labels), 2 * rule.confidence - 1
    with_intervals = [
        Measured(name, measure, rows, mean.mean, *(mean.interval(confidence=wide) or (None, None)))
        for measure, mean in zip((task.loss_name, "gap"), judged, strict=True)
    ]
    beside = task.beside(outcomes.labels, outcomes.scores)
    return [*with_intervals, *(Measured(name, measure, rows, value) for measure, value in beside.items())]


def _with_limit(row: Measured, limits: dict[str, float]) -> Measured:
    if row.name != "all" or row.measure not in limits:
        return row
    return Measured(row.name, row.measure, row.rows, row.value, row.low, row.high, limits[row.measure])
