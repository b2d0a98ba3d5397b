"""How far the same cases moved between two ways to answer them, and whether that is beyond chance.

Each case is its own control: how hard it is falls out of the difference. Cases of one cluster (one document, one topic) move
together, so that clusters are what is counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import fmean
from typing import Any

from ops_pipelines.core.statistics import ClusteredMean, robust_mean

NOTHING = 1e-12
"""Sums of numbers that cancel out are this small, and no score is."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The mean of what each case moved by, with its cluster-robust error.

    Of the clusters, `moved` have another sum than before, and `worse` a lower one; the one that fell most
    lost `largest_loss` over all of its cases.
    """

    mean: ClusteredMean
    moved: int
    worse: int = 0
    largest_loss: float = 0.0

    @property
    def difference(self) -> float:
        """By how much the mean moved; above 0 is better."""
        return self.mean.mean

    @property
    def p_value(self) -> float:
        """The chance, two-sided, of moving so far where nothing changed; 1 where it cannot be told.

        By Student's t, and never below the 2 ** (1 - moved) of clusters that happen to move the same way: where almost
        none moved, t takes three regressions for a certainty.
        """
        told = self.mean.p_value()
        return 1.0 if told is None else max(told, least_p_value(self.moved))

    def to_json(self) -> dict[str, Any]:
        """The effect as plain JSON, with its two-sided 95% interval."""
        interval = self.mean.interval()
        return {
            "difference": self.difference,
            "interval": None if interval is None else list(interval),
            "standard_error": self.mean.standard_error,
            "p_value": self.p_value,
            "cases": self.mean.rows,
            "clusters": self.mean.clusters,
            "moved": self.moved,
        }


def effect_of(moves: Mapping[str, float], clusters: Mapping[str, str] | None = None) -> Effect:
    """The effect over what each case moved by, by its id; a case without a cluster is one of its own.

    Raises ValueError where there is no case.
    """
    import numpy as np

    values = np.array([0.0 if abs(move) < NOTHING else move for move in moves.values()])
    names = [cluster_of(case, clusters) for case in moves]
    sums: dict[tuple[str, str], float] = {}
    for name, value in zip(names, values.tolist(), strict=True):
        sums[name] = sums.get(name, 0.0) + value
    moved = [total for total in sums.values() if abs(total) > NOTHING]
    worse = [-total for total in moved if total < 0]
    return Effect(robust_mean(values, names), len(moved), len(worse), max(worse, default=0.0))


def least_p_value(moved: int) -> float:
    """The chance, two-sided, that so many clusters happen to move the same way: half of them up, the next the same, ..."""
    return min(1.0, 2.0 ** (1 - moved))


def cluster_of(case: str, clusters: Mapping[str, str] | None) -> tuple[str, str]:
    """What a case is counted under: its cluster, or itself."""
    named = (clusters or {}).get(case)
    return ("cluster", named) if named else ("case", case)


def mean_of_repeats(values: Sequence[float | None] | None) -> float | None:
    """The mean of a case's repeats; None where there is none, and where one of them is missing or no number."""
    told = [value for value in values or () if value is not None and isfinite(value)]
    return fmean(told) if told and len(told) == len(values or ()) else None
