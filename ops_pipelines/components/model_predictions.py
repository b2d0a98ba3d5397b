"""Weekly scores by the release that was live when the week began."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import changed_environment, judge_as_gated, predictor_of
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.model_training_set import gather
from ops_pipelines.components.publishing import Product, why_command
from ops_pipelines.core.fingerprint import digest_json, digest_table, short
from ops_pipelines.core.lineage import address
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, name_of
from ops_pipelines.mlops.admission import Admission, admit
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.scoring import judge_predictions, release_for, score
from ops_pipelines.mlops.served import ID, SERVED, Blended, blend

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model


class ScoringConfig(dg.Config):
    """Another release than the one that was live when the week began, by the first digits of its digest."""

    release: str | None = None


def make_predictions(model: "Model", platform: Platform, week: str, *, named: str | None) -> Product:
    """The scores of a week's rows, with the features as the release itself defines them.

    What that release answered online stands for the rows that it was asked about. Nothing is scored by a model that
    answers otherwise than when its gate let it in.
    """
    start = window_of(model.weeks(), week).start
    release = release_for(platform.releases, model.name, PRODUCTION, start=start, named=named)
    service = FeatureService.from_json(json.loads(platform.objects.get(release.manifest.behaviour["features"])))
    vectors = gather(model, platform, service, [week])
    facts = {"release": release.digest}
    if vectors.table is None:
        return _nothing(vectors.verdict, vectors.inputs, facts)
    predict = predictor_of(platform.objects, release)
    as_gated, served = judge_as_gated(platform.objects, release, predict), _served(model, platform, week)
    inputs = {**vectors.inputs, **served.inputs}
    stopped = as_gated if isinstance(as_gated, Blocked) else served.verdict
    if not isinstance(stopped, Passed):
        return _nothing(stopped, inputs, facts)
    scores = score(vectors.table, entity=model.entities.key, release=release, partition=week, predict=predict)
    blended = _with_online(model, platform, scores, served.inputs, predict.features)
    verdict = judge_predictions(model.asked(), blended.table, rows=vectors.table.num_rows + blended.added)
    shown: dict[str, Any] = {"release": short(release.digest), "golden rows": name_of(as_gated)}
    if served.inputs:
        shown |= {f"online answers {name}": getattr(blended, name) for name in ("replaced", "added", "apart")}
    if blended.table.num_rows:  # of any of them; the first shows what an id looks like
        shown["why"] = why_command(blended.table.column(ID)[0].as_py())
    if changed := changed_environment(platform.objects, release, platform.project.environment()):
        shown["environment"] = changed
    return Product(blended.table, digest_table(blended.table, key=[ID]), verdict, inputs, facts=facts, shown=shown)


def _nothing(verdict: Verdict, inputs: Mapping[str, str], facts: Mapping[str, Any]) -> Product:
    import pyarrow as pa

    return Product(pa.table({}), digest_json(None), verdict, inputs, facts=facts)


def _with_online(
    model: "Model", platform: Platform, scores: "pa.Table", served: Mapping[str, str], features: Sequence[str]
) -> Blended:
    """The scores with what was answered online in the place of its rows."""
    if not served:
        return Blended(scores, 0, 0, 0)
    release = scores.column("release")[0].as_py()
    told, online = [model.entities.asked_at, *features], platform.read_all(served)
    return blend(scores, online, key=model.entities.key, release=release, told=told)


def _served(model: "Model", platform: Platform, week: str) -> Admission:
    """What was answered online about a week, to be read; Passed without any where nobody asked, or it was excluded."""
    where = address(f"{model.name}/{SERVED}", week)
    latest, found = platform.latest(where), admit([where], latest=platform.latest, ruling=platform.ruling)
    if latest is None or isinstance(latest.verdict, NotEvaluated) or found.excluded:
        return Admission({}, Passed())
    return found
