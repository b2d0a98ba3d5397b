"""A release: the checkpoint of a cut-off week, made live."""

from typing import TYPE_CHECKING

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.errors import NoAcceptedData
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.verdict import Passed

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
    shipped = platform.promote(model.name, digest, actor=actor, reason=f"the gate of {key}@{week} passed")
    moved = shipped.move.to_json() if shipped.move else {"release": digest, "action": "none", "reason": "live already"}
    return Product(
        pa.Table.from_pylist([moved]),
        digest=digest_json(moved),
        verdict=Passed({"release": digest}),
        inputs={latest.address: latest.digest},
        facts={"release": digest},
        shown={"release": short(digest), "mirrored": shipped.mirror_problem or "MLflow alias moved"},
    )
