"""Has a column moved further than its own training weeks did among themselves, and beyond chance?

Each column of what a release saw (features), said (predictions) and what came of it (labels) keeps a histogram of the
training period with the release. The **effect** is the population stability index between that and a week. On seasonal
data any fixed threshold flags every week, so each column's own is computed from the training period: each of its weeks
is compared with the others, and one more such week would stay below the limit with the rule's confidence. A column is
flagged where its effect is above that limit **and** a test of homogeneity, adjusted for all columns, rejects.

Quiet inputs never say that a model is fine: what is learned may have changed while what is seen has not. That shows in
outcomes only, in `mlops.performance`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from math import ceil, inf, nextafter
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import holm_adjusted, homogeneity_p_value, prediction_bound
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FEATURE, PREDICTION, LABEL = "feature", "prediction", "label"
FEATURE_DRIFT, PREDICTION_DRIFT, LABEL_DRIFT = "feature_drift", "prediction_drift", "label_drift"
"""The findings of each role."""
BINS, MOST_CATEGORIES = 10, 50
_SMALLEST_EFFECT = 1e-4
"""Effects below it count as this one: the logarithm of an exact 0 would have no meaning."""


@dataclass(frozen=True, slots=True)
class DriftRule:
    """When a column is flagged.

    `confidence` is that of the limit computed from the training weeks; `significance` is what the adjusted p-value has to
    stay under; no limit is below `floor` (population stability index); fewer than `min_rows` rows, or a training period
    of fewer than `min_windows` weeks, are not judged. Of many features some are beyond their limit by chance, so the
    finding about features asks for this share of them, and for one at least. ConfigError for numbers that cannot be meant.
    """

    confidence: float = 0.95
    significance: float = 0.01
    floor: float = 0.1
    min_rows: int = 500
    min_windows: int = 3
    feature_share: float = 0.15

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
        )


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in the training period: its bins, how many rows fell into each, and how far its weeks strayed.

    A numeric column has the inner `edges` of its bins, a text column its `categories`; `counts` holds one number for each
    bin, then one for categories never seen (text only), then one for missing values. `strayed` holds the effect of each
    training week against the others.
    """

    name: str
    role: str
    edges: tuple[float, ...] | None
    categories: tuple[str, ...] | None
    counts: tuple[int, ...]
    strayed: tuple[float, ...]

    def limit(self, rule: DriftRule) -> float | None:
        """The effect above which a week is unlike the training weeks; None where these are too few to tell.

        Effects are skewed, so the bound is taken of their logarithms; it is never below the worst training week's.
        """
        import numpy as np

        if len(self.strayed) < rule.min_windows:
            return None
        effects = np.maximum(self.strayed, _SMALLEST_EFFECT)
        bound = float(np.exp(prediction_bound(np.log(effects).tolist(), confidence=rule.confidence)))
        return max(rule.floor, *self.strayed, bound)

    def bins(self) -> tuple[str, ...]:
        """A name for each bin, in the order of `counts`."""
        if self.categories is not None:
            return (*self.categories, "never seen", "missing")
        edges = self.edges or ()
        after = {nextafter(edge, inf) for edge in edges}.intersection(edges)
        return (*(_span(low, high, after) for low, high in pairwise([-inf, *edges, inf])), "missing")

    def histogram(self, values: "pd.Series[Any]") -> "np.ndarray":
        """How many of the values fall into each bin."""
        import numpy as np

        return np.bincount(self.placed(values), minlength=len(self.counts))

    def placed(self, values: "pd.Series[Any]") -> "np.ndarray":
        """The position of each value's bin in `counts`."""
        import numpy as np

        size = len(self.counts)
        if self.categories is not None:
            codes = _text(values).map({name: code for code, name in enumerate(self.categories)})
            unseen = codes.isna() & values.notna()
            return codes.mask(unseen, size - 2).fillna(size - 1).to_numpy(dtype=np.int64)
        numbers = values.to_numpy(dtype=float, na_value=np.nan)
        positions = np.searchsorted(np.asarray(self.edges or (), dtype=float), numbers, side="right")
        return np.where(np.isnan(numbers), size - 1, positions)


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """How one column fared in a week: its effect against its limit, the adjusted p-value, and the shares of its bins."""

    name: str
    role: str
    rows: int
    effect: float
    limit: float | None
    p_value: float
    flagged: bool
    bins: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The effect in units of its limit: above 1 it is unlike the training weeks; 0 where there is no limit."""
        return self.effect / self.limit if self.limit else 0.0

    @property
    def moved(self) -> str:
        """The bin whose share moved most, in words."""
        changes = [now - before for before, now in zip(self.reference, self.current, strict=True)]
        most = max(range(len(changes)), key=lambda position: abs(changes[position]))
        return f"{self.bins[most]}: {self.reference[most]:.0%} → {self.current[most]:.0%}"

    def to_json(self) -> dict[str, Any]:
        """The column as plain JSON: a row of the week's drift table."""
        return asdict(self) | {"ratio": self.ratio, "moved": self.moved}


def profile_column(name: str, role: str, values: "pd.Series[Any]", windows: "np.ndarray") -> ColumnProfile:
    """A column of the training period, with how far each of its windows (one number a row) strayed from the others.

    Numeric columns get ten bins of equally many rows, and a bin of its own for each value that more than one of them
    would hold (the zeros of rain); others one for each of the 50 most frequent categories. A column of missing values
    only has a single bin beside that for the missing.
    """
    import numpy as np
    import pandas as pd

    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        inner = _inner_edges(values.to_numpy(dtype=float, na_value=np.nan))
        empty = ColumnProfile(name, role, inner, None, (0,) * (len(inner) + 2), ())
    else:
        kept = sorted(_text(values).value_counts().head(MOST_CATEGORIES).index)
        empty = ColumnProfile(name, role, None, tuple(kept), (0,) * (len(kept) + 2), ())
    placed, size = empty.placed(values), len(empty.counts)
    parts = np.stack([np.bincount(placed[windows == window], minlength=size) for window in np.unique(windows)])
    whole = parts.sum(axis=0)
    strayed = tuple(effect_of(whole - part, part) for part in parts) if len(parts) > 1 else ()
    return ColumnProfile(name, role, empty.edges, empty.categories, tuple(int(n) for n in whole), strayed)


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


def effect_of(reference: "np.ndarray", current: "np.ndarray") -> float:
    """The population stability index between two histograms over the same bins, in nats; 0 where either is empty.

    sum((q - p) * ln(q / p)) over bins, which is Jeffreys' divergence. Half a row is added to each bin, so that an empty
    bin has a share that its sample size allows and not none.
    """
    import numpy as np

    if not reference.sum() or not current.sum():
        return 0.0
    before, after = ((part + 0.5) / (part.sum() + 0.5 * len(part)) for part in (reference, current))
    return float(((after - before) * np.log(after / before)).sum())


def measure_drift(
    profiles: Iterable[ColumnProfile], columns: "Mapping[str, pd.Series[Any]]", rule: DriftRule
) -> tuple[ColumnDrift, ...]:
    """Each profiled column of a week against its training period, the one furthest above its limit first.

    `columns` holds the week's values by column name; a column that is not among them has no rows and is never flagged.
    """
    import numpy as np
    import pandas as pd

    absent = pd.Series([], dtype=float)
    profiles = list(profiles)
    counted = [(p, np.asarray(p.counts), p.histogram(columns.get(p.name, absent))) for p in profiles]
    adjusted = holm_adjusted([homogeneity_p_value(before, now) for _, before, now in counted])
    found = []
    for (profile, before, now), p_value in zip(counted, adjusted, strict=True):
        rows, effect, limit = int(now.sum()), effect_of(before, now), profile.limit(rule)
        beyond = limit is not None and effect > limit and p_value < rule.significance
        found.append(
            ColumnDrift(
                name=profile.name,
                role=profile.role,
                rows=rows,
                effect=effect,
                limit=limit,
                p_value=p_value,
                flagged=beyond and rows >= rule.min_rows,
                bins=profile.bins(),
                reference=_shares(before),
                current=_shares(now),
            )
        )
    return tuple(sorted(found, key=lambda column: (-column.ratio, column.name)))


def judge_drift(columns: Sequence[ColumnDrift], role: str, rule: DriftRule) -> Verdict:
    """Blocked with each flagged column of one role, where enough are; NotEvaluated where none of it could be judged."""
    mine = [column for column in columns if column.role == role]
    judged = [column for column in mine if column.limit is not None and column.rows >= rule.min_rows]
    evidence = {
        "columns": len(mine),
        "judged": len(judged),
        "flagged": [column.name for column in mine if column.flagged],
    }
    if not judged:
        return NotEvaluated(_why_not(mine, role, rule), evidence)
    reasons = tuple(
        f"{column.name}: PSI {column.effect:.2f}, above the {column.limit:.2f} that its training weeks allow "
        f"({column.moved}; adjusted p {column.p_value:.1g})"
        for column in judged
        if column.flagged
    )
    enough = max(1, ceil(rule.feature_share * len(judged))) if role == FEATURE else 1
    return Blocked(reasons, evidence) if len(reasons) >= enough else Passed(evidence)


def _why_not(columns: Sequence[ColumnDrift], role: str, rule: DriftRule) -> str:
    if not columns:
        return f"the release keeps no {role} to compare with"
    if all(column.limit is None for column in columns):
        return f"the training period has fewer than {rule.min_windows} weeks, too few to compute a limit from"
    return f"{max(column.rows for column in columns)} rows, and {rule.min_rows} are needed"


def _span(low: float, high: float, after: set[float]) -> str:
    """The numbers from `low` (included) to `high` (excluded) in words; `after` are those right above a single number."""
    if low == -inf:
        return "any" if high == inf else f"below {high:.4g}"
    if high in after:
        return f"{low:.4g}"
    start, end = (f"above {nextafter(low, -inf):.4g}", "") if low in after else (f"{low:.4g}", " or more")
    return f"{start} to {high:.4g}" if high < inf else f"{start}{end}"


def _shares(counts: "np.ndarray") -> tuple[float, ...]:
    total = counts.sum()
    return tuple(float(count / total) if total else 0.0 for count in counts)


def _text(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """The values as text, the missing ones left missing."""
    return values.astype(object).where(values.notna(), None).map(str, na_action="ignore")
