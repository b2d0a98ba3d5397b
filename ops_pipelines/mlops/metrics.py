"""How far scores are from outcomes, row by row and over all rows: what a card shows and a gate compares."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


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
    """The mean distance between scores and outcomes over bins of equally many rows, weighted by rows.

    For probabilities it is the expected calibration error, for values the same in the values' units.
    """
    import numpy as np

    parts = [part for part in np.array_split(np.argsort(scores, kind="stable"), bins) if len(part)]
    return float(sum(abs(labels[part].mean() - scores[part].mean()) * len(part) for part in parts) / len(labels))


def at_thresholds(labels: "np.ndarray", scores: "np.ndarray", thresholds: Sequence[float]) -> dict[str, float | None]:
    """Precision, recall and the share of rows called positive where a score of at least each threshold counts as one.

    Precision is None where nothing is called positive, recall where nothing is.
    """
    found: dict[str, float | None] = {}
    for threshold in thresholds:
        called = scores >= threshold
        right, positives = float(labels[called].sum()), float(labels.sum())
        found[f"precision_at_{threshold:g}"] = right / float(called.sum()) if called.any() else None
        found[f"recall_at_{threshold:g}"] = right / positives if positives else None
        found[f"called_at_{threshold:g}"] = float(called.mean())
    return found


def explained_variance(labels: "np.ndarray", scores: "np.ndarray") -> float | None:
    """The share of the outcomes' variance that the scores explain, R squared; None where all outcomes are the same."""
    total = float(((labels - labels.mean()) ** 2).sum())
    return 1 - float(((labels - scores) ** 2).sum()) / total if total else None
