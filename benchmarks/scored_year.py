"""A year of rows by week, and what models make of them: fits, scores, losses, and each week as a rule sees it.

Split, fit, calibration and gate are the project's own. A model is named by its `cut`, the number of the last week that it
knows. Each model, and each week's scores, are made once. One thing is left out: the second fit by which repeatability is
judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.statistics import ClusteredMean, clustered_mean
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.mlops.calibration import SCORE, Expectations, calibrate
from ops_pipelines.mlops.checkpoint import Flavour
from ops_pipelines.mlops.drift import LABEL as LABELS
from ops_pipelines.mlops.drift import ColumnDrift, DriftRule, measure_drift
from ops_pipelines.mlops.evaluation import GateRule, compare, judge_challenger
from ops_pipelines.mlops.performance import Outcomes, PerformanceRule
from ops_pipelines.mlops.retraining import RetrainingRule
from ops_pipelines.mlops.task import Task
from ops_pipelines.mlops.training import (
    ASKED_AT,
    KNOWN_AT,
    LABEL,
    Rows,
    Split,
    TrainFunction,
    Weighting,
    fit,
    split_by_time,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WEEK = "__week"
"""The column of a year's frame that numbers the weeks from 0."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model is fitted, gated, watched and retrained: what its YAML declares."""

    train: TrainFunction
    params: Mapping[str, Any]
    seed: int
    flavour: Flavour
    task: Task
    features: tuple[str, ...]
    slices: tuple[str, ...]
    weighting: Weighting
    window_weeks: int
    holdout_weeks: int
    gate: GateRule
    drift: DriftRule
    performance: PerformanceRule
    retraining: RetrainingRule


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that knows the year up to the end of week `cut`, and what its gate reads: the holdout with its scores."""

    cut: int
    model: Any
    holdout: Rows
    slices: "pd.DataFrame"
    scores: "np.ndarray"
    loss: float
    baseline: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A scored week as a rule sees it: its release with what that expects, the drift of columns, and the outcomes."""

    release: Fitted
    expected: Expectations
    columns: tuple[ColumnDrift, ...]
    outcomes: Outcomes
    recipe: Recipe


Flags = Callable[[Watched], Mapping[str, Verdict]]
"""A rule: the findings of a week, under the names that open episodes."""


class Year:
    """The rows of a year by week, and what models make of them; each model, and each week's scores, are made once.

    `frame` has the columns of the recipe's features and slices, the three of `mlops.training`, and WEEK.
    """

    def __init__(self, frame: "pd.DataFrame", recipe: Recipe, *, start: datetime) -> None:
        self.recipe, self.start = recipe, start
        self._weeks = {int(str(week)): rows for week, rows in frame.groupby(WEEK)}
        self.last = max(self._weeks)
        self.fitted = cache(self._fitted)
        self.expected = cache(self._expected)
        self.scores = cache(self._scores)
        self.watched = cache(self._watched)
        self._losses = cache(self._lost)
        self._known_days = cache(self._days_of_labels)

    @property
    def first(self) -> int:
        """The week at whose end the first model is made."""
        return self.recipe.window_weeks - 1

    def end(self, week: int) -> datetime:
        """The instant at which a week ends."""
        return self.start + timedelta(weeks=week + 1)

    def key(self, week: int) -> str:
        """A week by its first day, as partitions are named."""
        return f"{self.end(week - 1):%Y-%m-%d}"

    def judge(self, challenger: int, champion: int | None) -> Verdict:
        """The gate's verdict on the model of one week against another, or against the best single score without one."""
        import numpy as np

        found, recipe = self.fitted(challenger), self.recipe
        if champion is None:
            before = np.full(len(found.holdout), found.baseline)
        else:
            before = recipe.flavour.predict(self.fitted(champion).model, found.holdout.features)
        comparison = compare(
            task=recipe.task,
            labels=found.holdout.labels.to_numpy(),
            challenger=found.scores,
            champion=before,
            days=found.holdout.asked_at.dt.date.tolist(),
            slices=found.slices,
            rule=recipe.gate,
        )
        return judge_challenger(comparison, recipe.gate)

    def gained(self, models: Mapping[int, tuple[int, int]]) -> ClusteredMean | None:
        """The loss that a row of some weeks is spared, over days: for each week, the model that is left and the one taken.

        Every label that ever became known counts. None for no weeks.
        """
        import numpy as np

        if not models:
            return None
        spared = [self._losses(left, week) - self._losses(taken, week) for week, (left, taken) in models.items()]
        return clustered_mean(np.concatenate(spared), [day for week in models for day in self._known_days(week)])

    def _split(self, cut: int) -> Split:
        import pandas as pd

        window = range(cut + 1 - self.recipe.window_weeks, cut + 1)
        return split_by_time(
            pd.concat([self._weeks[week] for week in window]).sort_index(),
            task=self.recipe.task,
            features=self.recipe.features,
            slices=self.recipe.slices,
            holdout_from=self.end(cut - self.recipe.holdout_weeks),
            cut_off=self.end(cut),
            weighting=self.recipe.weighting,
        )

    def _fitted(self, cut: int) -> Fitted:
        task, split = self.recipe.task, self._split(cut)
        model = self._fit(split.train)
        scores = self.recipe.flavour.predict(model, split.holdout.features)
        return Fitted(
            cut=cut,
            model=model,
            holdout=split.holdout,
            slices=split.slices,
            scores=scores,
            loss=float(task.loss(split.holdout.labels.to_numpy(), scores).mean()),
            baseline=task.baseline(split.train.labels.to_numpy()),
        )

    def _fit(self, rows: Rows) -> Any:
        return fit(self.recipe.train, rows.copy(), self.recipe.params, self.recipe.seed)

    def _expected(self, cut: int) -> Expectations:
        def fit_and_score(rows: Rows, features: "pd.DataFrame") -> "np.ndarray":
            return self.recipe.flavour.predict(self._fit(rows), features)

        split = self._split(cut)
        return calibrate(self.recipe.task, split.period, split.known_at, self.end(cut), fit_and_score)

    def _scores(self, cut: int, week: int) -> "np.ndarray":
        return self.recipe.flavour.predict(self.fitted(cut).model, self._weeks[week][list(self.recipe.features)])

    def _lost(self, cut: int, week: int) -> "np.ndarray":
        rows = self._weeks[week]
        known = rows[LABEL].notna().to_numpy()
        labels = rows[LABEL].to_numpy()[known].astype(float)
        return self.recipe.task.loss(labels, self.scores(cut, week)[known])

    def _days_of_labels(self, week: int) -> list[date]:
        rows = self._weeks[week]
        return [instant.date() for instant in rows[ASKED_AT][rows[LABEL].notna()]]

    def _watched(self, cut: int, week: int) -> Watched:
        import pandas as pd

        rows, scores = self._weeks[week], self.scores(cut, week)
        expected = self.expected(cut)
        columns = {str(name): rows[name] for name in self.recipe.features} | {SCORE: pd.Series(scores)}
        profiles = [profile for profile in expected.columns if profile.role != LABELS]
        known = (rows[LABEL].notna() & (rows[KNOWN_AT] <= self.end(week))).to_numpy()
        outcomes = Outcomes(
            labels=rows[LABEL].to_numpy()[known].astype(float),
            scores=scores[known],
            days=rows[ASKED_AT][known].dt.date.tolist(),
            slices=pd.DataFrame(index=range(known.sum())),  # slices are shown, and decide nothing
            scored=len(rows),
        )
        return Watched(
            self.fitted(cut), expected, measure_drift(profiles, columns, self.recipe.drift), outcomes, self.recipe
        )
