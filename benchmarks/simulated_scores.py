"""Scores of which the truth is known: one thing run twice, a lenient judge, mixtures of old and new, quiet probes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ops_pipelines.llmops.attribution_cells import Cell, cells_of

if TYPE_CHECKING:
    from numpy.random import Generator

SOURCES = ("prompt", "corpus", "model")
TRUTH = 0.7
"""The share of cases that people would pass."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge says of all cases, and people of some."""

    judged: Mapping[str, float]
    labels: Mapping[str, float]


def lenient_judge(draw: "Generator", cases: int, labels: int) -> Judged:
    """A judge that passes 95% of what is good and 30% of what is not, and a random draw of labels."""
    good = draw.random(cases) < TRUTH
    said = np.where(good, draw.random(cases) < 0.95, draw.random(cases) < 0.3).astype(float)
    seen = draw.choice(cases, labels, replace=False)
    return Judged(dict(zip(names(cases), said.tolist(), strict=True)), {str(at): float(good[at]) for at in seen})


def one_thing_twice(draw: "Generator", clusters: int, a_cluster: int) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """The scores of two runs, and each case's cluster; what moves a case in a run moves its whole cluster there."""
    sizes = draw.integers(1, 2 * a_cluster, clusters)
    first, second = (draw.random(sizes.sum()) < np.repeat(draw.beta(2.8, 1.2, clusters), sizes) for _ in range(2))
    return first.astype(float), second.astype(float), np.repeat(np.arange(clusters), sizes)


def two_runs(draw: "Generator", cases: int, effect: float) -> "tuple[np.ndarray, np.ndarray]":
    """Scores of two runs over the same cases, half of whose variance is the case's own, and one is better by an effect."""
    own = draw.normal(size=cases)
    return own + draw.normal(effect, 0.92, cases), own + draw.normal(0, 0.92, cases)


def mixtures(
    draw: "Generator", cases: int, effects: Mapping[Cell, float], *, binary: bool
) -> dict[Cell, dict[str, float]]:
    """What every mixture scores on the same cases; an effect is felt where all of its sources are new."""
    easy = draw.beta(4, 2, cases) if binary else draw.normal(size=cases)
    scores = {}
    for cell in cells_of(SOURCES):
        level = easy + sum(effect for needed, effect in effects.items() if needed <= cell)
        drawn = draw.random(cases) < level if binary else level + draw.normal(0, 0.7, cases)
        scores[cell] = dict(zip(names(cases), drawn.astype(float).tolist(), strict=True))
    return scores


def quiet_year(draw: "Generator", probes: int, noise: float) -> list[dict[str, float]]:
    """A year of days on which each probe answers otherwise than usual with some chance."""
    usual = draw.random(probes) < 0.8
    days = np.where(draw.random((365, probes)) < noise, ~usual, usual).astype(float)
    return [dict(zip(names(probes), day.tolist(), strict=True)) for day in days]


def names(count: int) -> list[str]:
    """The ids of so many cases."""
    return [str(number) for number in range(count)]


def by_case(values: Sequence[float] | np.ndarray) -> dict[str, list[float]]:
    """Scores as a comparison takes them, one repeat a case."""
    return {str(number): [float(value)] for number, value in enumerate(values)}
