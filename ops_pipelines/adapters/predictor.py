"""A release's model, loaded after its bytes were verified, and what has to hold before it may answer.

A promotion asks that the packages in force are those that the release was trained with, and that its golden rows score as
they did when the gate let it in. Scoring and a rollback ask for the golden rows alone: an upgrade that changes no score
stops nobody, and putting something back has to work on the day on which everything else does not.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.flavours import flavour_named
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.core.gate import Judgement, decide
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.environment import judge_environment
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.features_fit import judge_features_fit
from ops_pipelines.mlops.golden import GoldenVectors, judge_golden

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

GOLDEN = "golden"
"""The fact of a release's evidence that names its golden vectors by digest."""
_MODEL = {"model", "recipe", "environment"}


@dataclass(frozen=True, slots=True)
class Predictor:
    """A release's model with what scores it."""

    model: Any
    flavour: Any
    features: tuple[str, ...]

    def __call__(self, vectors: "pa.Table") -> "np.ndarray":
        """One score a row of a table that holds the features."""
        return self.flavour.predict(self.model, vectors.select(list(self.features)).to_pandas())


def predictor_of(objects: ObjectStore, release: Release) -> Predictor:
    """The model of a release, ready to score; ArtefactError where its bytes are not those that were gated."""
    behaviour = release.manifest.behaviour
    recipe = json.loads(objects.get(behaviour["recipe"]))
    flavour = flavour_named(recipe["flavour"])
    model = flavour.load(objects.get(behaviour["model"]))
    return Predictor(model, flavour, flavour.features(model))


def judge_as_gated(objects: ObjectStore, release: Release, predict: Predictor) -> Verdict:
    """Passed where the golden rows of a release score as they did; NotEvaluated for one that keeps none."""
    golden = golden_of(objects, release)
    if golden is None:
        return judge_golden(None, predict_nothing())
    return judge_golden(golden, predict(golden.features))


def golden_of(objects: ObjectStore, release: Release) -> GoldenVectors | None:
    """The golden rows of a release as its gate let it in; None for one that keeps none."""
    kept = next((e.facts[GOLDEN] for e in reversed(release.evidence) if GOLDEN in e.facts), None)
    return None if kept is None else GoldenVectors.from_json(json.loads(objects.get(str(kept))))


def judge_promotion(objects: ObjectStore, release: Release, lock: bytes) -> Verdict:
    """Whether a release answers here as it did where it was gated: the same packages, and the same golden scores.

    A release without a model of ours has nothing to score, and passes.
    """
    if not _is_model(release):
        return Passed()
    judgements = [
        Judgement("environment", release.digest, judge_environment(objects.get(_environment(release)), lock)),
        Judgement("golden vectors", release.digest, judge_as_gated(objects, release, predictor_of(objects, release))),
    ]
    return decide(release.digest, required=["environment", "golden vectors"], judgements=judgements)


def judge_features(objects: ObjectStore, release: Release) -> Verdict:
    """Blocked where the feature service of a release lacks what its model was fitted on; Passed for what is no model."""
    if not {"features"} | _MODEL <= release.manifest.behaviour.keys():
        return Passed()
    service = FeatureService.from_json(json.loads(objects.get(release.manifest.behaviour["features"])))
    return judge_features_fit(predictor_of(objects, release).features, service)


def judge_return(objects: ObjectStore, release: Release) -> Verdict:
    """Blocked where a release would answer otherwise than it did; one that keeps no golden rows may return."""
    if not _is_model(release):
        return Passed()
    found = judge_as_gated(objects, release, predictor_of(objects, release))
    return found if isinstance(found, Blocked) else Passed(found.evidence)


def changed_environment(objects: ObjectStore, release: Release, lock: bytes) -> str:
    """How the packages in force differ from those that a release was trained with, in words; empty where they do not."""
    found = judge_environment(objects.get(_environment(release)), lock)
    if isinstance(found, Passed):
        return ""
    return found.why if isinstance(found, NotEvaluated) else found.reasons[0]


def predict_nothing() -> "np.ndarray":
    """The scores of no rows."""
    import numpy as np

    return np.empty(0)


def _is_model(release: Release) -> bool:
    return release.manifest.behaviour.keys() >= _MODEL


def _environment(release: Release) -> str:
    return release.manifest.behaviour["environment"]
