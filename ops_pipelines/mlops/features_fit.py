"""Whether the features that a release asks for are those that its model needs."""

from collections.abc import Sequence

from ops_pipelines.core.errors import near_miss
from ops_pipelines.core.verdict import Blocked, Passed, Verdict
from ops_pipelines.mlops.feature_set import FeatureService


def judge_features_fit(needed: Sequence[str], service: FeatureService) -> Verdict:
    """Passed where a feature service offers every feature that a model was fitted on; Blocked names each that it lacks."""
    lacking = [name for name in needed if name not in service.features]
    evidence = {"service": service.name, "features": len(needed)}
    if not lacking:
        return Passed(evidence)
    return Blocked(
        tuple(f"its service {service.name!r} has no {name!r}. {near_miss(name, service.features)}" for name in lacking),
        evidence,
    )
