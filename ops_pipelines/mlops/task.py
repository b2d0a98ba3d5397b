"""What a model is asked for: the chance that something happens, or how much of it.

Everything that differs between the two stands here: which labels there can be, what a sound score is, the loss that gates
and limits are about, and the words for it. The rooms that judge take a task and know no kind of model.

2026-11-23: Regression is judged by the absolute error. It has the unit of the label, so that a person can tell whether a
gain matters, and one row that is far out does not decide a week.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ops_pipelines.core.errors import ConfigError, DataError, near_miss
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.metrics import at_thresholds, calibration_error, explained_variance, log_loss, roc_auc

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Task(Protocol):
    """What is asked of a model; `CLASSIFICATION` and `REGRESSION` are the two there are."""

    @property
    def name(self) -> str:
        """How YAML names it."""

    @property
    def loss_name(self) -> str:
        """The name of the loss among the metrics, with underscores for spaces."""

    def check_labels(self, labels: "pd.Series[Any]", *, part: str) -> None:
        """Raises DataError where labels cannot be learned from: `part` says which rows they are of."""

    def loss(self, labels: "np.ndarray", scores: "np.ndarray") -> "np.ndarray":
        """The loss of each row; smaller is better."""

    def baseline(self, labels: "np.ndarray") -> float:
        """The one score that loses least on some labels: what a first model has to beat."""

    def metrics(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """Every number that a card shows, the loss first."""

    def beside(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """The numbers that a week shows beside its loss and its gap."""

    def judge_scores(self, scores: "np.ndarray", *, rows: int) -> Verdict:
        """Passed where there is one sound score for each row; NotEvaluated otherwise, before any metric."""

    def outcome(self, labels: "np.ndarray") -> "pd.Series[Any]":
        """Labels as the column whose drift is measured."""

    def gap_words(self, gap: float, limit: float) -> str:
        """A gap between outcomes and scores that is beyond its limit, for people."""


@dataclass(frozen=True, slots=True)
class Classification:
    """Will it happen? Labels are 0 or 1, a score is the probability of 1, the loss is log loss in nats.

    At each of `thresholds` the metrics hold precision, recall and the share of rows that are called positive.
    """

    thresholds: tuple[float, ...] = ()
    name: str = "classification"
    loss_name: str = "log_loss"

    def __post_init__(self) -> None:
        for threshold in self.thresholds:
            if not 0 < threshold < 1:
                raise ConfigError(
                    f"A threshold is {threshold}",
                    expected="probabilities: more than 0 and less than 1",
                    action="Correct `thresholds` in the model's YAML",
                )

    def check_labels(self, labels: "pd.Series[Any]", *, part: str) -> None:
        """Raises DataError for a label that is neither 0 nor 1, and where one of the two does not occur."""
        if odd := sorted(set(labels.astype(float)) - {0.0, 1.0}):
            raise DataError(
                f"The label holds {odd[0]:g} and {len(odd) - 1} other values that are neither 0 nor 1",
                expected="an outcome that happened or did not: a boolean, or 0 and 1",
                action="Name another column under labels, or say `task: regression`",
            )
        if labels.nunique() < 2:
            raise DataError(
                f"The {part} part has {len(labels)} labelled rows of {labels.nunique()} classes",
                expected="labelled rows of both classes before and after the holdout begins",
                action="Widen window_weeks or holdout_weeks, or wait until labels are known",
            )

    def loss(self, labels: "np.ndarray", scores: "np.ndarray") -> "np.ndarray":
        """The log loss of each row in nats."""
        return log_loss(labels, scores)

    def baseline(self, labels: "np.ndarray") -> float:
        """The base rate."""
        return float(labels.mean())

    def metrics(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """Log loss (nats), AUC, calibration error, Brier score, the share of positives, the mean score, and thresholds."""
        return {
            "log_loss": float(log_loss(labels, scores).mean()),
            **self.beside(labels, scores),
            "brier": float(((scores - labels) ** 2).mean()),
            "positive_share": float(labels.mean()),
            "mean_score": float(scores.mean()),
            **at_thresholds(labels, scores, self.thresholds),
        }

    def beside(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """AUC and calibration error."""
        return {"auc": roc_auc(labels, scores), "calibration_error": calibration_error(labels, scores)}

    def judge_scores(self, scores: "np.ndarray", *, rows: int) -> Verdict:
        """Passed where there is one finite score from 0 to 1 for each row."""
        if _is_sound(scores, rows) and scores.min() >= 0 and scores.max() <= 1:
            return Passed()
        return NotEvaluated(
            f"the model gave scores of shape {scores.shape} for {rows} rows, not one from 0 to 1 for each"
        )

    def outcome(self, labels: "np.ndarray") -> "pd.Series[Any]":
        """Whether it happened."""
        import pandas as pd

        return pd.Series(labels.astype(bool))

    def gap_words(self, gap: float, limit: float) -> str:
        """The gap in points of a percentage."""
        way = "more" if gap > 0 else "fewer"
        return (
            f"{abs(gap) * 100:.1f} points {way} positives than the scores say, beyond the {limit * 100:.1f} that the "
            "training weeks allow"
        )


@dataclass(frozen=True, slots=True)
class Regression:
    """How much will it be? Labels and scores are finite numbers of one unit, the loss is the absolute error in it."""

    name: str = "regression"
    loss_name: str = "absolute_error"

    def check_labels(self, labels: "pd.Series[Any]", *, part: str) -> None:
        """Raises DataError for a label that is infinite, and where all are the same."""
        import numpy as np

        if not np.isfinite(labels.astype(float)).all():
            raise DataError(
                f"The {part} part has infinite labels",
                expected="finite numbers",
                action="Leave such rows out in the dataset's loader, or make them missing",
            )
        if labels.nunique() < 2:
            raise DataError(
                f"The {part} part has {len(labels)} labelled rows of {labels.nunique()} values",
                expected="labelled rows of different values before and after the holdout begins",
                action="Widen window_weeks or holdout_weeks, or wait until labels are known",
            )

    def loss(self, labels: "np.ndarray", scores: "np.ndarray") -> "np.ndarray":
        """The absolute error of each row, in the label's unit."""
        import numpy as np

        errors: np.ndarray = np.abs(labels - scores)
        return errors

    def baseline(self, labels: "np.ndarray") -> float:
        """The median, which loses least absolute error."""
        import numpy as np

        return float(np.median(labels))

    def metrics(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """Mean absolute error, its median and 90th percentile, root of the mean square, R squared, and the two means."""
        import numpy as np

        errors = self.loss(labels, scores)
        return {
            "absolute_error": float(errors.mean()),
            "median_absolute_error": float(np.median(errors)),
            "p90_absolute_error": float(np.quantile(errors, 0.9)),
            **self.beside(labels, scores),
            "calibration_error": calibration_error(labels, scores),
            "mean_label": float(labels.mean()),
            "mean_score": float(scores.mean()),
        }

    def beside(self, labels: "np.ndarray", scores: "np.ndarray") -> dict[str, float | None]:
        """The root of the mean squared error, and R squared."""
        import numpy as np

        return {
            "root_mean_squared_error": float(np.sqrt(((labels - scores) ** 2).mean())),
            "r_squared": explained_variance(labels, scores),
        }

    def judge_scores(self, scores: "np.ndarray", *, rows: int) -> Verdict:
        """Passed where there is one finite number for each row."""
        if _is_sound(scores, rows):
            return Passed()
        return NotEvaluated(
            f"the model gave scores of shape {scores.shape} for {rows} rows, not one finite number for each"
        )

    def outcome(self, labels: "np.ndarray") -> "pd.Series[Any]":
        """The values themselves."""
        import pandas as pd

        return pd.Series(labels)

    def gap_words(self, gap: float, limit: float) -> str:
        """The mean gap in the label's unit."""
        way = "above" if gap > 0 else "below"
        allowed = f"beyond the {limit:.3g} that the training weeks allow"
        return f"outcomes are {abs(gap):.3g} {way} the scores on average, {allowed}"


CLASSIFICATION, REGRESSION = Classification(), Regression()
TASKS: Mapping[str, Task] = {task.name: task for task in (CLASSIFICATION, REGRESSION)}


def task_named(name: str, *, thresholds: Sequence[float] = ()) -> Task:
    """The task of a name; ConfigError for an unknown one, and for thresholds where no probability is asked for."""
    if name not in TASKS:
        raise ConfigError(f"No task is named {name!r}", expected=" or ".join(TASKS), action=near_miss(name, TASKS))
    if thresholds and name != CLASSIFICATION.name:
        raise ConfigError(
            f"Thresholds are given for a task of {name}",
            expected="thresholds of probabilities, for a classification",
            action="Leave `thresholds` out of the model's YAML",
        )
    return Classification(tuple(thresholds)) if thresholds else TASKS[name]


def _is_sound(scores: "np.ndarray", rows: int) -> bool:
    import numpy as np

    return scores.shape == (rows,) and rows > 0 and bool(np.isfinite(scores).all())
