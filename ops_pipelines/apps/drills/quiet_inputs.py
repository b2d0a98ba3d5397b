"""D5: what is learned changes while what is seen does not, as when a market turns under a model of its prices.

Houses look as they did and sell otherwise. An alarm on the inputs alone stays green all the while that the loss grows;
only outcomes show it. The plain monitor is the usual one: a two-sample Kolmogorov-Smirnov test of each feature.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ops_pipelines.core.verdict import Verdict
    from ops_pipelines.mlops.training import Rows

START, WEEK, ROWS = datetime(2021, 1, 4, tzinfo=UTC), timedelta(weeks=1), 700
TRAINED, TURNED = 10, 14
"""So many weeks are learned from, and from this one on the world is another one; the weeks between are quiet."""
SIGNIFICANCE = 0.01


def unguarded(folder: Path) -> Outcome:
    """Weekly scores with an alarm on the inputs: the alarm is silent and the loss has doubled."""
    from scipy.stats import ks_2samp

    del folder  # nothing is written
    model = _fit(_weeks(0, TRAINED))
    reference, turned = _weeks(0, TRAINED), _week(TURNED)
    features = ("distance", "rooms")
    p_values = {name: float(ks_2samp(reference[name], turned[name]).pvalue) for name in features}
    green = min(p_values.values()) > SIGNIFICANCE / len(features)
    before, after = _loss(model, _week(TURNED - 1)), _loss(model, turned)
    return Outcome(
        harmed=green and after > 1.5 * before,
        caught=not green,
        reason=f"the monitor is green and log loss went from {before:.3f} to {after:.3f}",
        evidence={"p_values": p_values, "loss_before": before, "loss_after": after},
    )


def guarded(folder: Path) -> Outcome:
    """The same weeks judged by outcomes and by inputs, against limits from the training period alone."""
    from ops_pipelines.core.verdict import Blocked, Passed, name_of, reasons_of

    del folder
    expected = _calibrated()
    quiet, turned = (_judged(expected, number) for number in (TURNED - 1, TURNED))
    return Outcome(
        harmed=not isinstance(turned.performance, Blocked),
        caught=isinstance(turned.performance, Blocked)
        and isinstance(turned.drift, Passed)
        and isinstance(quiet.performance, Passed),
        reason="; ".join(reasons_of(turned.performance)),
        evidence={
            "performance": {"before": name_of(quiet.performance), "after": name_of(turned.performance)},
            "feature_drift": {"before": name_of(quiet.drift), "after": name_of(turned.drift)},
        },
    )


DRILL = Drill(
    number="D5",
    name="quiet inputs",
    incident="concept drift with inputs that did not move: prices kept being offered as the market turned (Zillow, 2021)",
    source="Zillow Offers, third quarter of 2021",
    names="above the",
    unguarded=unguarded,
    guarded=guarded,
)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A week's two findings."""

    performance: "Verdict"
    drift: "Verdict"


@dataclass(frozen=True, slots=True)
class _Expected:
    """The model, and what its training period says is normal."""

    model: "_Logistic"
    expectations: Any


@dataclass(frozen=True, slots=True)
class _Logistic:
    """A logistic regression on both features and a constant."""

    weights: tuple[float, ...]

    def predict(self, features: "pd.DataFrame") -> "np.ndarray":
        import numpy as np

        scores: np.ndarray = 1 / (1 + np.exp(-_design(features) @ np.asarray(self.weights)))
        return scores


def _calibrated() -> _Expected:
    """The only place that calls `calibrate`."""
    from ops_pipelines.mlops.calibration import calibrate
    from ops_pipelines.mlops.task import CLASSIFICATION
    from ops_pipelines.mlops.training import Rows

    frame = _weeks(0, TRAINED).reset_index(drop=True)
    rows = Rows(frame[["distance", "rooms"]], frame.sold_fast.astype(float), frame.asked_at)

    def fit_and_score(some: "Rows", features: "pd.DataFrame") -> "np.ndarray":
        return _fit(some.features.assign(sold_fast=some.labels)).predict(features)

    cut_off = START + TRAINED * WEEK
    return _Expected(
        _fit(frame), calibrate(CLASSIFICATION, rows, frame.asked_at + timedelta(minutes=1), cut_off, fit_and_score)
    )


def _judged(expected: _Expected, number: int) -> _Judged:
    """The only place that calls `judge_performance` and `judge_drift`."""
    from ops_pipelines.mlops.drift import FEATURE, DriftRule, judge_drift, measure_drift
    from ops_pipelines.mlops.performance import Outcomes, PerformanceRule, judge_performance
    from ops_pipelines.mlops.task import CLASSIFICATION

    week = _week(number)
    outcomes = Outcomes(
        labels=week.sold_fast.to_numpy(dtype=float),
        scores=expected.model.predict(week),
        days=week.asked_at.dt.date.tolist(),
        slices=week[[]],
        scored=len(week),
    )
    performance = judge_performance(CLASSIFICATION, outcomes, expected.expectations.performance, PerformanceRule())
    features = [column for column in expected.expectations.columns if column.role == FEATURE]
    columns = {name: week[name] for name in ("distance", "rooms")}
    drift = judge_drift(measure_drift(features, columns, DriftRule()), FEATURE, DriftRule())
    return _Judged(performance.verdict, drift)


def _weeks(first: int, end: int) -> "pd.DataFrame":
    import pandas as pd

    return pd.concat([_week(number) for number in range(first, end)], ignore_index=True)


def _week(number: int) -> "pd.DataFrame":
    """One week of houses: those near the centre sell fast, until the world turns and those far from it do."""
    import numpy as np
    import pandas as pd

    draw = np.random.default_rng(number)
    distance, rooms = draw.gamma(2, 3, ROWS), draw.integers(1, 7, ROWS).astype(float)
    way = 1 if number < TURNED else -1
    logits = way * (3 - 0.6 * distance) + 0.2 * (rooms - 3.5)
    asked_at = [START + number * WEEK + n * WEEK / ROWS for n in range(ROWS)]
    sold_fast = draw.random(ROWS) < 1 / (1 + np.exp(-logits))
    return pd.DataFrame({"distance": distance, "rooms": rooms, "sold_fast": sold_fast, "asked_at": asked_at})


def _design(features: "pd.DataFrame") -> "np.ndarray":
    import numpy as np

    return np.column_stack([np.ones(len(features)), features["distance"], features["rooms"]])


def _fit(frame: "pd.DataFrame") -> _Logistic:
    """Newton's method, which is done after eight steps here."""
    import numpy as np

    columns, labels = _design(frame), frame.sold_fast.to_numpy(dtype=float)
    weights = np.zeros(columns.shape[1])
    for _ in range(8):
        scores = 1 / (1 + np.exp(-columns @ weights))
        curvature = (columns * (scores * (1 - scores))[:, None]).T @ columns
        weights += np.linalg.solve(curvature, columns.T @ (labels - scores))
    return _Logistic(tuple(float(weight) for weight in weights))


def _loss(model: _Logistic, week: "pd.DataFrame") -> float:
    import numpy as np

    scores = model.predict(week)
    return float(-np.log(np.where(week.sold_fast, scores, 1 - scores)).mean())
