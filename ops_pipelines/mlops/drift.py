"""Has a column moved further than its own reference windows did among themselves, and beyond chance?

Each column of what a release saw (features), said (predictions) and what came of it (labels) keeps a histogram of the
training period with the release (`drift_profile`). The **effect** is the population stability index between that and a
week, corrected for chance. On seasonal data any fixed threshold flags every week, so each column's own is computed from
the reference: each of its windows is compared with the others, and one more such window would stay below the limit with
the rule's confidence. A column is flagged where its effect is above that limit **and** a test of homogeneity, adjusted
for all columns, rejects.

Quiet inputs never say that a model is fine: what is learned may have changed while what is seen has not. That shows in
outcomes only, in `mlops.performance`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.statistics import holm_adjusted, homogeneity_p_value
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.drift_profile import (
    MISSING,
    NEVER_SEEN,
    ColumnProfile,
    DriftRule,
    coded,
    effect_of,
    index_of,
    profile_column,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = [
    "FEATURE",
    "FEATURE_DRIFT",
    "LABEL",
    "LABEL_DRIFT",
    "PREDICTION",
    "PREDICTION_DRIFT",
    "ColumnDrift",
    "ColumnProfile",
    "DriftRule",
    "SliceDrift",
    "drift_within",
    "effect_of",
    "index_of",
    "judge_drift",
    "measure_drift",
    "profile_column",
    "with_slices",
]

FEATURE, PREDICTION, LABEL = "feature", "prediction", "label"
FEATURE_DRIFT, PREDICTION_DRIFT, LABEL_DRIFT = "feature_drift", "prediction_drift", "label_drift"
"""The findings of each role."""
_TOLD = 0.02
"""A share of missing or never seen values that grew by as much is told, whatever else moved more."""


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
    within: tuple["SliceDrift", ...] = ()

    @property
    def ratio(self) -> float:
        """The effect in units of its limit: above 1 it is unlike the reference windows; 0 where there is no limit."""
        return self.effect / self.limit if self.limit else 0.0

    @property
    def moved(self) -> str:
        """The bin whose share moved most, in words, and more missing or never seen values where there are."""
        return _moved(self.bins, self.reference, self.current)

    def to_json(self) -> dict[str, Any]:
        """The column as plain JSON: a row of the week's drift table."""
        told = "; ".join(f"{part.slice}: PSI {part.effect:.2f} ({part.moved})" for part in self.within)
        return asdict(replace(self, within=())) | {"ratio": self.ratio, "moved": self.moved, "within": told}


@dataclass(frozen=True, slots=True)
class SliceDrift:
    """A column that moved within a slice, such as `airport=EWR`: evidence of where, which decides nothing."""

    column: str
    slice: str
    rows: int
    effect: float
    p_value: float
    moved: str


def measure_drift(
    profiles: Iterable[ColumnProfile], columns: "Mapping[str, pd.Series[Any]]", rule: DriftRule
) -> tuple[ColumnDrift, ...]:
    """Each profiled column of a week against its reference, the one furthest above its limit first.

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


def drift_within(
    profiles: Iterable[ColumnProfile],
    reference: "Mapping[str, pd.Series[Any]]",
    current: "Mapping[str, pd.Series[Any]]",
    slices: Sequence[str],
    rule: DriftRule,
) -> tuple[SliceDrift, ...]:
    """The columns that moved within a slice, the furthest first: above their own limit, and beyond chance.

    `reference` and `current` hold the rows of both sides by column name, the slicing columns among them. Slices with too
    few rows on either side are left out, as are columns that one side has not and a slice's own column. The p-values are
    adjusted for every column in every slice.
    """
    counted = [
        (profile, *cell)
        for dimension in slices
        if dimension in reference and dimension in current
        for profile in profiles
        if profile.name in reference and profile.name in current and profile.name != dimension
        for cell in _cells(profile, dimension, reference, current, rule)
    ]
    adjusted = holm_adjusted([homogeneity_p_value(before, now) for _, _, before, now in counted])
    found = []
    for (profile, name, before, now), p_value in zip(counted, adjusted, strict=True):
        effect, limit = effect_of(before, now), profile.limit(rule)
        if limit is not None and effect > limit and p_value < rule.significance:
            moved = _moved(profile.bins(), _shares(before), _shares(now))
            found.append(SliceDrift(profile.name, name, int(now.sum()), effect, p_value, moved))
    return tuple(sorted(found, key=lambda part: (-part.effect, part.column, part.slice)))


def with_slices(columns: Iterable[ColumnDrift], within: Sequence[SliceDrift]) -> tuple[ColumnDrift, ...]:
    """The columns, each with the slices in which it moved."""
    return tuple(replace(c, within=tuple(part for part in within if part.column == c.name)) for c in columns)


def _cells(
    profile: ColumnProfile,
    dimension: str,
    reference: "Mapping[str, pd.Series[Any]]",
    current: "Mapping[str, pd.Series[Any]]",
    rule: DriftRule,
) -> "list[tuple[str, np.ndarray, np.ndarray]]":
    """Each slice of a dimension that has enough rows on both sides, with a column's histograms in it."""
    before, now = (_by_slice(profile, side[dimension], side[profile.name]) for side in (reference, current))
    return [
        (f"{dimension}={name}", before[name], now[name])
        for name in sorted(before.keys() & now.keys())
        if min(before[name].sum(), now[name].sum()) >= rule.min_slice_rows
    ]


def _by_slice(profile: ColumnProfile, slices: "pd.Series[Any]", values: "pd.Series[Any]") -> "dict[str, np.ndarray]":
    """A column's histogram in each slice of a dimension, all in one pass."""
    import numpy as np

    codes, names = coded(slices)
    names, size = [*names, MISSING], len(profile.counts)
    inside = np.where(codes < 0, len(names) - 1, codes)
    table = np.bincount(inside * size + profile.placed(values), minlength=len(names) * size)
    return dict(zip(names, table.reshape(len(names), size), strict=True))


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
        f"{column.name}: PSI {column.effect:.2f}, above the {column.limit:.2f} that its reference windows allow "
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
        return f"the reference has fewer than {rule.min_windows} windows, too few to compute a limit from"
    return f"{max(column.rows for column in columns)} rows, and {rule.min_rows} are needed"


def _moved(bins: Sequence[str], reference: Sequence[float], current: Sequence[float]) -> str:
    changes = [now - before for before, now in zip(reference, current, strict=True)]
    told = [max(range(len(changes)), key=lambda position: abs(changes[position]))]
    special = [at for at in range(max(0, len(bins) - 2), len(bins)) if bins[at] in (MISSING, NEVER_SEEN)]
    told += [at for at in special if at not in told and changes[at] >= _TOLD]
    return ", ".join(f"{bins[at]}: {reference[at]:.0%} → {current[at]:.0%}" for at in told)


def _shares(counts: "np.ndarray") -> tuple[float, ...]:
    total = counts.sum()
    return tuple(float(count / total) if total else 0.0 for count in counts)
