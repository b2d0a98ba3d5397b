"""A release made ready to answer online: its bytes verified, its model loaded, and asked its golden rows once.

The rows go through the very function that requests will go through, so a faster way of scoring that is not the gated
one is refused here and never answers.
"""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.predictor import GOLDEN, Predictor, predictor_of
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.fingerprint import short
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import reasons_of
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.golden import GoldenVectors, judge_golden
from ops_pipelines.mlops.serving import Columns, Scorer, Signature, signature_of

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTITY = "entity"
"""The fact of a release's evidence that names the model's own key of a row."""
PARTS = frozenset({"model", "recipe", "environment", "features"})
"""What the manifest of a Model names; a release without them is another kind of system, and is not served here."""


@dataclass(frozen=True, slots=True)
class ServedRelease:
    """A release that is warm: what it takes, how it scores, and the features by which its entities are looked up.

    `entity` names the model's own key of a row, None in releases from before it was kept.
    """

    system: str
    digest: str
    signature: Signature
    score: Scorer
    service: FeatureService
    entity: str | None

    @property
    def version(self) -> str:
        """The first digits of the release, which stand in prediction ids."""
        return short(self.digest)


def is_servable(release: Release) -> bool:
    """Whether a release is a Model's."""
    return release.manifest.behaviour.keys() >= PARTS


def load_served(objects: ObjectStore, release: Release) -> ServedRelease:
    """The release, warm. ArtefactError where a part is missing or has other bytes, before any of them is loaded.

    ReleaseError where it is no Model's, and where it answers its golden rows otherwise than when its gate let it in.
    """
    if not is_servable(release):
        raise ReleaseError(
            f"Release {short(release.digest)} of {release.manifest.system!r} has no {', '.join(sorted(PARTS))}",
            expected="the release of a Model",
            action="Serve a Model; a composite is called through the systems that it uses",
        )
    predict = predictor_of(objects, release)
    golden = _golden_of(objects, release)
    score = scorer_of(predict)
    if golden is not None:
        _check_answers(release, golden, score)
    return ServedRelease(
        system=release.manifest.system,
        digest=release.digest,
        signature=_signature(predict, golden),
        score=score,
        service=FeatureService.from_json(json.loads(objects.get(release.manifest.behaviour["features"]))),
        entity=_fact(release, ENTITY),
    )


def scorer_of(predict: Predictor) -> Scorer:
    """How a model scores columns of plain values: its flavour's own way, else as a DataFrame, like a week of rows."""
    make = getattr(predict.flavour, "scorer", None)
    if make is not None:
        own: Scorer = make(predict.model)
        return own

    def score(columns: Columns) -> "Sequence[float]":
        import pyarrow as pa

        scores: list[float] = predict(pa.table(dict(columns))).tolist()
        return scores

    return score


def _golden_of(objects: ObjectStore, release: Release) -> GoldenVectors | None:
    kept = _fact(release, GOLDEN)
    golden = GoldenVectors.from_json(json.loads(objects.get(kept))) if kept else None
    return golden if golden and golden.scores else None


def _fact(release: Release, name: str) -> str | None:
    return next((str(e.facts[name]) for e in reversed(release.evidence) if e.facts.get(name)), None)


def _signature(predict: Predictor, golden: GoldenVectors | None) -> Signature:
    import pyarrow as pa

    if golden is None:
        return signature_of(predict.features, {}, {})
    words: dict[Any, str] = {pa.int64(): "int", pa.float64(): "float", pa.bool_(): "bool", pa.string(): "string"}
    kinds = {field.name: words.get(field.type, "timestamp") for field in golden.features.schema}
    missing = {name: golden.features.column(name).null_count > 0 for name in golden.features.column_names}
    return signature_of(predict.features, kinds, missing)


def _check_answers(release: Release, golden: GoldenVectors, score: Scorer) -> None:
    import numpy as np

    found = judge_golden(golden, np.asarray(score(golden.features.to_pydict()), dtype=float))
    if reasons_of(found):
        raise ReleaseError(
            f"Release {short(release.digest)} of {release.manifest.system!r} does not answer as it was gated: "
            f"{'; '.join(reasons_of(found))}",
            expected="the scores that its golden rows had when the gate let it in",
            action="Serve it in the environment that it was trained in, or train it again in this one",
            release=release.digest,
        )
