"""A checkpoint: fitted, judged against what is live, stored by content, and described for people."""

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.flavours import path_of
from ops_pipelines.adapters.mlflow_registry import TrainingRecord
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import GOLDEN
from ops_pipelines.adapters.served_release import ENTITY
from ops_pipelines.adapters.source_code import source_of, source_of_platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.model_fitting import CheckpointConfig, Fitted, Material, fit_model, read_material
from ops_pipelines.components.model_gate import Judged, expectations_facts, judge_fitted
from ops_pipelines.components.publishing import Product, why_command
from ops_pipelines.core.fingerprint import canonical_json, short
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import verdict_to_json
from ops_pipelines.mlops.checkpoint import Card
from ops_pipelines.mlops.golden import pick_golden
from ops_pipelines.mlops.training import Split

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model


def make_checkpoint(model: "Model", platform: Platform, week: str, config: CheckpointConfig, *, run_id: str) -> Product:
    """Fit, judge, store and record the checkpoint of a cut-off week."""
    cut_off = window_of(model.weeks(), week).end
    material = read_material(model, platform, week)
    began = time.process_time()
    fitted = fit_model(model, config, material.split)
    manifest = _manifest(model, platform, material, fitted)
    judged = judge_fitted(model, platform, manifest, fitted, material.split)
    limits = expectations_facts(model, platform, fitted, judged, material.split, cut_off)
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
        GOLDEN: _golden(platform, fitted, material.split),
        ENTITY: model.entities.key,
        "repeatable": verdict_to_json(fitted.repeatable),
        "importance": [asdict(each) for each in judged.importance],
        "search": [asdict(trial) for trial in fitted.search.trials],
        "cpu_seconds": round(time.process_time() - began, 2),
        **limits,
    }
    platform.releases.save(manifest, Evidence(judged.verdict, judged.baseline, cut_off, facts))
    return _product(model, week, manifest, judged, facts, card)


def _golden(platform: Platform, fitted: Fitted, split: Split) -> str:
    """Some rows of the holdout with their scores, by digest: what whoever loads the model scores again."""
    import pyarrow as pa

    features = split.holdout.features[list(fitted.flavour.features(fitted.model))]
    golden = pick_golden(pa.Table.from_pandas(features, preserve_index=False), fitted.score(features))
    return platform.objects.put(canonical_json(golden.to_json()))


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
            "platform": put(source_of_platform(path_of(model.flavour))),
            "environment": put(platform.project.environment()),
        },
    )


def _card(model: "Model", week: str, manifest: Manifest, fitted: Fitted, judged: Judged, split: Split) -> Card:
    return Card(
        system=model.name,
        cut_off=window_of(model.weeks(), week).end,
        model=manifest.behaviour["model"],
        features=fitted.flavour.features(fitted.model),
        repeatable=fitted.repeatable,
        importance=judged.importance,
        tried=len(fitted.search.trials),
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
            "why": why_command(short(manifest.digest)),
            "model version": f"models:/{model.name}/{facts.get('model_version', 'not recorded')}",
            **{name: value for name, value in judged.metrics.items() if value is not None},
        },
    )
