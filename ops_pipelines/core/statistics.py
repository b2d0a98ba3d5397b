"""Means whose rows are not independent.

Rows of one day share its weather, so an interval that counts rows is far too narrow. Clusters (days) are what is
independent here, and their number is what the interval pays for.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean with its cluster-robust standard error; `standard_error` is None where fewer than two clusters exist."""

    mean: float
    standard_error: float | None
    rows: int
    clusters: int

    def upper_bound(self, *, confidence: float = 0.95) -> float | None:
        """The value below which the true mean lies with that one-sided confidence; None where it cannot be told.

        Student's t with (clusters - 1) degrees of freedom.
        """
        return None if self.standard_error is None else self.mean + self._quantile(confidence) * self.standard_error

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float] | None:
        """The two-sided interval of that confidence; None where it cannot be told."""
        if self.standard_error is None:
            return None
        half = self._quantile((1 + confidence) / 2) * self.standard_error
        return self.mean - half, self.mean + half

    def _quantile(self, probability: float) -> float:
        from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, without the two seconds of its import

        return float(stdtrit(self.clusters - 1, probability))


def clustered_mean(values: "np.ndarray", clusters: Sequence[Hashable]) -> ClusteredMean:
    """The mean of `values` with a standard error that takes each cluster as one draw.

    Liang and Zeger's sandwich for a mean with the small-sample factor G / (G - 1), which is the `cluster` covariance of
    a regression on a constant. `clusters` names the cluster of each value. Raises ValueError for no values, for lengths
    that differ, and for values that are not finite.
    """
    import numpy as np

    if len(values) == 0 or len(values) != len(clusters):
        raise ValueError(f"need as many clusters as values and at least one, got {len(clusters)} and {len(values)}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite")
    codes = {cluster: code for code, cluster in enumerate(dict.fromkeys(clusters))}
    members = np.fromiter((codes[cluster] for cluster in clusters), dtype=np.int64, count=len(values))
    mean, count = float(np.mean(values)), len(codes)
    if count < 2:
        return ClusteredMean(mean, None, len(values), count)
    residuals = np.bincount(members, weights=np.asarray(values, dtype=float) - mean, minlength=count)
    error = float(np.sqrt(np.sum(residuals**2) * count / (count - 1)) / len(values))
    return ClusteredMean(mean, error, len(values), count)
