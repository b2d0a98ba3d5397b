"""A model walked through a year, week by week, by any rule that says which weeks are bad.

Everything but that rule is the project's own and the same for all: split, fit, calibration, gate, episodes with their
cooldown, budget and age, and which release scores which week. A week is scored by the release that was live when it
began; it is judged with the labels known when it ends; what is due then is trained up to that end, and goes live with
the next week where the gate lets it in. One thing is left out: the second fit by which repeatability is judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.clock import Window
from ops_pipelines.core.verdict import Passed, Verdict
from ops_pipelines.mlops.calibration import SCORE, Expectations, calibrate
from ops_pipelines.mlops.checkpoint import Flavour
from ops_pipelines.mlops.drift import LABEL as LABELS
from ops_pipelines.mlops.drift import ColumnDrift, DriftRule, measure_drift
from ops_pipelines.mlops.evaluation import GateRule, compare, judge_challenger
from ops_pipelines.mlops.performance import Outcomes, PerformanceRule
from ops_pipelines.mlops.retraining import Episode, Request, RetrainingRule, Week, advance, due, request_for
from ops_pipelines.mlops.task import Task
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, LABEL, Rows, Split, TrainFunction, fit, split_by_time

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

WEEK = "__week"
"""The column of a year's frame that numbers the weeks from 0."""
FOLLOWING = 4
"""The weeks after a challenger was made in which it is compared with the champion that it met."""


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
    window_weeks: int
    holdout_weeks: int
    gate: GateRule
    drift: DriftRule
    performance: PerformanceRule
    retraining: RetrainingRule


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model that knows the year up to the end of week `cut`, its scores of its holdout, and the rows that it was given."""

    cut: int
    model: Any
    split: Split
    holdout_scores: "np.ndarray"
    holdout_loss: float


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
        holdout = found.split.holdout
        if champion is None:
            baseline = np.full(len(holdout), recipe.task.baseline(found.split.train.labels.to_numpy()))
        else:
            baseline = recipe.flavour.predict(self.fitted(champion).model, holdout.features)
        comparison = compare(
            task=recipe.task,
            labels=holdout.labels.to_numpy(),
            challenger=found.holdout_scores,
            champion=baseline,
            days=holdout.asked_at.dt.date.tolist(),
            slices=found.split.slices,
            rule=recipe.gate,
        )
        return judge_challenger(comparison, recipe.gate)

    def loss(self, cut: int, week: int) -> float:
        """The mean loss of a model over a week's rows, with every label that ever became known."""
        rows = self._weeks[week]
        known = rows[LABEL].notna().to_numpy()
        labels = rows[LABEL].to_numpy()[known].astype(float)
        return float(self.recipe.task.loss(labels, self.scores(cut, week)[known]).mean())

    def _fitted(self, cut: int) -> Fitted:
        import pandas as pd

        recipe = self.recipe
        split = split_by_time(
            pd.concat([self._weeks[week] for week in range(cut + 1 - recipe.window_weeks, cut + 1)]).sort_index(),
            task=recipe.task,
            features=recipe.features,
            slices=recipe.slices,
            holdout_from=self.end(cut - recipe.holdout_weeks),
            cut_off=self.end(cut),
        )
        model = self._fit(split.train)
        scores = recipe.flavour.predict(model, split.holdout.features)
        loss = float(recipe.task.loss(split.holdout.labels.to_numpy(), scores).mean())
        return Fitted(cut, model, split, scores, loss)

    def _fit(self, rows: Rows) -> Any:
        return fit(self.recipe.train, rows.copy(), self.recipe.params, self.recipe.seed)

    def _expected(self, cut: int) -> Expectations:
        def fit_and_score(rows: Rows, features: "pd.DataFrame") -> "np.ndarray":
            return self.recipe.flavour.predict(self._fit(rows), features)

        split = self.fitted(cut).split
        return calibrate(self.recipe.task, split.period, split.known_at, self.end(cut), fit_and_score)

    def _scores(self, cut: int, week: int) -> "np.ndarray":
        return self.recipe.flavour.predict(self.fitted(cut).model, self._weeks[week][list(self.recipe.features)])

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
        return Watched(self.fitted(cut), expected, measure_drift(profiles, columns, self.recipe.drift), outcomes, self.recipe)


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenger made at the end of `week` against the model of week `champion`, and what the weeks after it showed.

    `following` holds the champion's mean loss minus the challenger's in each of the next weeks, as far as the year goes.
    """

    week: int
    champion: int
    kinds: tuple[str, ...]
    verdict: Verdict
    following: tuple[float, ...]

    @property
    def is_promoted(self) -> bool:
        return isinstance(self.verdict, Passed)

    @property
    def gain(self) -> float:
        """What the next weeks gain, or would have gained, in loss times weeks a flight."""
        return sum(self.following)


@dataclass(frozen=True, slots=True)
class Walked:
    """A year by one rule: its episodes, its challenges, which weeks were flagged, and the loss of each scored week."""

    episodes: tuple[Episode, ...]
    challenges: tuple[Challenge, ...]
    findings: Mapping[int, Mapping[str, Verdict]]
    losses: Mapping[int, float]

    @property
    def gain(self) -> float:
        """What the promoted challengers gained over the four weeks after each, in loss times weeks a flight."""
        return sum(challenge.gain for challenge in self.challenges if challenge.is_promoted)

    @property
    def mean_loss(self) -> float:
        return sum(self.losses.values()) / len(self.losses)


def walk(year: Year, flags: Flags, rule: RetrainingRule, *, system: str = "walked") -> Walked:
    """The year from the first model on, with challengers asked for by a rule; ValueError where the gate refuses the first."""
    if not isinstance(first := year.judge(year.first, None), Passed):
        raise ValueError(f"the first model does not pass its gate: {first}")
    live = year.first
    episodes: tuple[Episode, ...] = ()
    challenges: list[Challenge] = []
    requests: list[Request] = []
    outcomes: dict[str, str] = {}
    findings: dict[int, Mapping[str, Verdict]] = {}
    losses: dict[int, float] = {}
    for week in range(year.first + 1, year.last + 1):
        losses[week] = year.loss(live, week)
        findings[week] = flags(year.watched(live, week))
        seen = [findings[judged] for judged in range(live + 1, week + 1)]
        known = Week(
            key=year.key(week),
            window=Window(year.end(week - 1), year.end(week)),
            release=year.key(live),
            cut_off=year.end(live),
            findings={kind: [each[kind] for each in seen] for kind in findings[week]},
            requests=tuple(requests),
            outcomes=dict(outcomes),
        )
        episodes = advance(system, episodes, known, rule)
        if waiting := due(episodes):
            end = year.end(week)
            request = request_for(waiting, week=year.key(week), end=end, actor="walk", at=end)
            challenge = _challenge(year, week, live, tuple(episode.kind for episode in waiting))
            requests.append(request)
            challenges.append(challenge)
            outcomes[request.key] = "promoted" if challenge.is_promoted else "refused"
            live = week if challenge.is_promoted else live
    return Walked(episodes, tuple(challenges), findings, losses)


def _challenge(year: Year, week: int, champion: int, kinds: tuple[str, ...]) -> Challenge:
    after = range(week + 1, min(week + FOLLOWING, year.last) + 1)
    following = tuple(year.loss(champion, later) - year.loss(week, later) for later in after)
    return Challenge(week, champion, kinds, year.judge(week, champion), following)
