"""What one column looked like in its reference windows: the bins, their counts, and how far the windows strayed.

The **effect** between two histograms is the population stability index less what chance alone adds to it. Two samples of
one distribution have an index of about (bins - 1) * (1/n + 1/m) and not of 0, so that uncorrected a short week would look
moved, and short training weeks would allow anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import effective_number, prediction_bound

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BINS, MOST_CATEGORIES, MOST_OTHERS = 10, 50, 5000
OTHER, NEVER_SEEN, MISSING = "other", "never seen", "missing"
"""The bins of rarer categories, of new ones, and of no value."""
_SMALLEST = 0.2
"""Effects below this share of the floor count as it: their logarithms would say how quiet a week was, and not how loud."""


@dataclass(frozen=True, slots=True)
class DriftRule:
    """When a column is flagged.

    `confidence` is that of the limit computed from the reference windows; `significance` is what the adjusted p-value has
    to stay under; no limit is below `floor` (population stability index corrected for chance: a mean that moves by 0.22
    deviations, or a half that becomes 0.61); fewer than `min_rows` rows, or than `min_windows` reference windows, are not
    judged. Of many features some are beyond their limit by chance, so the finding about features asks for this share of
    them, and for one at least. Slices under `min_slice_rows` rows are not shown. ConfigError for numbers that cannot be
    meant.
    """

    confidence: float = 0.95
    significance: float = 0.01
    floor: float = 0.05
    min_rows: int = 500
    min_windows: int = 3
    feature_share: float = 0.15
    min_slice_rows: int = 100

    def __post_init__(self) -> None:
        check_settings(
            self,
            "drift",
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            significance=(0 < self.significance < 1, "more than 0 and less than 1"),
            floor=(self.floor > 0, "more than 0"),
            min_rows=(self.min_rows >= 1, "at least 1"),
            min_windows=(self.min_windows >= 2, "at least 2"),
            feature_share=(0 <= self.feature_share <= 1, "a share from 0 to 1"),
            min_slice_rows=(self.min_slice_rows >= 1, "at least 1"),
        )


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in its reference windows: its bins, how many rows fell into each, and how far its windows strayed.

    A numeric column has the inner `edges` of its bins, a text column its `categories` and the rarer `others`, which share
    a bin (None: too many to keep, so that every unknown value counts as one of them). `counts` holds one number for each
    bin in the order of `bins`. `strayed` holds the effect of each window against the others, in time's order or its
    reverse.
    """

    name: str
    role: str
    edges: tuple[float, ...] | None
    categories: tuple[str, ...] | None
    counts: tuple[int, ...]
    strayed: tuple[float, ...]
    others: tuple[str, ...] | None = ()

    def limit(self, rule: DriftRule) -> float | None:
        """The effect above which a week is unlike the reference windows; None where these are too few to tell.

        Effects are skewed, so the bound is taken of their logarithms. It counts as many windows as are independent
        (`effective_number`), and is never below the worst window's.
        """
        import numpy as np

        if len(self.strayed) < rule.min_windows:
            return None
        logs = np.log(np.maximum(self.strayed, _SMALLEST * rule.floor)).tolist()
        bound = float(np.exp(prediction_bound(logs, confidence=rule.confidence, effective=effective_number(logs))))
        return max(rule.floor, *self.strayed, bound)

    def bins(self) -> tuple[str, ...]:
        """A name for each bin, in the order of `counts`."""
        if self.categories is not None:
            return (*self.categories, *([OTHER] if self._has_others else []), NEVER_SEEN, MISSING)
        edges = self.edges or ()
        after = {nextafter(edge, inf) for edge in edges}.intersection(edges)
        return (*(_span(low, high, after) for low, high in pairwise([-inf, *edges, inf])), MISSING)

    def histogram(self, values: "pd.Series[Any]") -> "np.ndarray":
        """How many of the values fall into each bin."""
        import numpy as np

        if self.categories is not None:
            return np.bincount(self.placed(values), minlength=len(self.counts))
        # A million numbers are sorted sooner than each is looked up; what is not a number sorts last.
        numbers = np.sort(values.to_numpy(dtype=float, na_value=np.nan))
        ends = np.searchsorted(numbers, np.array([*(self.edges or ()), np.nan]), side="left")
        return np.diff(ends, prepend=0, append=len(numbers))

    def placed(self, values: "pd.Series[Any]") -> "np.ndarray":
        """The position of each value's bin in `counts`."""
        import numpy as np

        size = len(self.counts)
        if self.categories is not None:
            codes, texts = coded(values)
            bins: np.ndarray = np.append(self._positions(texts), size - 1)[codes]
            return bins
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        positions = np.searchsorted(np.asarray(self.edges or (), dtype=float), numbers, side="right")
        positions[np.isnan(numbers)] = size - 1
        return positions

    @property
    def _has_others(self) -> bool:
        return self.others is None or bool(self.others)

    def _positions(self, texts: Sequence[str]) -> "np.ndarray":
        """The bin of each text."""
        import numpy as np

        known = {name: code for code, name in enumerate(self.categories or ())}
        known |= dict.fromkeys(self.others or (), len(known))
        unseen = len(self.counts) - (3 if self.others is None else 2)
        return np.array([known.get(text, unseen) for text in texts], dtype=np.int64)


def profile_column(name: str, role: str, values: "pd.Series[Any]", windows: "np.ndarray") -> ColumnProfile:
    """A column of the reference, with how far each of its windows (one number a row, in time's order) strayed.

    Numeric columns get ten bins of equally many rows, and a bin of its own for each value that more than one of them
    would hold (the zeros of rain). Others get one for each of the 50 most frequent categories, and one for the rest of
    them. Rare categories that only one window has count as never seen, which they were when that window came: new ones
    turn up in quiet weeks too. A column of missing values only has a single bin beside that for the missing.
    """
    import numpy as np
    import pandas as pd

    window = np.unique(windows, return_inverse=True)[1]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        inner = _inner_edges(values.to_numpy(dtype=float, na_value=np.nan))
        empty = ColumnProfile(name, role, inner, None, (0,) * (len(inner) + 2), ())
        placed = empty.placed(values)
    else:
        empty, placed = _text_profile(name, role, values, window)
    size, count = len(empty.counts), int(window.max()) + 1 if len(window) else 0
    parts = np.bincount(window * size + placed, minlength=count * size).reshape(count, size)
    whole = parts.sum(axis=0)
    strayed = tuple(effect_of(whole - part, part) for part in parts) if len(parts) > 1 else ()
    counts = tuple(int(n) for n in whole)
    return ColumnProfile(name, role, empty.edges, empty.categories, counts, strayed, empty.others)


def _text_profile(
    name: str, role: str, values: "pd.Series[Any]", window: "np.ndarray"
) -> "tuple[ColumnProfile, np.ndarray]":
    """The empty profile of a text column, and the bin of each row in its own reference."""
    import numpy as np

    codes, texts = coded(values)
    times = np.bincount(codes[codes >= 0], minlength=len(texts))
    frequent = sorted(range(len(texts)), key=lambda code: (-times[code], texts[code]))
    kept = sorted(texts[code] for code in frequent[:MOST_CATEGORIES])
    rest: tuple[str, ...] | None = tuple(sorted(texts[code] for code in frequent[MOST_CATEGORIES:]))
    others = rest if rest is None or len(rest) <= MOST_OTHERS else None
    size = len(kept) + (2 if others == () else 3)
    profile = ColumnProfile(name, role, None, tuple(kept), (0,) * size, (), others)
    placed = profile.placed(values)
    if others:
        first, last = np.full(len(texts) + 1, np.iinfo(np.int64).max), np.full(len(texts) + 1, -1)
        np.minimum.at(first, codes, window)
        np.maximum.at(last, codes, window)
        placed[(first == last)[codes] & (placed == size - 3) & (window.max() > 0)] = size - 2
    return profile, placed


def coded(values: "pd.Series[Any]") -> "tuple[np.ndarray, list[str]]":
    """Each value's position among the texts that there are, -1 where it is missing; one hash a row and no text made."""
    import numpy as np
    import pandas as pd

    codes, found = pd.factorize(values)
    texts = [str(value) for value in found]
    if len(set(texts)) == len(texts):
        return codes, texts
    merged, unique = pd.factorize(np.array(texts, dtype=object))  # 1 and "1" are one category
    return np.append(merged, -1)[codes], list(unique)


def _inner_edges(numbers: "np.ndarray") -> tuple[float, ...]:
    """The deciles, and right above each that occurs twice the next number there is, which parts it from what is larger.

    Without that a column of zeros nearly everywhere would have a single bin from 0 upwards, and could only fall. An
    infinite number is no edge, since JSON has none; it is counted in the first or the last bin.
    """
    import numpy as np

    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return ()
    deciles, times = np.unique(np.quantile(finite, np.arange(1, BINS) / BINS), return_counts=True)
    return tuple(map(float, np.union1d(deciles, np.nextafter(deciles[times > 1], np.inf))))


def index_of(reference: "np.ndarray", current: "np.ndarray") -> float:
    """The population stability index between two histograms over the same bins, in nats; 0 where either is empty.

    sum((q - p) * ln(q / p)) over bins, which is Jeffreys' divergence. Half a row is added to each bin, so that an empty
    bin has a share that its sample size allows and not none.
    """
    import numpy as np

    if not reference.sum() or not current.sum():
        return 0.0
    before, after = ((part + 0.5) / (part.sum() + 0.5 * len(part)) for part in (reference, current))
    return float(((after - before) * np.log(after / before)).sum())


def chance_of(reference: "np.ndarray", current: "np.ndarray") -> float:
    """The population stability index that two samples of these sizes have where they come from one distribution.

    sum((1 - p) * (1/n + 1/m)) over bins with their pooled share p, which is (bins - 1) * (1/n + 1/m) (Yurdakul and
    Naranjo, 2020: times chi-square it is the index's distribution). A bin that expects less than a row in either sample
    adds as much less; the half rows are allowed for. 0 where either is empty.
    """
    import numpy as np

    sizes = reference.sum(), current.sum()
    if not all(sizes):
        return 0.0
    pooled = (reference + current) / sum(sizes)
    noise = sum(size / (size + 0.5 * len(pooled)) ** 2 for size in sizes)
    return float(((1 - pooled) * np.minimum(1.0, pooled * min(sizes))).sum() * noise)


def effect_of(reference: "np.ndarray", current: "np.ndarray") -> float:
    """The population stability index less what chance alone adds, and never below 0; 0 where either is empty."""
    return max(0.0, index_of(reference, current) - chance_of(reference, current))


def _span(low: float, high: float, after: set[float]) -> str:
    """The numbers from `low` (included) to `high` (excluded) in words; `after` are those right above a single number."""
    if low == -inf:
        return "any" if high == inf else f"below {high:.4g}"
    if high in after:
        return f"{low:.4g}"
    start, end = (f"above {nextafter(low, -inf):.4g}", "") if low in after else (f"{low:.4g}", " or more")
    return f"{start} to {high:.4g}" if high < inf else f"{start}{end}"
