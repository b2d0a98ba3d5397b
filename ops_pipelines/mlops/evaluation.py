"""Is the challenger better than what is live, on the same later rows, beyond what one lucky day explains?

The loss is log loss in nats. The gain is the champion's loss minus the challenger's, row by row, so that both see the
same rows; its standard error counts days and not rows, because the flights of one day share its weather. The gate asks
for a gain whose one-sided lower bound is above zero, and for no slice that got worse by more than its margin.
Without a champion the baseline is the base rate of the training rows.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import clustered_mean
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True, slots=True)
class GateRule:
    """What the gate asks: the confidence of the bound, the rows a slice needs to be judged, and by how much it may lose.

    `slice_margin` is in nats of log loss. ConfigError for a confidence that is not between 0.5 and 1, for fewer rows
    than one, and for a negative margin.
    """

    confidence: float = 0.95
    min_rows: int = 200
    slice_margin: float = 0.02

    def __post_init__(self) -> None:
        check_settings(
            self,
            "gate",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            min_rows=(self.min_rows >= 1, "at least 1"),
            slice_margin=(self.slice_margin >= 0, "nats of log loss, 0 or more"),
        )


@dataclass(frozen=True, slots=True)
class SliceGain:
    """How one slice fared: its gain in nats, its rows, and whether it was judged or pooled for want of rows."""

    name: str
    rows: int
    gain: float
    judged: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion on the same rows. Losses and gains are nats of log loss; bounds are day-clustered."""

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


def log_loss(labels: "np.ndarray", scores: "np.ndarray") -> "np.ndarray":
    """The log loss of each row in nats; scores are kept a millionth away from 0 and 1, so that no row is infinite."""
    import numpy as np

    kept = np.clip(scores, 1e-6, 1 - 1e-6)
    losses: np.ndarray = -(labels * np.log(kept) + (1 - labels) * np.log1p(-kept))
    return losses


def roc_auc(labels: "np.ndarray", scores: "np.ndarray") -> float | None:
    """The chance that a positive row outscores a negative one, ties counted half; None for one class only.

    Mann and Whitney's U over the number of pairs.
    """
    import numpy as np

    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return None
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(sizes) - (sizes - 1) / 2
    ranks = float(mean_rank[group][labels == 1].sum())
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives)


def calibration_error(labels: "np.ndarray", scores: "np.ndarray", *, bins: int = 10) -> float:
    """The mean distance between scores and outcomes over bins of equally many rows, weighted by rows."""
    import numpy as np

    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    return float(sum(abs(labels[part].mean() - scores[part].mean()) * len(part) for part in parts) / len(labels))


def metrics(labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
    """Log loss (nats), AUC, calibration error, Brier score, the share of positives and the mean score."""
    return {
        "log_loss": float(log_loss(labels, scores).mean()),
        "auc": roc_auc(labels, scores),
        "calibration_error": calibration_error(labels, scores),
        "brier": float(((scores - labels) ** 2).mean()),
        "positive_share": float(labels.mean()),
        "mean_score": float(scores.mean()),
    }


def judge_probabilities(scores: "np.ndarray", *, rows: int) -> Verdict:
    """Passed where there is one finite score from 0 to 1 for each row; NotEvaluated otherwise, before any metric."""
    import numpy as np

    if scores.shape == (rows,) and np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1:
        return Passed()
    return NotEvaluated(f"the model gave scores of shape {scores.shape} for {rows} rows, not one from 0 to 1 for each")


def compare(
    *,
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
    loss_before, loss_after = log_loss(labels, champion), log_loss(labels, challenger)
    gains = loss_before - loss_after
    mean = clustered_mean(gains, days)
    error = clustered_mean(-gains, days).upper_bound(confidence=rule.confidence)
    return Comparison(
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
            f"log loss {comparison.challenger_loss:.4f} against {comparison.champion_loss:.4f}: a gain of "
            f"{comparison.gain:+.4f} whose {rule.confidence:.0%} lower bound over {comparison.days} days is {bound:+.4f}, "
            "not above 0"
        )
    reasons += [
        f"slice {part.name} ({part.rows} rows) got worse by {-part.gain:.4f}, more than its margin {rule.slice_margin}"
        for part in comparison.slices
        if part.judged and -part.gain > rule.slice_margin
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
