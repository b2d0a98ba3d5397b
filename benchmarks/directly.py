"""What components make, written as Dagster would write it and without Dagster."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform


def write_directly(platform: "Platform", key: str, partition: str | None, product: Any) -> None:
    """The product in the lake with its record, as `publish` writes it, and nothing told to Dagster."""
    from ops_pipelines.core.lineage import STATIC, Artefact
    from ops_pipelines.core.verdict import verdict_to_json

    findings = {name: verdict_to_json(verdict) for name, verdict in product.findings.items()}
    artefact = Artefact(
        key=key,
        partition=partition or STATIC,
        digest=product.digest,
        verdict=product.verdict,
        inputs=product.inputs,
        origin=platform.origin("direct", "direct"),
        facts={**product.facts, **({"findings": findings} if findings else {})},
    )
    platform.lake.publish(product.table, artefact)
