"""Weekly scores by the release that was live when the week began."""

import json
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import changed_environment, judge_as_gated, predictor_of
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.model_training_set import gather
from ops_pipelines.components.publishing import Product, why_command
from ops_pipelines.core.fingerprint import digest_json, digest_table, short
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Blocked, Verdict, name_of
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.scoring import judge_predictions, release_for, score

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model


class ScoringConfig(dg.Config):
    """Another release than the one that was live when the week began, by the first digits of its digest."""

    release: str | None = None


def make_predictions(model: "Model", platform: Platform, week: str, *, named: str | None) -> Product:
    """The scores of a week's rows, with the features as the release itself defines them.

    Nothing is scored by a model that answers otherwise than when its gate let it in.
    """
    import pyarrow as pa

    start = window_of(model.weeks(), week).start
    release = release_for(platform.releases, model.name, PRODUCTION, start=start, named=named)
    service = FeatureService.from_json(json.loads(platform.objects.get(release.manifest.behaviour["features"])))
    vectors = gather(model, platform, service, [week])
    facts = {"release": release.digest}
    if vectors.table is None:
        return Product(pa.table({}), digest_json(None), vectors.verdict, vectors.inputs, facts=facts)
    predict = predictor_of(platform.objects, release)
    as_gated = judge_as_gated(platform.objects, release, predict)
    if isinstance(as_gated, Blocked):
        return Product(pa.table({}), digest_json(None), as_gated, vectors.inputs, facts=facts)
    scores = score(
        vectors.table,
        entity=model.entities.key,
        release=release,
        partition=week,
        predict=predict,
    )
    verdict: Verdict = judge_predictions(model.asked(), scores, rows=vectors.table.num_rows)
    digest = digest_table(scores, key=["prediction_id"])
    shown: dict[str, Any] = {"release": short(release.digest), "golden rows": name_of(as_gated)}
    if scores.num_rows:  # of any of them; the first shows what an id looks like
        shown["why"] = why_command(scores.column("prediction_id")[0].as_py())
    if changed := changed_environment(platform.objects, release, platform.project.environment()):
        shown["environment"] = changed
    return Product(scores, digest, verdict, vectors.inputs, facts=facts, shown=shown)
