"""From joined features and known labels to a fitted model, split by time.

A row is used for training where it was asked, and its label known, before the holdout begins; it is used for judging
where it was asked in the holdout and its label known by the cut-off. Nothing that was learned after the cut-off enters.
What was judged is what ships: there is no refit on the holdout.
"""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import ConfigError, DataError, OpsError, TrainingError, near_miss

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

ASKED_AT, LABEL, KNOWN_AT = "__asked_at", "__label", "__known_at"
"""Columns of a training frame beside the features: when the row was asked, its label, and when that became known."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a training function is given: features (one column each, typed as in the feature service) and labels.

    `features` and `labels` share their index; `asked_at` is when each row was asked.
    """

    features: "pd.DataFrame"
    labels: "pd.Series[Any]"
    asked_at: "pd.Series[Any]"

    def __len__(self) -> int:
        return len(self.features)

    def copy(self) -> "Rows":
        """The same rows in memory of their own, which a function may change without anybody else seeing it."""
        return Rows(self.features.copy(), self.labels.copy(), self.asked_at.copy())

    def where(self, chosen: "np.ndarray") -> "Rows":
        """The rows that a mask chooses."""
        return Rows(self.features[chosen], self.labels[chosen], self.asked_at[chosen])


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
    features: tuple[str, ...],
    slices: tuple[str, ...],
    holdout_from: datetime,
    cut_off: datetime,
) -> Split:
    """The training and the holdout rows of a joined frame with its labels.

    `frame` has the columns of `features` and `slices` and the three of this module. Rows without a label by the cut-off
    are left out of both. Raises DataError for a label that was known before its row was asked (it would be a leak), and
    where either side has no row or one class only.
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
    odd = sorted(set(labelled[LABEL].astype(float)) - {0.0, 1.0})
    if odd:
        raise DataError(
            f"The label holds {odd[0]:g} and {len(odd) - 1} other values that are neither 0 nor 1",
            expected="an outcome that happened or did not: a boolean, or 0 and 1",
            action="Name another column under labels, or derive one in the dataset's loader",
        )
    for name, rows in (("training", train), ("holdout", holdout)):
        if rows[LABEL].nunique() < 2:
            raise DataError(
                f"The {name} part has {len(rows)} labelled rows of {rows[LABEL].nunique()} classes",
                expected="labelled rows of both classes before and after " + f"{holdout_from:%Y-%m-%d}",
                action="Widen window_weeks or holdout_weeks, or wait until labels are known",
            )
    period = labelled[labelled[ASKED_AT] < cut_off].reset_index(drop=True)
    return Split(
        train=_rows(train, features),
        holdout=_rows(holdout, features),
        slices=holdout[list(slices)].reset_index(drop=True),
        period=_rows(period, features),
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


def _rows(frame: "pd.DataFrame", features: tuple[str, ...]) -> Rows:
    plain = frame.reset_index(drop=True)
    return Rows(plain[list(features)], plain[LABEL].astype(float), plain[ASKED_AT])
