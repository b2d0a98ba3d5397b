"""A checkpoint: fitted, judged against what is live, stored by content, and described for people."""

import json
import time
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.flavours import FLAVOURS, flavour_named
from ops_pipelines.adapters.mlflow_registry import TrainingRecord
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.code import source_of, source_of_platform
from ops_pipelines.components.model_predictions import predictor_of
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.errors import DataError, TrainingError
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.pointer import PRODUCTION, live_evidence, live_release
from ops_pipelines.core.release import Evidence, Manifest, Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.calibration import calibrate
from ops_pipelines.mlops.checkpoint import Card, check_features, judge_repeatability
from ops_pipelines.mlops.evaluation import compare, judge_challenger
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.training import ASKED_AT, KNOWN_AT, LABEL, Rows, Split, fit, import_function, split_by_time

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ops_pipelines.components.model import Model


class CheckpointConfig(dg.Config):
    """An experiment: another training function, or parameters that replace some of the declared ones."""

    train: str | None = None
    params: dict[str, Any] = {}  # noqa: RUF012 - Dagster reads the class's own default


@dataclass(frozen=True, slots=True)
class Material:
    """The rows to fit and to judge on, the digest of the training set, and that of the features it was joined with."""

    split: Split
    dataset: str
    features: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model with its canonical bytes, how it was made, and whether a second fit gave the same bytes."""

    model: Any
    content: bytes
    recipe: dict[str, Any]
    repeatable: Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """The gate's verdict on a fitted model, the release it was compared with, and its metrics on the holdout."""

    verdict: Verdict
    baseline: str | None
    metrics: dict[str, float | None] = field(default_factory=dict)


def make_checkpoint(model: "Model", platform: Platform, week: str, config: CheckpointConfig, *, run_id: str) -> Product:
    """Fit, judge, store and record the checkpoint of a cut-off week."""
    cut_off = window_of(model.weeks(), week).end
    material = _read(model, platform, week)
    began = time.process_time()
    fitted = _fit(model, config, material.split)
    spent = time.process_time() - began
    manifest = _manifest(model, platform, material, fitted)
    judged = _judge(model, platform, manifest, fitted, material.split)
    card = _card(model, week, manifest, fitted, judged, material.split)
    commit = platform.project.commit()
    recorded = platform.record(
        TrainingRecord(
            card=card,
            flavour=model.flavour,
            content=fitted.content,
            dataset=material.dataset,
            sample=material.split.holdout.features.head(3),
            tags={"release": manifest.digest, "commit": commit, "dagster_run": run_id},
            parts=manifest.behaviour,
        )
    )
    facts = {
        **recorded,
        "release": manifest.digest,
        "run": run_id,
        "commit": commit,
        "training_set": f"{model.name}/training_set@{week}",
        "loss_name": model.asked().loss_name,
        "metrics": judged.metrics,
        "recipe": fitted.recipe,
        "cpu_seconds": round(spent, 2),
        **_expectations(model, platform, fitted, judged, material.split, cut_off),
    }
    platform.releases.save(manifest, Evidence(judged.verdict, judged.baseline, cut_off, facts))
    return _product(model, week, manifest, judged, facts, card)


def _read(model: "Model", platform: Platform, week: str) -> Material:
    """The training set of a week, split, with the feature definitions that it was joined with and no later ones."""
    key = f"{model.name}/training_set"
    made = platform.lake.accepted(key, week)
    features = made.inputs[f"{model.features}/definitions@-"]
    service = FeatureService.from_json(json.loads(platform.objects.get(features)))
    renamed = {model.entities.asked_at: ASKED_AT, model.labels.column: LABEL, model.labels.known_at: KNOWN_AT}
    cut_off = window_of(model.weeks(), week).end
    split = split_by_time(
        platform.lake.read(key, week).to_pandas().rename(columns=renamed),
        task=model.asked(),
        features=service.features,
        slices=tuple(model.slices),
        holdout_from=cut_off - timedelta(weeks=model.holdout_weeks),
        cut_off=cut_off,
        weighting=model.weights.weighting(),
    )
    return Material(split, made.digest, features)


def _fit(model: "Model", config: CheckpointConfig, split: Split) -> Fitted:
    recipe = {
        "train": config.train or model.train,
        "params": {**model.params, **config.params},
        "seed": model.seed,
        "flavour": model.flavour,
        "holdout_weeks": model.holdout_weeks,
        "task": model.task,
        "weights": asdict(model.weights.weighting()),
    }
    flavour = flavour_named(model.flavour)
    train = import_function(recipe["train"], what="training function")
    # Twice, each time on rows of its own: the second fit is what repeatability is judged by.
    first, second = (fit(train, split.train.copy(), recipe["params"], model.seed) for _ in range(2))
    content = flavour.dump(first)
    check_features(flavour.features(first), list(split.train.features.columns), system=model.name)
    return Fitted(first, content, recipe, judge_repeatability(content, flavour.dump(second)))


def _manifest(model: "Model", platform: Platform, material: Material, fitted: Fitted) -> Manifest:
    """Everything that decides what this model answers, kept by content so that each digest resolves."""
    put = platform.objects.put
    return Manifest(
        system=model.name,
        behaviour={
            "model": put(fitted.content),
            "dataset": material.dataset,
            "features": material.features,
            "recipe": put(canonical_json(fitted.recipe)),
            "code": put(source_of(fitted.recipe["train"])),
            "platform": put(source_of_platform(FLAVOURS.get(model.flavour, model.flavour))),
            "environment": put(platform.project.environment()),
        },
    )


def _judge(model: "Model", platform: Platform, manifest: Manifest, fitted: Fitted, split: Split) -> Judged:
    """The gate: better than what is live beyond chance, no slice much worse, and repeatable."""
    labels = split.holdout.labels.to_numpy()
    scores = flavour_named(model.flavour).predict(fitted.model, split.holdout.features)
    task = model.asked()
    sound = task.judge_scores(scores, rows=len(labels))
    if not isinstance(sound, Passed):
        return Judged(sound, None)
    measured = task.metrics(labels, scores)
    champion = live_release(platform.releases, model.name, PRODUCTION)
    if champion and champion.digest == manifest.digest:
        # The same inputs gave the release that is live: what let it in still holds.
        let_in = live_evidence(platform.releases, model.name, PRODUCTION) or champion.latest
        return Judged(let_in.verdict, let_in.baseline, measured)
    subject, rule = manifest.digest, model.gate.rule()
    baseline = _baseline_scores(model, platform, champion, split)
    if isinstance(baseline, NotEvaluated):
        better: Verdict = baseline
    else:
        days = split.holdout.asked_at.dt.date.tolist()
        comparison = compare(
            task=task,
            labels=labels,
            challenger=scores,
            champion=baseline,
            days=days,
            slices=split.slices,
            rule=rule,
        )
        better = judge_challenger(comparison, rule)
    judgements = [Judgement("better", subject, better), Judgement("repeatable", subject, fitted.repeatable)]
    verdict = decide(subject, required=["better", "repeatable"], judgements=judgements)
    return Judged(verdict, champion.digest if champion else None, measured)


def _expectations(
    model: "Model", platform: Platform, fitted: Fitted, judged: Judged, split: Split, cut_off: datetime
) -> dict[str, str]:
    """What the training period says is normal, by digest; why there is none where a fit on parts of it fails.

    Only of what may go live: it costs some more fits, and nobody watches what was refused.
    """
    if not isinstance(judged.verdict, Passed):
        return {}
    flavour = flavour_named(model.flavour)
    train = import_function(fitted.recipe["train"], what="training function")

    def fit_and_score(rows: Rows, features: "pd.DataFrame") -> "np.ndarray":
        return flavour.predict(fit(train, rows.copy(), fitted.recipe["params"], model.seed), features)

    try:
        expectations = calibrate(model.asked(), split.period, split.known_at, cut_off, fit_and_score)
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
    predict = predictor_of(platform, champion)
    absent = [name for name in predict.features if name not in split.holdout.features.columns]
    if absent:
        return NotEvaluated(f"the champion needs {absent}, which the feature service no longer offers")
    return predict(pa.Table.from_pandas(split.holdout.features, preserve_index=False))


def _card(model: "Model", week: str, manifest: Manifest, fitted: Fitted, judged: Judged, split: Split) -> Card:
    return Card(
        system=model.name,
        cut_off=window_of(model.weeks(), week).end,
        model=manifest.behaviour["model"],
        features=flavour_named(model.flavour).features(fitted.model),
        params=fitted.recipe["params"],
        seed=model.seed,
        train_rows=len(split.train),
        holdout_rows=len(split.holdout),
        metrics=judged.metrics,
        verdict=judged.verdict,
    )


def _product(
    model: "Model", week: str, manifest: Manifest, judged: Judged, facts: dict[str, Any], card: Card
) -> Product:
    import pyarrow as pa

    rows = [{"metric": name, "value": value} for name, value in judged.metrics.items()]
    return Product(
        pa.Table.from_pylist(rows),
        digest=manifest.digest,
        verdict=judged.verdict,
        inputs={f"{model.name}/training_set@{week}": manifest.behaviour["dataset"]},
        facts=facts,
        shown={
            "card": dg.MetadataValue.md(card.to_markdown()),
            "release": short(manifest.digest),
            "model version": f"models:/{model.name}/{facts.get('model_version', 'not recorded')}",
            **{name: value for name, value in judged.metrics.items() if value is not None},
        },
    )
