"""Twenty columns of every shape that a table has, and the ways in which one of them moves."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

Random = np.random.Generator
Change = Callable[[Random, int], "np.ndarray"]

CARRIERS = np.array(["UA", "B6", "AA", "HA"])
AIRPORTS = np.array([f"A{number:03}" for number in range(400)])
_POPULAR = 1 / np.arange(1, len(AIRPORTS) + 1)
_POPULAR /= _POPULAR.sum()


def _missing(random: Random, values: "np.ndarray", share: float) -> "np.ndarray":
    return np.where(random.random(len(values)) < share, np.nan, values)


KINDS: dict[str, Change] = {
    "normal": lambda random, n: random.normal(size=n),
    "skewed": lambda random, n: random.exponential(size=n),
    "lognormal": lambda random, n: random.lognormal(sigma=1.5, size=n),
    "heavy tails": lambda random, n: random.standard_t(2, size=n),
    "heavier tails": lambda random, n: random.standard_cauchy(size=n),
    "two humps": lambda random, n: random.normal(size=n) + 4 * (random.random(n) < 0.4),
    "uniform": lambda random, n: random.random(n),
    "rain": lambda random, n: np.where(random.random(n) < 0.93, 0.0, random.exponential(size=n)),
    "rare": lambda random, n: np.where(random.random(n) < 0.995, 0.0, random.exponential(size=n)),
    "count": lambda random, n: random.poisson(2, size=n),
    "hour": lambda random, n: random.integers(0, 24, size=n),
    "gust": lambda random, n: _missing(random, random.normal(size=n), 0.3),
    "seldom missing": lambda random, n: _missing(random, random.gamma(2, size=n), 0.01),
    "mostly missing": lambda random, n: _missing(random, random.normal(size=n), 0.95),
    "coin": lambda random, n: random.random(n) < 0.5,
    "flag": lambda random, n: random.random(n) < 0.03,
    "carrier": lambda random, n: CARRIERS[random.choice(4, size=n, p=[0.4, 0.3, 0.2, 0.1])],
    "carrier or none": lambda random, n: np.where(
        random.random(n) < 0.1, None, CARRIERS[random.choice(4, size=n, p=[0.7, 0.2, 0.07, 0.03])]
    ),
    "airport": lambda random, n: AIRPORTS[random.choice(len(AIRPORTS), size=n, p=_POPULAR)],
    "same": lambda _, n: np.full(n, 5.0),
}
"""How many rows of a column of each kind are drawn."""

MOVED: dict[str, tuple[str, str, Change]] = {
    "mean up by 0.5 sd": ("feature", "normal", lambda random, n: random.normal(0.5, size=n)),
    "mean down by 0.5 sd": ("feature", "normal", lambda random, n: random.normal(-0.5, size=n)),
    "variance doubled": ("feature", "normal", lambda random, n: random.normal(scale=2**0.5, size=n)),
    "variance halved": ("feature", "normal", lambda random, n: random.normal(scale=0.5**0.5, size=n)),
    "two values, .50 to .65": ("feature", "coin", lambda random, n: random.random(n) < 0.65),
    "a share of four from .40 to .25": (
        "feature",
        "carrier",
        lambda random, n: CARRIERS[random.choice(4, size=n, p=[0.25, 0.3, 0.2, 0.25])],
    ),
    "a share of four from .30 to .45": (
        "feature",
        "carrier",
        lambda random, n: CARRIERS[random.choice(4, size=n, p=[0.3, 0.45, 0.175, 0.075])],
    ),
    "missing from .30 to .45": (
        "feature",
        "gust",
        lambda random, n: _missing(random, random.normal(size=n), 0.45),
    ),
    "scores up by 0.5 sd": ("prediction", "score", lambda random, n: _chances(random, n, mean=-0.5)),
    "scores with twice the variance": ("prediction", "score", lambda random, n: _chances(random, n, scale=2**0.5)),
    "labels from .50 to .65": ("label", "coin", lambda random, n: random.random(n) < 0.65),
    "labels from .20 to .35": ("label", "late", lambda random, n: random.random(n) < 0.35),
}
"""What moves: its role, the kind that it was, and what it is now."""


def _chances(random: Random, n: int, *, mean: float = -1.0, scale: float = 1.0) -> "np.ndarray":
    """Scores whose logits are normal."""
    return 1 / (1 + np.exp(-random.normal(mean, scale, size=n)))


JUDGED: dict[str, Change] = KINDS | {"score": _chances, "late": lambda random, n: random.random(n) < 0.2}
"""The twenty kinds, and what a model says and what comes of it."""


def mixed_columns(random: Random, rows: int) -> "dict[str, pd.Series[Any]]":
    """Rows of each of the twenty kinds."""
    return {name: pd.Series(draw(random, rows)) for name, draw in KINDS.items()}
