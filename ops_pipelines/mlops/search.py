"""A search for better parameters within a budget, on the training rows alone.

Candidates are the declared parameters, then draws from the declared space. Each is fitted on the earlier training rows and
judged on the latest ones, in time order as the gate does; the holdout is never looked at. The best is fitted on all
training rows afterwards, as if somebody had written it into the YAML.

Draws are independent (Bergstra and Bengio, 2012): within some dozens of fits nothing cleverer is reliably better, and the
same seed gives the same candidates however many of them are tried.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError, TrainingError, check_settings
from ops_pipelines.core.verdict import Passed, reasons_of
from ops_pipelines.mlops.task import Task
from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FitAndScore = Callable[[Mapping[str, Any], Rows, "pd.DataFrame"], "np.ndarray"]
"""Fits with parameters on rows, and scores some features with what it fitted."""


@dataclass(frozen=True, slots=True)
class SearchRule:
    """How many candidates are tried, over what, and how many of the latest training weeks judge them.

    `space` maps a parameter to a list of choices, or to `{low, high}` with `log: true` for a uniform logarithm and
    `whole: true` for whole numbers. `trials` counts the declared parameters as one; 0 searches nothing. `cpu_seconds`
    ends the search after the candidate during which it is spent: candidates are tried in a fixed order, so a busier
    machine tries fewer of the same. ConfigError for what cannot be meant.
    """

    trials: int = 0
    space: Mapping[str, Any] = field(default_factory=dict)
    cpu_seconds: float | None = None
    judged_weeks: int = 1

    def __post_init__(self) -> None:
        check_settings(
            self,
            "search",
            trials=(self.trials >= 0, "0, or how many candidates to try"),
            cpu_seconds=(self.cpu_seconds is None or self.cpu_seconds > 0, "more than 0"),
            judged_weeks=(self.judged_weeks >= 1, "at least 1"),
        )
        if self.trials and not self.space:
            raise ConfigError(
                "A search of some trials has no space",
                expected="choices for at least one parameter",
                action="Write for instance `space: {num_leaves: [7, 15, 31]}` under `search`",
            )
        for name, choices in self.space.items():
            _check_choices(name, choices)


@dataclass(frozen=True, slots=True)
class Trial:
    """One candidate and its mean loss on the latest training weeks; None where it could not be fitted, with why."""

    params: Mapping[str, Any]
    loss: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The best parameters, and every candidate that was tried, in order."""

    params: Mapping[str, Any]
    trials: tuple[Trial, ...]


def search_params(
    task: Task,
    rows: Rows,
    params: Mapping[str, Any],
    rule: SearchRule,
    fit_and_score: FitAndScore,
    *,
    seed: int,
    spent: Callable[[], float],
) -> Found:
    """The best candidate within the budget; of equals the first, so that nothing changes without a reason.

    `spent` tells the CPU seconds spent since the search began. A candidate that cannot be fitted is listed with why and
    never wins. Raises DataError where no row is older than the weeks that judge, and TrainingError where no candidate at
    all could be fitted.
    """
    if not rule.trials:
        return Found(params, ())
    late = rows.asked_at >= rows.asked_at.max() - timedelta(weeks=rule.judged_weeks)
    if late.all():
        raise DataError(
            f"All {len(rows)} training rows are of the {rule.judged_weeks} weeks that would judge the candidates",
            expected="earlier rows to fit on",
            action="Widen window_weeks, or lower judged_weeks under `search`",
        )
    early, judged = rows.where((~late).to_numpy()), rows.where(late.to_numpy())
    tried: list[Trial] = []
    for candidate in candidates(params, rule.space, seed=seed):
        if len(tried) == rule.trials or (tried and rule.cpu_seconds is not None and spent() >= rule.cpu_seconds):
            break
        tried.append(_tried(task, candidate, early, judged, fit_and_score))
    losses = [trial.loss for trial in tried if trial.loss is not None]
    if not losses:
        raise TrainingError(
            f"None of {len(tried)} candidates could be fitted; the first: {tried[0].why}",
            expected="parameters that the training function takes",
            action="Correct `space` under `search`, or `params`",
        )
    best = next(trial for trial in tried if trial.loss == min(losses))
    return Found(best.params, tuple(tried))


def candidates(params: Mapping[str, Any], space: Mapping[str, Any], *, seed: int) -> Iterator[dict[str, Any]]:
    """The declared parameters, then draws from the space without end; each draw replaces what the space names."""
    import numpy as np

    yield dict(params)
    draw = np.random.default_rng(seed)
    while True:
        yield {**params, **{name: _drawn(space[name], draw) for name in sorted(space)}}


def _tried(task: Task, params: Mapping[str, Any], early: Rows, judged: Rows, fit_and_score: FitAndScore) -> Trial:
    try:
        scores = fit_and_score(params, early, judged.features)
    except (TrainingError, DataError) as error:
        return Trial(params, None, str(error))
    sound = task.judge_scores(scores, rows=len(judged))
    if not isinstance(sound, Passed):
        return Trial(params, None, reasons_of(sound)[0])
    return Trial(params, float(task.loss(judged.labels.to_numpy(), scores).mean()))


def _drawn(choices: Any, draw: "np.random.Generator") -> Any:
    if not isinstance(choices, Mapping):
        return choices[int(draw.integers(len(choices)))]
    low, high = choices["low"], choices["high"]
    even = choices.get("log")
    value = math.exp(draw.uniform(math.log(low), math.log(high))) if even else draw.uniform(low, high)
    return min(int(high), max(int(low), round(value))) if choices.get("whole") else value


def _check_choices(name: str, choices: Any) -> None:
    listed = isinstance(choices, Sequence) and not isinstance(choices, str) and len(choices) > 0
    if listed or (isinstance(choices, Mapping) and _is_range(choices)):
        return
    raise ConfigError(
        f"The search space of {name!r} is {choices!r}",
        expected="a list of choices, or {low, high} with low below high, and low above 0 for `log: true`",
        action=f"Correct `{name}` under `search: space`",
    )


def _is_range(choices: Mapping[str, Any]) -> bool:
    if not {"low", "high"} <= set(choices) <= {"low", "high", "log", "whole"}:
        return False
    low, high = choices["low"], choices["high"]
    sound = all(isinstance(end, (int, float)) and math.isfinite(end) for end in (low, high))
    return sound and low < high and (low > 0 or not choices.get("log"))
