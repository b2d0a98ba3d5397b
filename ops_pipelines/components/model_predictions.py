"""Weekly scores by the release that was live when the week began."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.model_training_set import gather
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.fingerprint import digest_json, digest_table, short
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Verdict
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.scoring import judge_predictions, release_for, score

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from ops_pipelines.components.model import Model


class ScoringConfig(dg.Config):
    """Another release than the one that was live when the week began, by the first digits of its digest."""

    release: str | None = None


@dataclass(frozen=True, slots=True)
class Predictor:
    """A release's model, loaded after its bytes were verified."""

    model: Any
    flavour: Any
    features: tuple[str, ...]

    def __call__(self, vectors: "pa.Table") -> "np.ndarray":
        """One score a row of a table that holds the features."""
        return self.flavour.predict(self.model, vectors.select(list(self.features)).to_pandas())


def predictor_of(platform: Platform, release: Release) -> Predictor:
    """The model of a release, ready to score; ArtefactError where its bytes are not those that were gated."""
    behaviour = release.manifest.behaviour
    recipe = json.loads(platform.objects.get(behaviour["recipe"]))
    flavour = flavour_named(recipe["flavour"])
    model = flavour.load(platform.objects.get(behaviour["model"]))
    return Predictor(model, flavour, flavour.features(model))


def make_predictions(model: "Model", platform: Platform, week: str, *, named: str | None) -> Product:
    """The scores of a week's rows, with the features as the release itself defines them."""
    import pyarrow as pa

    start = window_of(model.weeks(), week).start
    release = release_for(platform.releases, model.name, PRODUCTION, start=start, named=named)
    service = FeatureService.from_json(json.loads(platform.objects.get(release.manifest.behaviour["features"])))
    vectors = gather(model, platform, service, [week])
    facts = {"release": release.digest}
    if vectors.table is None:
        return Product(pa.table({}), digest_json(None), vectors.verdict, vectors.inputs, facts=facts)
    scores = score(
        vectors.table,
        entity=model.entities.key,
        release=release,
        partition=week,
        predict=predictor_of(platform, release),
    )
    verdict: Verdict = judge_predictions(model.asked(), scores, rows=vectors.table.num_rows)
    digest = digest_table(scores, key=["prediction_id"])
    return Product(scores, digest, verdict, vectors.inputs, facts=facts, shown={"release": short(release.digest)})
