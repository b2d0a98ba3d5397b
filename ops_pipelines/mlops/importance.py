"""Which features a fitted model leans on: how much more it loses on the holdout when one of them is shuffled.

Permutation importance (Breiman, 2001; Fisher, Rudin and Dominici, 2019) asks only that a model can score, so it means the
same for every library. Features that say the same stand in for each other, and then each looks unimportant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class Importance:
    """By how much the mean loss grows when a feature is shuffled, in the loss' unit; below 0 it only disturbed."""

    feature: str
    loss_added: float


def rank_features(
    task: Task,
    features: "pd.DataFrame",
    labels: "np.ndarray",
    score: "Callable[[pd.DataFrame], np.ndarray]",
    *,
    seed: int,
) -> tuple[Importance, ...]:
    """Every feature with what its shuffling costs, the most important first; empty for no rows.

    More than 5,000 rows are thinned to that many, evenly. One shuffle a feature, drawn from the seed and the column's
    place, so the same rows give the same ranking.
    """
    import numpy as np

    if not len(labels):
        return ()
    chosen = np.unique(np.linspace(0, len(labels) - 1, min(MOST_ROWS, len(labels))).astype(int))
    rows, outcomes = features.iloc[chosen].reset_index(drop=True), labels[chosen]
    whole = float(task.loss(outcomes, score(rows)).mean())
    found = []
    for place, name in enumerate(rows.columns):
        order = np.random.default_rng([seed, place]).permutation(len(rows))
        shuffled = rows.assign(**{name: rows[name].take(order).reset_index(drop=True)})
        found.append(Importance(str(name), float(task.loss(outcomes, score(shuffled)).mean()) - whole))
    return tuple(sorted(found, key=lambda each: (-each.loss_added, each.feature)))
