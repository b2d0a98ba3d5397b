"""Rules that say which weeks are bad: the project's own, and the ones that teams use instead.

Each number in them is a published default, stands in the model's YAML, or comes from the training period of the release
that is watched, where it is the distance of the worst week; `settings` says which. The 3 and the 1.5 of one rival are none
of these: they are as they were proposed, maybe by somebody who had seen the year, which can only help it. A rival's weeks
open and close episodes as the project's performance findings do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.scored_year import Flags, Watched
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.drift import FEATURE, PREDICTION, PREDICTION_DRIFT, judge_drift
from ops_pipelines.mlops.performance import PERFORMANCE, judge_performance

PSI_LIMIT = 0.1
"""Above it a population has shifted, by the rule of thumb of credit scoring (Siddiqi, Credit Risk Scorecards, 2006)."""
FEATURES_MOVED, TIMES_WORST = 3, 1.5
FIXED_MARGIN = 0.05
"""A margin on loss, and on the rate, that somebody chose who had seen this year."""
SEEN = "chosen with the year in view"


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """A rule with its name, and where its numbers come from."""

    name: str
    flags: Flags
    settings: str


def project_rule(week: Watched) -> Mapping[str, Verdict]:
    """Performance beyond what the training weeks allow, or predictions that drifted: the project's own findings."""
    recipe = week.recipe
    performance = judge_performance(recipe.task, week.outcomes, week.expected.performance, recipe.performance)
    return {PERFORMANCE: performance.verdict, PREDICTION_DRIFT: judge_drift(week.columns, PREDICTION, recipe.drift)}


def any_feature_moved(week: Watched) -> tuple[str, ...]:
    """Any feature's population stability index above the rule of thumb."""
    return tuple(c.name for c in week.columns if c.role == FEATURE and c.effect > PSI_LIMIT)


def several_features_moved(week: Watched) -> tuple[str, ...]:
    """Three features or more, each 1.5 times as far from the training period as its own worst training week."""
    worst = {column.name: max(column.strayed) for column in week.expected.columns if column.role == FEATURE}
    moved = tuple(c.name for c in week.columns if c.role == FEATURE and c.effect > TIMES_WORST * worst[c.name])
    return moved if len(moved) >= FEATURES_MOVED else ()


def loss_above_holdout(margin: float | None) -> Callable[[Watched], tuple[str, ...]]:
    """Loss above that of the release's holdout by a margin; by the worst training week's excess over their mean for None."""

    def moved(week: Watched) -> tuple[str, ...]:
        expected = week.expected.performance
        allowed = max(expected.losses) - expected.loss if margin is None else margin
        loss = week.recipe.task.loss(week.outcomes.labels, week.outcomes.scores).mean()
        return (f"loss {loss:.3f}",) if loss > week.release.loss + allowed else ()

    return moved


def rate_off_prediction(margin: float | None) -> Callable[[Watched], tuple[str, ...]]:
    """Mean outcome further from the mean score than a margin; than in the worst training week for None."""

    def moved(week: Watched) -> tuple[str, ...]:
        allowed = max(map(abs, week.expected.performance.gaps)) if margin is None else margin
        gap = week.outcomes.labels.mean() - week.outcomes.scores.mean()
        return (f"gap {gap:+.3f}",) if abs(gap) > allowed else ()

    return moved


def _findings(moved: Callable[[Watched], tuple[str, ...]]) -> Flags:
    """A rule that names what moved, as findings."""

    def flags(week: Watched) -> Mapping[str, Verdict]:
        reasons = moved(week)
        return {PERFORMANCE: Blocked(reasons) if reasons else Passed()}

    return flags


def no_finding(week: Watched) -> Mapping[str, Verdict]:  # noqa: ARG001 - the shape of a rule
    """No week is bad: what is left is the age of the release."""
    return {}


OURS = TriggerRule("performance or prediction drift", project_rule, "limits from the training period")
RIVALS = (
    TriggerRule("any feature's PSI above 0.1", _findings(any_feature_moved), "the published rule of thumb"),
    TriggerRule(
        "3 features above 1.5 x their worst training week",
        _findings(several_features_moved),
        "limits from the training period; 3 and 1.5 taken as given",
    ),
    TriggerRule(
        "loss above holdout + margin", _findings(loss_above_holdout(None)), "margin of the worst training week"
    ),
    TriggerRule(
        "late rate off mean prediction", _findings(rate_off_prediction(None)), "distance of the worst training week"
    ),
    TriggerRule("the calendar alone", no_finding, "max_age_weeks of the model's YAML"),
)
"""The five that the project's rule is compared with."""
HINDSIGHT = {
    RIVALS[2].name: TriggerRule("loss above holdout + 0.05", _findings(loss_above_holdout(FIXED_MARGIN)), SEEN),
    RIVALS[3].name: TriggerRule("late rate off by 0.05", _findings(rate_off_prediction(FIXED_MARGIN)), SEEN),
}
"""Two of them with a number that nobody could have known, by the name of the rival: how far hindsight would get."""
