"""Is the challenger better than what is live, on the same later rows, beyond what one lucky day explains?

The loss is the task's. The gain is the champion's loss minus the challenger's, row by row, so that both see the same
rows; its standard error counts days and not rows, because the flights of one day share its weather. The gate asks for a
gain whose one-sided lower bound is above zero, and for no slice that got worse by more than its margin. Without a
champion the baseline is the one score that loses least on the training rows.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import clustered_mean
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class GateRule:
    """What the gate asks: the confidence of the bound, the rows a slice needs to be judged, and by how much it may lose.

    `slice_margin` is a share of the champion's loss over all rows, so that it means the same in nats and in minutes.
    ConfigError for a confidence that is not between 0.5 and 1, for fewer rows than one, and for a negative margin.
    """

    confidence: float = 0.95
    min_rows: int = 200
    slice_margin: float = 0.04

    def __post_init__(self) -> None:
        check_settings(
            self,
            "gate",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            min_rows=(self.min_rows >= 1, "at least 1"),
            slice_margin=(self.slice_margin >= 0, "a share of the champion's loss, 0 or more"),
        )


@dataclass(frozen=True, slots=True)
class SliceGain:
    """How one slice fared: its gain, its rows, and whether it was judged or pooled for want of rows."""

    name: str
    rows: int
    gain: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion on the same rows. `loss` names the task's loss; bounds are day-clustered."""

    loss: str
    champion_loss: float
    challenger_loss: float
    gain: float
    gain_interval: tuple[float, float] | None
    gain_lower_bound: float | None
    rows: int
    days: int
    slices: tuple[SliceGain, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    *,
    task: Task,
    labels: "np.ndarray",
    challenger: "np.ndarray",
    champion: "np.ndarray",
    days: Sequence[Hashable],
    slices: "pd.DataFrame",
    rule: GateRule,
) -> Comparison:
    """Both models' scores of the same rows compared, overall and per slice. Raises ValueError for no rows.

    `days` names the day of each row; `slices` has one column per slicing dimension. Slices with fewer rows than
    `rule.min_rows` are listed with judged=False and pooled into one named `<dimension>=other`, which does not gate.
    """
    loss_before, loss_after = task.loss(labels, champion), task.loss(labels, challenger)
    gains = loss_before - loss_after
    mean = clustered_mean(gains, days)
    error = clustered_mean(-gains, days).upper_bound(confidence=rule.confidence)
    return Comparison(
        loss=task.loss_name,
        champion_loss=float(loss_before.mean()),
        challenger_loss=float(loss_after.mean()),
        gain=mean.mean,
        # The two-sided interval whose lower end is the one-sided bound that the gate asks about.
        gain_interval=mean.interval(confidence=2 * rule.confidence - 1),
        gain_lower_bound=None if error is None else -error,
        rows=mean.rows,
        days=mean.clusters,
        slices=tuple(gain for name in slices.columns for gain in _slice_gains(name, slices[name], gains, rule)),
    )


def judge_challenger(comparison: Comparison, rule: GateRule) -> Verdict:
    """Passed where the gain is beyond chance and no judged slice lost more than its margin; NotEvaluated for one day."""
    evidence: Mapping[str, Any] = {"comparison": comparison.to_json(), "rule": asdict(rule)}
    bound = comparison.gain_lower_bound
    if bound is None:
        return NotEvaluated(
            f"the holdout has {comparison.days} day of labelled rows, and an interval needs two", evidence
        )
    reasons = []
    if bound <= 0:
        reasons.append(
            f"{comparison.loss.replace('_', ' ')} {comparison.challenger_loss:.4f} against "
            f"{comparison.champion_loss:.4f}: a gain of "
            f"{comparison.gain:+.4f} whose {rule.confidence:.0%} lower bound over {comparison.days} days is {bound:+.4f}, "
            "not above 0"
        )
    margin = rule.slice_margin * comparison.champion_loss
    reasons += [
        f"slice {part.name} ({part.rows} rows) got worse by {-part.gain:.4f}, more than its margin {margin:.4f}"
        for part in comparison.slices
        if part.judged and -part.gain > margin
    ]
    return Blocked(tuple(reasons), evidence) if reasons else Passed(evidence)


def _slice_gains(name: str, values: "pd.Series[Any]", gains: "np.ndarray", rule: GateRule) -> list[SliceGain]:
    import numpy as np

    labels = values.astype("string").fillna("missing").to_numpy()
    judged: list[SliceGain] = []
    small: list[SliceGain] = []
    pooled = np.zeros(len(gains), dtype=bool)
    for value in sorted(set(labels)):
        inside = labels == value
        rows = int(inside.sum())
        found = SliceGain(f"{name}={value}", rows, float(gains[inside].mean()), judged=rows >= rule.min_rows)
        (judged if found.judged else small).append(found)
        pooled |= inside & (rows < rule.min_rows)
    if pooled.any():
        small.append(SliceGain(f"{name}=other", int(pooled.sum()), float(gains[pooled].mean()), judged=False))
    return judged + small
