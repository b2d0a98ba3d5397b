"""How sure a share is, where draws are not independent, and also where all of them came out the same.

By Student's t, ten successes of ten would leave no doubt at all. Here they leave what ten draws leave.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ops_pipelines.core.statistics import robust_mean


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with how many independent draws of yes and no it is worth."""

    share: float
    draws: float

    def interval(self, *, confidence: float = 0.95) -> tuple[float, float]:
        """The two-sided interval of that confidence (Clopper and Pearson, 1934)."""
        return self.lower_bound(confidence=(1 + confidence) / 2), self.upper_bound(confidence=(1 + confidence) / 2)

    def lower_bound(self, *, confidence: float = 0.95) -> float:
        """The share above which the true one lies with that one-sided confidence."""
        from scipy.special import betaincinv

        yes = self.share * self.draws
        return float(betaincinv(yes, self.draws - yes + 1, 1 - confidence)) if yes > 0 else 0.0

    def upper_bound(self, *, confidence: float = 0.95) -> float:
        """The share below which the true one lies with that one-sided confidence."""
        return 1 - Proportion(1 - self.share, self.draws).lower_bound(confidence=confidence)


def clustered_proportion(values: Sequence[float], clusters: Sequence[Hashable]) -> Proportion:
    """The mean of values from 0 to 1, and as how many independent draws it counts.

    The effective number of Korn and Graubard (1998): as many draws as would have the cluster-robust error that was found,
    less where few clusters say little about that error, and never more than there are values. Where no value differs there
    is no error to be found, and clusters are counted, as they are where there is only one. ValueError as `clustered_mean`,
    and for values outside 0 to 1.
    """
    import numpy as np
    from scipy.special import stdtrit

    found = robust_mean(np.asarray(values, dtype=float), clusters)
    share, total, number = found.mean, found.rows, found.clusters
    if min(values) < 0 or max(values) > 1:
        raise ValueError("a share is of values from 0 to 1")
    if not found.standard_error:
        return Proportion(share, number)
    plain = share * (1 - share) / (total - 1)
    known = float(stdtrit(total - 1, 0.975) / stdtrit(found.degrees or number - 1, 0.975))
    return Proportion(share, max(1.0, min(total, total * plain / found.standard_error**2 * known**2)))
