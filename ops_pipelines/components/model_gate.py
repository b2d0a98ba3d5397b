"""Judging what was fitted: against what is live, on the same later rows; and what its training period says is normal."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import predictor_of
from ops_pipelines.components.model_fitting import Fitted
from ops_pipelines.core.errors import DataError, TrainingError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.pointer import PRODUCTION, live_evidence, live_release
from ops_pipelines.core.release import Manifest, Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.calibration import calibrate
from ops_pipelines.mlops.evaluation import compare, judge_challenger
from ops_pipelines.mlops.importance import Importance, rank_features
from ops_pipelines.mlops.training import Split

if TYPE_CHECKING:
    import numpy as np

    from ops_pipelines.components.model import Model


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's verdict on a fitted model, the release it was compared with, and what the holdout says of it."""

    verdict: Verdict
    baseline: str | None
    metrics: dict[str, float | None] = field(default_factory=dict)
    importance: tuple[Importance, ...] = ()


def judge_fitted(model: "Model", platform: Platform, manifest: Manifest, fitted: Fitted, split: Split) -> Judged:
    """The gate: better than what is live beyond chance, no slice much worse, and repeatable."""
    task, labels = model.asked(), split.holdout.labels.to_numpy()
    scores = fitted.score(split.holdout.features)
    sound = task.judge_scores(scores, rows=len(labels))
    if not isinstance(sound, Passed):
        return Judged(sound, None)
    used = split.holdout.features[list(fitted.flavour.features(fitted.model))]
    leant_on = rank_features(task, used, labels, fitted.score, seed=model.seed)
    measured = task.metrics(labels, scores)
    champion = live_release(platform.releases, model.name, PRODUCTION)
    if champion and champion.digest == manifest.digest:
        # The same inputs gave the release that is live: what let it in still holds.
        let_in = live_evidence(platform.releases, model.name, PRODUCTION) or champion.latest
        return Judged(let_in.verdict, let_in.baseline, measured, leant_on)
    subject = manifest.digest
    judgements = [
        Judgement("better", subject, _is_better(model, platform, champion, scores, split)),
        Judgement("repeatable", subject, fitted.repeatable),
    ]
    # What cannot be repeated to the byte may ship where it is better; its card and its evidence say so.
    required = ["better"] if isinstance(fitted.repeatable, NotEvaluated) else ["better", "repeatable"]
    verdict = decide(subject, required=required, judgements=judgements)
    return Judged(verdict, champion.digest if champion else None, measured, leant_on)


def _is_better(
    model: "Model", platform: Platform, champion: Release | None, scores: "np.ndarray", split: Split
) -> Verdict:
    baseline = _baseline_scores(model, platform, champion, split)
    if isinstance(baseline, NotEvaluated):
        return baseline
    rule = model.gate.rule()
    comparison = compare(
        task=model.asked(),
        labels=split.holdout.labels.to_numpy(),
        challenger=scores,
        champion=baseline,
        days=split.holdout.asked_at.dt.date.tolist(),
        slices=split.slices,
        rule=rule,
    )
    return judge_challenger(comparison, rule)


def expectations_facts(
    model: "Model", platform: Platform, fitted: Fitted, judged: Judged, split: Split, cut_off: datetime
) -> dict[str, str]:
    """What the training period says is normal, by digest; why there is none where a fit on parts of it fails.

    Only of what may go live: it costs some more fits, and nobody watches what was refused.
    """
    if not isinstance(judged.verdict, Passed):
        return {}
    try:
        expectations = calibrate(model.asked(), split.period, split.known_at, cut_off, fitted.again)
    except (DataError, TrainingError) as error:
        return {"expectations_problem": str(error)}
    return {"expectations": platform.objects.put(canonical_json(expectations.to_json()))}


def _baseline_scores(
    model: "Model", platform: Platform, champion: Release | None, split: Split
) -> "np.ndarray | NotEvaluated":
    """The champion's scores of the holdout; without one, the score that loses least on the training rows."""
    import numpy as np
    import pyarrow as pa

    if champion is None:
        return np.full(len(split.holdout), model.asked().baseline(split.train.labels.to_numpy()))
    predict = predictor_of(platform.objects, champion)
    absent = [name for name in predict.features if name not in split.holdout.features.columns]
    if absent:
        return NotEvaluated(f"the champion needs {absent}, which the feature service no longer offers")
    return predict(pa.Table.from_pandas(split.holdout.features, preserve_index=False))
