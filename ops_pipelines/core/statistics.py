"""Means whose rows are not independent, what one more draw may be, and whether two samples are of one kind.

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
    """A mean with its cluster-robust standard error; `standard_error` is None where fewer than two clusters exist.

    `degrees` of freedom are one fewer than clusters where nothing else is said.
    """

    mean: float
    standard_error: float | None
    rows: int
    clusters: int
    degrees: float | None = None

    def upper_bound(self, *, confidence: float = 0.95) -> float | None:
        """The value below which the true mean lies with that one-sided confidence; None where it cannot be told.

        By Student's t.
        """
        return None if self.standard_error is None else self.mean + self._quantile(confidence) * self.standard_error

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float] | None:
        """The two-sided interval of that confidence; None where it cannot be told."""
        if self.standard_error is None:
            return None
        half = self._quantile((1 + confidence) / 2) * self.standard_error
        return self.mean - half, self.mean + half

    def detectable(self, *, confidence: float = 0.95, power: float = 0.8) -> float | None:
        """How far from 0 the true mean has to lie for the one-sided test to see it with that power; None as above."""
        if self.standard_error is None:
            return None
        return (self._quantile(confidence) + self._quantile(power)) * self.standard_error

    def power(self, effect: float, *, confidence: float = 0.95) -> float | None:
        """How probably the one-sided test sees a true mean so far from 0, by the noncentral t; None as above."""
        from scipy.special import nctdtr

        if not self.standard_error:
            return None if self.standard_error is None else 1.0
        return 1 - float(nctdtr(self._degrees, abs(effect) / self.standard_error, self._quantile(confidence)))

    def p_value(self) -> float | None:
        """The chance, two-sided, of a mean this far from 0 where the true one is 0; None as above."""
        from scipy.special import stdtr

        if not self.standard_error:
            return None if self.standard_error is None else float(self.mean == 0)
        return 2 * float(stdtr(self._degrees, -abs(self.mean) / self.standard_error))

    @property
    def _degrees(self) -> float:
        return self.degrees or self.clusters - 1

    def _quantile(self, probability: float) -> float:
        from scipy.special import stdtrit  # what scipy.stats.t.ppf calls, without the two seconds of its import

        return float(stdtrit(self._degrees, probability))


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


def robust_mean(values: "np.ndarray", clusters: Sequence[Hashable]) -> ClusteredMean:
    """The mean as `clustered_mean` has it, with an error that few clusters of unequal size do not make too small.

    Bell and McCaffrey's correction (2002, CR2) of the sandwich, and their degrees of freedom: one cluster with half of the
    rows is worth fewer draws than its count says. With clusters of one size both are those of `clustered_mean`. Raises as
    it does.
    """
    import numpy as np

    plain = clustered_mean(values, clusters)
    codes = {cluster: code for code, cluster in enumerate(dict.fromkeys(clusters))}
    members = np.fromiter((codes[cluster] for cluster in clusters), dtype=np.int64, count=len(values))
    sizes = np.bincount(members)
    means = np.bincount(members, weights=np.asarray(values, dtype=float)) / sizes
    return _weighted_mean(means, sizes.astype(float), rows=plain.rows)


def clustered_difference(
    values: "np.ndarray", others: "np.ndarray", *, clusters: Sequence[Hashable], other_clusters: Sequence[Hashable]
) -> ClusteredMean:
    """How much larger `values` are than `others` on average, compared inside each cluster that has both.

    What a cluster does to both of its sides falls out. A cluster with n and m rows weighs n * m / (n + m), which is the
    regression on a side's indicator with a constant for each cluster. The standard error takes each cluster as one draw,
    with the correction of Bell and McCaffrey (2002, CR2), which is right for few clusters of unequal weight, and their
    degrees of freedom; with equal weights both are those of Student's paired t. `rows` counts the rows of shared
    clusters. Raises ValueError where no cluster has both, for lengths that differ, and for values that are not finite.
    """
    import numpy as np

    sides = [(np.asarray(values, dtype=float), clusters), (np.asarray(others, dtype=float), other_clusters)]
    if any(len(numbers) != len(names) or not np.isfinite(numbers).all() for numbers, names in sides):
        raise ValueError("need finite values, and one cluster for each")
    codes = {cluster: code for code, cluster in enumerate(dict.fromkeys([*clusters, *other_clusters]))}
    members = [np.array([codes[name] for name in names], dtype=np.int64) for _, names in sides]
    counts = [np.bincount(of, minlength=len(codes)) for of in members]
    shared = (counts[0] > 0) & (counts[1] > 0)
    if not shared.any():
        raise ValueError("no cluster has values of both sides")
    first, second = (
        np.bincount(of, weights=numbers, minlength=len(codes))[shared] / count[shared]
        for of, (numbers, _), count in zip(members, sides, counts, strict=True)
    )
    n, m = counts[0][shared], counts[1][shared]
    return _weighted_mean(first - second, n * m / (n + m), rows=int((n + m).sum()))


def _weighted_mean(values: "np.ndarray", weights: "np.ndarray", *, rows: int) -> ClusteredMean:
    """A mean of one value a cluster; its error is unbiased where a value's variance is as small as its weight is large."""
    import numpy as np

    part = weights / weights.sum()
    mean, count = float((part * values).sum()), len(values)
    if count < 2:
        return ClusteredMean(mean, None, rows, count)
    error = float(np.sqrt((part**2 * (values - mean) ** 2 / (1 - part)).sum()))
    leverage = part**2 / (1 - part)
    inverse = float((part**2).sum() + leverage.sum() ** 2 - (leverage**2).sum())
    return ClusteredMean(mean, error, rows, count, degrees=1 / inverse)


def prediction_bound(values: Sequence[float], *, confidence: float = 0.95, effective: float | None = None) -> float:
    """The value that one more draw of the same kind stays below with that confidence.

    The one-sided prediction limit for one further observation of a normal sample, mean + t * s * sqrt(1 + 1/m) with
    m - 1 degrees of freedom (Hahn, 1970). Where values resemble their neighbours, m is how many of them are independent
    (`effective`, all of them without it), and s^2 is widened by m * (n - 1) / (n * (m - 1)), since such values lie closer
    together than draws do (Bayley and Hammersley, 1946). Raises ValueError for fewer than two values.
    """
    import numpy as np
    from scipy.special import stdtrit

    if len(values) < 2:
        raise ValueError(f"a prediction needs at least two values, got {len(values)}")
    sample, total = np.asarray(values, dtype=float), len(values)
    count = total if effective is None else min(max(effective, 2.0), total)
    spread = float(sample.std(ddof=1)) * float(np.sqrt(count * (total - 1) / (total * (count - 1))))
    reach = float(stdtrit(count - 1, confidence)) * spread
    return float(sample.mean()) + reach * float(np.sqrt(1 + 1 / count))


def effective_number(values: Sequence[float]) -> float:
    """How many independent values a series in time's order is worth: at least 2, at most as many as there are.

    n * (1 - r) / (1 + r) with the lag-1 autocorrelation r (Bayley and Hammersley, 1946, for an autoregressive series of
    order one), which is negative only by chance here and then counts as 0. A series that does not vary is worth all of
    its values. Read backwards it is worth as much. Raises ValueError for fewer than two values.
    """
    import numpy as np

    if len(values) < 2:
        raise ValueError(f"an autocorrelation needs at least two values, got {len(values)}")
    moved = np.asarray(values, dtype=float) - np.mean(values)
    total = float((moved**2).sum())
    alike = max(0.0, float((moved[1:] * moved[:-1]).sum()) / total) if total > 1e-12 else 0.0
    return max(2.0, len(values) * (1 - alike) / (1 + alike))


def homogeneity_p_value(first: "np.ndarray", second: "np.ndarray", *, least_expected: float = 5.0) -> float:
    """The chance of counts at least this different where two samples come from one distribution; 1 where nothing differs.

    Pearson's chi-square test of homogeneity over the bins of two histograms. Bins in which either sample expects fewer
    than `least_expected` rows are pooled into one. 1.0 where a sample is empty or one bin is left.
    """
    import numpy as np
    from scipy.special import chdtrc

    counts = np.stack([np.asarray(first, dtype=float), np.asarray(second, dtype=float)])
    totals = counts.sum(axis=1)
    if not totals.all():
        return 1.0
    rare = counts.sum(axis=0) * totals.min() / totals.sum() < least_expected
    pooled = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
    pooled = pooled[:, pooled.sum(axis=0) > 0]
    if pooled.shape[1] < 2:
        return 1.0
    expected = np.outer(totals, pooled.sum(axis=0)) / totals.sum()
    return float(chdtrc(pooled.shape[1] - 1, ((pooled - expected) ** 2 / expected).sum()))


def holm_adjusted(p_values: Sequence[float]) -> list[float]:
    """Each p-value as it counts when all were looked at, in the given order; empty for none. Holm's step-down (1979)."""
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted
