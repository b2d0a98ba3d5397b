"""From joined features and known labels to a fitted model, split by time.

A row is used for training where it was asked, and its label known, before the holdout begins; it is used for judging
where it was asked in the holdout and its label known by the cut-off. Nothing that was learned after the cut-off enters.
What was judged is what ships: there is no refit on the holdout.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError, OpsError, TrainingError, check_settings, near_miss
from ops_pipelines.mlops.task import Task

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ASKED_AT, LABEL, KNOWN_AT = "__asked_at", "__label", "__known_at"
"""Columns of a training frame beside the features: when the row was asked, its label, and when that became known."""


@dataclass(frozen=True, slots=True)
class Weighting:
    """How much a row counts in training: less by half every `half_life_weeks` before the cut-off, times a column.

    Both may be left out. ConfigError for a half-life that is not above 0.
    """

    half_life_weeks: float | None = None
    column: str | None = None

    def __post_init__(self) -> None:
        check_settings(
            self, "weights", half_life_weeks=(self.half_life_weeks is None or self.half_life_weeks > 0, "more than 0")
        )

    def of(self, frame: "pd.DataFrame", cut_off: datetime) -> "pd.Series[Any] | None":
        """The weight of each row of a training frame; None where nothing is asked for.

        DataError where the column holds a weight that is missing, negative or infinite.
        """
        if self.half_life_weeks is None and self.column is None:
            return None
        import numpy as np
        import pandas as pd

        weights = pd.Series(1.0, index=frame.index)
        if self.half_life_weeks is not None:
            half_lives = (cut_off - frame[ASKED_AT]).dt.total_seconds() / timedelta(
                weeks=self.half_life_weeks
            ).total_seconds()
            weights *= np.exp2(-half_lives.to_numpy())
        if self.column is not None:
            declared = frame[self.column].astype(float)
            odd = int((~(np.isfinite(declared) & (declared >= 0))).sum())
            if odd:
                raise DataError(
                    f"{odd} rows have a weight in {self.column!r} that is missing, negative or infinite",
                    expected="a finite number of at least 0 for each row",
                    action="Mend the column in the dataset's loader",
                    column=self.column,
                )
            weights *= declared
        return weights


@dataclass(frozen=True, slots=True)
class Rows:
    """What a training function is given: features (one column each, typed as in the feature service) and labels.

    All share their index; `asked_at` is when each row was asked. `weights` says how much each row counts, 1 for an
    ordinary one; None where the model's YAML asks for none.
    """

    features: "pd.DataFrame"
    labels: "pd.Series[Any]"
    asked_at: "pd.Series[Any]"
    weights: "pd.Series[Any] | None" = None

    def __len__(self) -> int:
        return len(self.features)

    def copy(self) -> "Rows":
        """The same rows in memory of their own, which a function may change without anybody else seeing it."""
        weights = None if self.weights is None else self.weights.copy()
        return Rows(self.features.copy(), self.labels.copy(), self.asked_at.copy(), weights)

    def where(self, chosen: "np.ndarray") -> "Rows":
        """The rows that a mask chooses."""
        weights = None if self.weights is None else self.weights[chosen]
        return Rows(self.features[chosen], self.labels[chosen], self.asked_at[chosen], weights)


@dataclass(frozen=True, slots=True)
class Split:
    """The earlier rows to fit on, the later rows to judge on, and the later rows' slices.

    `period` is every row of both that was labelled by the cut-off, and `known_at` when each of its labels was known.
    """

    train: Rows
    holdout: Rows
    slices: "pd.DataFrame"
    period: Rows
    known_at: "pd.Series[Any]"


TrainFunction = Callable[[Rows, Mapping[str, Any], int], Any]


def split_by_time(
    frame: "pd.DataFrame",
    *,
    task: Task,
    features: tuple[str, ...],
    slices: tuple[str, ...],
    holdout_from: datetime,
    cut_off: datetime,
    weighting: Weighting = Weighting(),
) -> Split:
    """The training and the holdout rows of a joined frame with its labels.

    `frame` has the columns of `features` and `slices` and the three of this module. Rows without a label by the cut-off
    are left out of both. Raises DataError for a label that was known before its row was asked (it would be a leak), and
    where the task cannot be learned from, or judged by, the labels of either side.
    """
    early = frame[frame[KNOWN_AT] <= frame[ASKED_AT]]
    if len(early):
        raise DataError(
            f"{len(early)} labels are known before their row is asked, the first at {early[KNOWN_AT].iloc[0]}",
            expected="labels that become known after the prediction they judge",
            action="Check the label's time column and the entities' asked_at column",
        )
    labelled = frame[frame[LABEL].notna() & (frame[KNOWN_AT] <= cut_off)]
    train = labelled[(labelled[ASKED_AT] < holdout_from) & (labelled[KNOWN_AT] <= holdout_from)]
    holdout = labelled[(labelled[ASKED_AT] >= holdout_from) & (labelled[ASKED_AT] < cut_off)]
    for name, rows in (("training", train), ("holdout", holdout)):
        task.check_labels(rows[LABEL], part=name)
    period = labelled[labelled[ASKED_AT] < cut_off].reset_index(drop=True)
    return Split(
        train=_rows(train, features, weighting.of(train, cut_off)),
        holdout=_rows(holdout, features, None),
        slices=holdout[list(slices)].reset_index(drop=True),
        period=_rows(period, features, weighting.of(period, cut_off)),
        known_at=period[KNOWN_AT],
    )


def fit(train: TrainFunction, rows: Rows, params: Mapping[str, Any], seed: int) -> Any:
    """The model that a team's function returns; TrainingError, with the cause chained, where it raises or returns None."""
    name = getattr(train, "__qualname__", repr(train))
    try:
        model = train(rows, params, seed)
    except OpsError:
        raise
    except Exception as error:
        raise TrainingError(
            f"The training function {name} raised {type(error).__name__}: {error}",
            expected="a function (rows, params, seed) that returns a fitted model",
            action="Mend the function; its traceback is above",
            function=name,
        ) from error
    if model is None:
        raise TrainingError(
            f"The training function {name} returned None",
            expected="a fitted model",
            action="Return the model at its end",
            function=name,
        )
    return model


def import_function(path: str, *, what: str) -> Callable[..., Any]:
    """The function that `module:function` names; ConfigError that says what is missing, with a near miss."""
    module_name, _, name = path.partition(":")
    if not module_name or not name:
        raise ConfigError(
            f"The {what} is given as {path!r}",
            expected="module:function",
            action="Write for instance my_team.model:fit",
        )
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"The {what} {path!r} cannot be imported: {error}",
            expected="a module that Python finds from the project's root",
            action="Check the spelling, or install the package that it needs",
        ) from error
    if not callable(found := getattr(module, name, None)):
        raise ConfigError(
            f"The {what} {path!r} does not exist: {module_name} has no function {name!r}",
            expected="the name of a function",
            action=near_miss(name, [n for n in vars(module) if callable(getattr(module, n))]),
        )
    return found  # type: ignore[no-any-return]


def _rows(frame: "pd.DataFrame", features: tuple[str, ...], weights: "pd.Series[Any] | None") -> Rows:
    plain = frame.reset_index(drop=True)
    kept = None if weights is None else weights.reset_index(drop=True)
    return Rows(plain[list(features)], plain[LABEL].astype(float), plain[ASKED_AT], kept)
