"""What a release's own training period says is normal, kept with the release.

Every limit by which a release is watched is computed here, once, from the rows that it was trained and gated on, and
from nothing later: `calibrate` refuses any row that was asked or labelled after the cut-off. The scores of the training
period are out-of-fold: each block of weeks is scored by a model fitted on the others, since a model's scores of what it
was fitted on look better than any week can.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.verdict import reasons_of
from ops_pipelines.mlops.drift import FEATURE, LABEL, PREDICTION, ColumnProfile, profile_column
from ops_pipelines.mlops.estimation import LossCurve, price_scores
from ops_pipelines.mlops.performance import Expected
from ops_pipelines.mlops.task import Task
from ops_pipelines.mlops.training import Rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

BLOCKS = 5
"""Into how many blocks of neighbouring weeks a training period is cut; each costs one more fit."""
SCORE, OUTCOME = "score", "label"
"""The names under which predictions and labels are profiled."""

FitAndScore = Callable[[Rows, "pd.DataFrame"], "np.ndarray"]
"""Fits on rows, and scores some features with what it fitted."""


@dataclass(frozen=True, slots=True)
class Expectations:
    """The training period's profile of each column, the performance of its weeks, and what each score cost.

    `prices` is None in a release that was trained before there were any.
    """

    columns: tuple[ColumnProfile, ...]
    performance: Expected
    prices: LossCurve | None = None

    def to_json(self) -> dict[str, Any]:
        """The expectations as plain JSON, read back by `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Expectations":
        """The expectations that `to_json` wrote."""
        columns = tuple(
            ColumnProfile(**{name: _tuples(value) for name, value in column.items()}) for column in record["columns"]
        )
        performance = Expected(**{name: tuple(values) for name, values in record["performance"].items()})
        prices = record.get("prices")
        return cls(columns, performance, LossCurve.from_json(prices) if prices else None)


def calibrate(
    task: Task, rows: Rows, known_at: "pd.Series[Any]", cut_off: datetime, fit_and_score: FitAndScore
) -> Expectations:
    """What is normal, from the labelled rows up to a cut-off; `known_at` is when each row's label was known.

    Raises DataError where a row or its label is later than the cut-off, where there are fewer than two weeks of rows, and
    where what was fitted gives no sound score for each row.
    """
    import numpy as np
    import pandas as pd

    late = int((~((rows.asked_at < cut_off) & (known_at <= cut_off))).sum())
    if late:
        raise DataError(
            f"{late} rows are later than the cut-off {cut_off}, or nobody knows when",
            expected="the training period alone: limits that know the future would never be crossed",
            action="Leave out what was asked or labelled after the cut-off",
        )
    weeks = _weeks_before(cut_off, rows.asked_at)
    if len(np.unique(weeks)) < 2:
        raise DataError(
            f"the training period has {len(np.unique(weeks))} weeks of labelled rows",
            expected="at least two, so that one can be compared with the others",
            action="Widen window_weeks",
        )
    scores = _out_of_fold(task, rows, weeks, fit_and_score)
    labels = rows.labels.to_numpy(dtype=float)
    features = [profile_column(str(name), FEATURE, rows.features[name], weeks) for name in rows.features]
    said = profile_column(SCORE, PREDICTION, pd.Series(scores), weeks)
    came = profile_column(OUTCOME, LABEL, task.outcome(labels), weeks)
    losses = task.loss(labels, scores)
    inside = [weeks == week for week in np.unique(weeks)]
    performance = Expected(
        losses=tuple(float(losses[week].mean()) for week in inside),
        gaps=tuple(float((labels[week] - scores[week]).mean()) for week in inside),
    )
    return Expectations((*features, said, came), performance, price_scores(scores, losses, weeks))


def _weeks_before(cut_off: datetime, asked_at: "pd.Series[Any]") -> "np.ndarray":
    """The week of each row, counted back from the cut-off; a stub of a first week belongs to the one after it."""
    import numpy as np

    age = (np.datetime64(cut_off.astimezone(UTC).replace(tzinfo=None)) - asked_at.to_numpy("datetime64[us]")).astype(
        int
    )
    weeks: np.ndarray = (age - 1) // (timedelta(weeks=1) // timedelta(microseconds=1))
    found, rows = np.unique(weeks, return_counts=True)
    if len(found) > 2 and rows[-1] < np.median(rows) / 2:
        weeks[weeks == found[-1]] = found[-2]
    return weeks


def _out_of_fold(task: Task, rows: Rows, weeks: "np.ndarray", fit_and_score: FitAndScore) -> "np.ndarray":
    """The score of each row by a model that was fitted on the other blocks of weeks."""
    import numpy as np

    order = np.unique(weeks, return_inverse=True)[1]
    blocks = order * min(BLOCKS, order.max() + 1) // (order.max() + 1)
    scores = np.empty(len(rows))
    for block in np.unique(blocks):
        inside = blocks == block
        said = fit_and_score(rows.where(~inside), rows.features[inside])
        if problem := reasons_of(task.judge_scores(said, rows=int(inside.sum()))):
            raise DataError(
                f"A model fitted on parts of the training period gave no scores for the rest: {problem[0]}",
                expected="one score for each row",
                action="Mend the training function: it has to work on fewer weeks, too",
            )
        scores[inside] = said
    return scores


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
