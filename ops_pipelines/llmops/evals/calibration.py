"""A judge's mean, corrected by what people said of a few cases, with an interval that holds the truth.

A judge scores every case and is biased; people label a few and are dear. Prediction-powered inference (Angelopoulos, Bates,
Fannjiang, Jordan and Zrnic, Science 2023) takes the judge's mean over the cases that nobody labelled and adds what the judge
was wrong by on those that people did. How far the judge is trusted is tuned on the labels (PPI++, 2023), so that a useless
judge costs nothing and a good one makes the interval narrow. The labelled cases have to be a random draw of all.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.statistics import ClusteredMean, robust_mean
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.llmops.paired import cluster_of

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class CalibrationRule:
    """What a judge needs to be used: labels, clusters of them, and the agreement with people (Cohen's kappa).

    Of the labels at least `least_of_each` have to be below a half, and as many not: with five bad answers among fifty, an
    interval of 95% holds the truth in 90% of draws. ConfigError for numbers that cannot be meant.
    """

    least_labels: int = 50
    least_of_each: int = 10
    least_clusters: int = 10
    least_kappa: float = 0.4
    confidence: float = 0.95

    def __post_init__(self) -> None:
        check_settings(
            self,
            "calibration",
            least_labels=(self.least_labels >= 2, "at least 2"),
            least_of_each=(self.least_of_each >= 1, "at least 1"),
            least_clusters=(self.least_clusters >= 2, "at least 2"),
            least_kappa=(-1 <= self.least_kappa < 1, "at least -1 and less than 1"),
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
        )


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a judge says, what people say of some of it, and what follows for all of it.

    `corrected` is the mean of all cases as people would have it; `by_labels` that of the labels alone; both are None where
    fewer than two clusters are labelled. `trust` is the weight of the judge: 0 for none. `narrower` is by which share the
    corrected interval is narrower than the labels' own. `good` labels are at least a half. `kappa` is None where chance alone
    agrees. `unjudged` are labels of cases that the judge did not score.
    """

    judged: float | None
    cases: int
    labels: int
    corrected: ClusteredMean | None
    by_labels: ClusteredMean | None
    bias: float | None
    trust: float
    narrower: float | None
    kappa: float | None
    good: int = 0
    unjudged: tuple[str, ...] = ()

    def to_json(self, *, confidence: float = 0.95) -> dict[str, Any]:
        """The calibration as plain JSON."""
        plain = ("judged", "cases", "labels", "bias", "trust", "narrower", "kappa", "good")
        told = {name: _mean_to_json(getattr(self, name), confidence) for name in ("corrected", "by_labels")}
        return {**{name: getattr(self, name) for name in plain}, **told, "unjudged": list(self.unjudged)}


def calibrate(
    judged: Mapping[str, float], labels: Mapping[str, float], clusters: Mapping[str, str] | None = None
) -> Calibration:
    """A judge's scores of all cases corrected by the labels of some, both from 0 to 1; clusters count as draws.

    Agreement is over scores that are at least a half on either side.
    """
    import numpy as np

    known = [case for case in labels if case in judged]
    unjudged = tuple(sorted(labels.keys() - judged.keys()))
    everybody = float(np.mean(list(judged.values()))) if judged else None
    if len({cluster_of(case, clusters) for case in known}) < 2:
        return Calibration(everybody, len(judged), len(known), None, None, None, 0.0, None, None, unjudged=unjudged)
    said = np.array([labels[case] for case in known], dtype=float)
    scores = np.array([judged[case] for case in known], dtype=float)
    names = [cluster_of(case, clusters) for case in known]
    rest = [case for case in judged if case not in labels]
    others = np.array([judged[case] for case in rest], dtype=float)
    trust = _trust(said, scores, others)
    by_labels = robust_mean(said, names)
    corrected = _corrected(said - trust * scores, names, trust * others, [cluster_of(case, clusters) for case in rest])
    return Calibration(
        judged=everybody,
        cases=len(judged),
        labels=len(known),
        corrected=corrected,
        by_labels=by_labels,
        bias=float(np.mean(scores - said)),
        trust=trust,
        narrower=_narrower(corrected, by_labels),
        kappa=cohens_kappa((said >= 0.5).tolist(), (scores >= 0.5).tolist()),
        good=int((said >= 0.5).sum()),
        unjudged=unjudged,
    )


def judge_calibration(calibration: Calibration, rule: CalibrationRule) -> Verdict:
    """Passed where people agree with the judge often enough to use it, corrected; Blocked where they do not.

    NotEvaluated for too few labels, of one kind of them, or clusters, and for labels of cases that the judge never scored.
    """
    evidence = {"calibration": calibration.to_json(confidence=rule.confidence), "rule": asdict(rule)}
    why = _too_little(calibration, rule)
    if why or calibration.kappa is None:
        return NotEvaluated(why, evidence)
    if calibration.kappa < rule.least_kappa:
        said = f"the judge agrees with {calibration.labels} labels by a kappa of {calibration.kappa:.2f}"
        return Blocked((f"{said}, less than {rule.least_kappa:g}: it does not judge what people do",), evidence)
    return Passed(evidence)


def cohens_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    """How far two raters agree beyond chance: 1 always, 0 as chance would (Cohen, 1960); None where chance always agrees.

    Raises ValueError for no ratings and for lengths that differ.

    >>> cohens_kappa([True, True, False, False], [True, False, False, False])
    0.5
    """
    if not first or len(first) != len(second):
        raise ValueError(f"need as many ratings of one as of the other, got {len(first)} and {len(second)}")
    total = len(first)
    agreed = sum(one == other for one, other in zip(first, second, strict=True)) / total
    by_chance = sum(first.count(kind) * second.count(kind) for kind in set(first)) / total**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)


def _trust(said: "np.ndarray", scores: "np.ndarray", others: "np.ndarray") -> float:
    """The weight of the judge that makes the variance least: cov(label, score) / (1 + n/N) var(score), from 0 to 1."""
    import numpy as np

    spread = float(np.var(np.concatenate([scores, others]), ddof=1))
    if len(others) < 2 or spread == 0:
        return 0.0
    together = float(np.cov(said, scores)[0, 1])
    return min(1.0, max(0.0, together / ((1 + len(said) / len(others)) * spread)))


def _corrected(
    errors: "np.ndarray", names: Sequence[Hashable], trusted: "np.ndarray", other_names: Sequence[Hashable]
) -> ClusteredMean:
    """The mean of what the judge was wrong by plus that of its other scores, with the error that clusters give to the sum.

    A cluster may hold cases of both kinds, and what it does to both is one draw. Degrees of freedom are those of the labels.
    """
    import numpy as np

    base = robust_mean(errors, names)
    mean = base.mean + (float(trusted.mean()) if len(trusted) else 0.0)
    codes = {name: code for code, name in enumerate(dict.fromkeys([*names, *other_names]))}
    # The labels' own part keeps its small-sample correction; the rest is added cluster by cluster.
    parts = np.zeros((2, len(codes)))
    for part, values, of in ((0, errors, names), (1, trusted, other_names)):
        if len(values):
            np.add.at(parts[part], [codes[name] for name in of], (values - values.mean()) / len(values))
    count = len(codes)
    beyond = float((parts[1] ** 2 + 2 * parts[0] * parts[1]).sum()) * count / (count - 1)
    variance = (base.standard_error or 0.0) ** 2 + beyond
    error = float(np.sqrt(max(variance, 0.0)))
    return ClusteredMean(mean, error, len(errors) + len(trusted), base.clusters, degrees=base.degrees)


def _narrower(corrected: ClusteredMean, by_labels: ClusteredMean) -> float | None:
    if not by_labels.standard_error or corrected.standard_error is None:
        return None
    return 1 - corrected.standard_error / by_labels.standard_error


def _too_little(calibration: Calibration, rule: CalibrationRule) -> str:
    if calibration.unjudged:
        shown = ", ".join(calibration.unjudged[:5])
        return f"{len(calibration.unjudged)} labels are of cases that the judge did not score ({shown})"
    if calibration.labels < rule.least_labels:
        return f"{calibration.labels} labels, and {rule.least_labels} are needed"
    clusters = calibration.by_labels.clusters if calibration.by_labels else 0
    if clusters < rule.least_clusters:
        return f"labels of {clusters} clusters, and {rule.least_clusters} are needed"
    rarer = min(calibration.good, calibration.labels - calibration.good)
    if rarer < rule.least_of_each:
        kind = "good" if rarer == calibration.good else "bad"
        return f"{rarer} of {calibration.labels} labels are {kind}, and {rule.least_of_each} are needed"
    return ""


def _mean_to_json(mean: ClusteredMean | None, confidence: float) -> dict[str, Any] | None:
    if mean is None:
        return None
    interval = mean.interval(confidence=confidence)
    return {"mean": mean.mean, "interval": list(interval) if interval else None, "clusters": mean.clusters}
