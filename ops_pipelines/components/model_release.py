"""A release: the checkpoint of a cut-off week, made live in the project's first environment.

Where that is staging, production waits for somebody who takes it there: `ops promote SYSTEM --from staging`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product, why_command
from ops_pipelines.core.errors import NoAcceptedData, NotPromotable
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import taken_back
from ops_pipelines.core.verdict import Passed, name_of, reasons_of, verdict_from_json

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model


def make_release(model: "Model", platform: Platform, week: str, *, actor: str) -> Product:
    """Promote the checkpoint of a week; NotPromotable with the reasons where its gate did not pass."""
    import pyarrow as pa

    key = f"{model.name}/checkpoint"
    latest = platform.lake.latest(key, week)
    if latest is None:
        raise NoAcceptedData(
            f"{key}@{week} was never made", expected="a checkpoint to release", action=f"Run the job train_{model.name}"
        )
    digest = latest.facts["release"]
    _refuse_what_was_taken_back(model, platform, digest)
    shipped = platform.promote(
        model.name,
        digest,
        actor=actor,
        reason=f"the gate of {key}@{week} passed",
        environment=platform.project.environments[0],
    )
    moved = shipped.move.to_json() if shipped.move else {"release": digest, "action": "none", "reason": "live already"}
    return Product(
        pa.Table.from_pylist([moved]),
        digest=digest_json(moved),
        verdict=Passed({"release": digest}),
        inputs={latest.address: latest.digest},
        facts={"release": digest},
        shown={
            "release": short(digest),
            "why": why_command(short(digest)),
            "mirrored": shipped.mirror_problem or "MLflow alias moved",
            "repeatable": _repeatable(latest.facts),
        },
    )


def _repeatable(facts: Mapping[str, Any]) -> str:
    """Whether the same inputs give this release again, in words."""
    if "repeatable" not in facts:
        return "passed"  # checkpoints that were made before it was kept had to pass
    verdict = verdict_from_json(facts["repeatable"])
    return "; ".join((name_of(verdict), *reasons_of(verdict)))


def _refuse_what_was_taken_back(model: "Model", platform: Platform, digest: str) -> None:
    """A person put an earlier release back; only a person brings the later one in again."""
    histories = [platform.releases.history(model.name, where) for where in platform.project.environments]
    rollback = next((found for history in histories if (found := taken_back(history, digest))), None)
    if rollback:
        raise NotPromotable(
            f"Release {short(digest)} of {model.name!r} was rolled back by {rollback.actor}: {rollback.reason}",
            expected="a release that nobody took back",
            action=f"If it should be live again: `ops promote {model.name} {short(digest)}`",
            release=digest,
        )
