"""What a week's loss will be, estimated from its scores before any outcome is known, and how sure that is.

On the training period each score came at a price: the mean loss of the rows that were scored alike, by models that did
not see them. For probabilities that is their calibration, read as loss; for values it is how far such values were off. A
week's estimate is the mean price of its scores. How sure it is was measured there, too: each training week was estimated
from the others, and one more such week would be off by no more than the interval, with its confidence.

It sees what moves scores, and nothing else. Where what is to be learned has changed while scores have not, the estimate
stays quiet, so it never says that a model is fine and starts nothing: it is what there is until outcomes are known.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.statistics import prediction_bound
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

if TYPE_CHECKING:
    import numpy as np

BINS = 10
_MIN_WINDOWS = 3


@dataclass(frozen=True, slots=True)
class LossCurve:
    """The mean loss of each bin of scores on the training period, and how far each of its weeks was off the estimate.

    `edges` are the inner edges of the bins; there is one more of `losses`. `errors` holds a week's loss minus its estimate
    by the other weeks.
    """

    edges: tuple[float, ...]
    losses: tuple[float, ...]
    errors: tuple[float, ...]

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "LossCurve":
        """The curve of a record of plain lists."""
        return cls(*(tuple(map(float, record[name])) for name in ("edges", "losses", "errors")))

    def at(self, scores: "np.ndarray") -> "np.ndarray":
        """The price of each score."""
        import numpy as np

        return np.asarray(self.losses)[np.searchsorted(np.asarray(self.edges), scores, side="right")]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The loss that a week's scores stand for, and the interval in which its loss would lie on the training period."""

    loss: float
    low: float
    high: float
    confidence: float
    rows: int

    def to_json(self) -> dict[str, Any]:
        """The estimate as plain JSON."""
        return asdict(self)


def price_scores(scores: "np.ndarray", losses: "np.ndarray", windows: "np.ndarray") -> LossCurve:
    """The curve of out-of-fold scores, the loss of each row, and its window. ValueError for no rows.

    Bins hold equally many rows; scores that are all alike make a single one.
    """
    import numpy as np

    if not len(scores):
        raise ValueError("a curve needs at least one row")
    found = np.unique(windows)
    errors = []
    for window in found if len(found) > 1 else ():
        inside = windows == window
        edges, prices = _binned(scores[~inside], losses[~inside])
        errors.append(float(losses[inside].mean() - LossCurve(edges, prices, ()).at(scores[inside]).mean()))
    return LossCurve(*_binned(scores, losses), tuple(errors))


def estimate_loss(curve: LossCurve, scores: "np.ndarray", *, confidence: float = 0.95) -> Estimate | NotEvaluated:
    """What the loss of some scored rows will be; NotEvaluated for no rows, and for a training period too short to tell.

    The interval is Hahn's for one further observation, of the training weeks' errors (`core.statistics.prediction_bound`),
    and no narrower than their extremes.
    """
    if not len(scores):
        return NotEvaluated("there are no scores to estimate a loss from")
    if len(curve.errors) < _MIN_WINDOWS:
        return NotEvaluated(f"the training period has {len(curve.errors)} weeks, and an interval needs {_MIN_WINDOWS}")
    value, each = float(curve.at(scores).mean()), (1 + confidence) / 2
    above = max(prediction_bound(curve.errors, confidence=each), *curve.errors)
    below = min(-prediction_bound([-error for error in curve.errors], confidence=each), *curve.errors)
    return Estimate(value, max(0.0, value + below), value + above, confidence, len(scores))


def judge_estimate(estimate: Estimate, limit: float, *, loss_name: str) -> Verdict:
    """Blocked where the whole interval is above a limit, NotEvaluated where the limit lies inside it: it cannot tell."""
    name = loss_name.replace("_", " ")
    said = f"{name} {estimate.loss:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"
    evidence = estimate.to_json() | {"limit": limit}
    if estimate.low > limit:
        return Blocked((f"the scores alone stand for a {said}, above the {limit:.3f} that is allowed",), evidence)
    if estimate.high > limit:
        return NotEvaluated(
            f"the scores alone stand for a {said}: whether it is above {limit:.3f} cannot be told", evidence
        )
    return Passed(evidence)


def _binned(scores: "np.ndarray", losses: "np.ndarray") -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The inner edges of bins of equally many scores, and the mean loss of each."""
    import numpy as np

    # Edges are scores that occurred, and none is the lowest: so no bin is empty.
    deciles = np.unique(np.quantile(scores, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    edges = deciles[deciles > scores.min()]
    place = np.searchsorted(edges, scores, side="right")
    rows = np.bincount(place, minlength=len(edges) + 1)
    prices = np.bincount(place, weights=losses, minlength=len(edges) + 1) / rows
    return tuple(map(float, edges)), tuple(map(float, prices))
