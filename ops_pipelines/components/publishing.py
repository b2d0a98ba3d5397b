"""The last two moves of every asset: write what was made, report how it was judged."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import STATIC, Artefact
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict, name_of, reasons_of, verdict_to_json

if TYPE_CHECKING:
    import pyarrow as pa


_SMALL = 0.001


@dataclass(frozen=True, slots=True)
class Product:
    """What an asset made: the table, its digest, its verdict, what it was made from, and facts for people.

    The verdict is about the making. `findings` are about what the content says (drift, performance): they are stored with
    it and shown as checks that warn and hold nothing back; whoever acts on them reads what was stored.
    """

    table: "pa.Table"
    digest: str
    verdict: Verdict
    inputs: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    findings: Mapping[str, Verdict] = field(default_factory=dict)


def publish(
    context: dg.AssetExecutionContext, platform: Platform, product: Product, *, check: str
) -> dg.MaterializeResult:
    """Writes the product to the lake and returns what Dagster records: metadata, data version and the gate's check."""
    key = "/".join(context.asset_key.path)
    artefact = Artefact(
        key=key,
        partition=_partition(context),
        digest=product.digest,
        verdict=product.verdict,
        inputs=product.inputs,
        origin=platform.origin(context.run.run_id, _code_version(context)),
        facts={**product.facts, **_findings_as_facts(product), "check": check},
    )
    platform.lake.publish(product.table, artefact, began=_began(context))
    return dg.MaterializeResult(
        metadata={
            **_shown_verdict("verdict", product.verdict),
            **{name: shown for found in product.findings.items() for name, shown in _shown_verdict(*found).items()},
            "why": why_command(artefact.address),
            **{name: _rounded(value) for name, value in product.shown.items()},
            "rows": product.table.num_rows,
            "digest": short(product.digest),
            "commit": artefact.origin.commit,
            "inputs": dg.MetadataValue.json({name: short(digest) for name, digest in product.inputs.items()}),
            **_links(product.inputs),
        },
        data_version=dg.DataVersion(product.digest),
        check_results=[
            gate_result(check, product.verdict),
            *(finding_result(name, verdict) for name, verdict in product.findings.items()),
        ],
    )


def why_command(name: str) -> dg.MetadataValue:
    """The command that walks from a thing of this name to what made it, to be copied from the UI."""
    return dg.MetadataValue.text(f"ops why '{name}'")


def unmade(verdict: Verdict, inputs: Mapping[str, str], findings: Iterable[str]) -> Product:
    """What could not be made because of what it would be made from: no rows, and findings that are not evaluated."""
    why = verdict if isinstance(verdict, NotEvaluated) else NotEvaluated("; ".join(reasons_of(verdict)))
    return Product(table_of([]), digest_json(None), verdict, inputs, findings=dict.fromkeys(findings, why))


def table_of(rows: Sequence[Mapping[str, Any]]) -> "pa.Table":
    """Rows of plain values as a table; one without columns for none."""
    import pyarrow as pa

    names = dict.fromkeys(name for row in rows for name in row)  # from_pylist takes the first row's alone
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows]) if rows else pa.table({})


def gate_spec(check: str, key: dg.AssetKey, partitions: dg.PartitionsDefinition[str] | None) -> dg.AssetCheckSpec:
    """A blocking check that keeps one verdict for each partition of its asset."""
    said = "A gate: anything but passed keeps out what would be made from this."
    return dg.AssetCheckSpec(check, asset=key, description=said, blocking=True, partitions_def=partitions)


def shown_table(rows: Iterable[Mapping[str, Any]]) -> dg.MetadataValue:
    """Rows of plain values as a table in the UI, or a sentence where there are none."""
    records = [dg.TableRecord({name: _cell(value) for name, value in row.items()}) for row in rows]
    return dg.MetadataValue.table(records) if records else dg.MetadataValue.text("none")


def _cell(value: Any) -> Any:
    return "" if value is None else _rounded(value)


def _rounded(value: Any) -> Any:
    """A number as people read it: four decimals, or two digits of one that would be nothing then; the rest as it is."""
    if not isinstance(value, float):
        return value
    return round(value, 4) if abs(value) >= _SMALL else float(f"{value:.2g}")


def finding_spec(check: str, key: dg.AssetKey, partitions: dg.PartitionsDefinition[str] | None) -> dg.AssetCheckSpec:
    """A check that warns, with one verdict for each partition of its asset, and holds nothing back."""
    said = "A finding: it warns, and holds nothing back."
    return dg.AssetCheckSpec(check, asset=key, description=said, blocking=False, partitions_def=partitions)


def gate_result(check: str, verdict: Verdict) -> dg.AssetCheckResult:
    """A gate's verdict as a check's result: anything but Passed is an error."""
    return _check_result(check, verdict, dg.AssetCheckSeverity.ERROR)


def finding_result(check: str, verdict: Verdict) -> dg.AssetCheckResult:
    """A finding as a check's result: anything but Passed is a warning."""
    return _check_result(check, verdict, dg.AssetCheckSeverity.WARN)


def _check_result(check: str, verdict: Verdict, severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    """A verdict as a check's result: only Passed passes, and the reasons stand in the metadata."""
    reasons = reasons_of(verdict)
    return dg.AssetCheckResult(
        passed=isinstance(verdict, Passed),
        check_name=check,
        severity=severity,
        description=reasons[0] + (f" (and {len(reasons) - 1} more)" if reasons[1:] else "") if reasons else None,
        metadata={
            "verdict": name_of(verdict),
            **({"reasons": dg.MetadataValue.md(_listed(verdict))} if reasons else {}),
            "evidence": dg.MetadataValue.json(dict(verdict.evidence)),
        },
    )


def _links(inputs: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    """A link to each asset that something was made from."""
    keys = dict.fromkeys(address.partition("@")[0] for address in inputs)
    return {f"made from {key}": dg.MetadataValue.asset(dg.AssetKey(key.split("/"))) for key in keys}


def _findings_as_facts(product: Product) -> dict[str, Any]:
    stored = {name: verdict_to_json(verdict) for name, verdict in product.findings.items()}
    return {"findings": stored} if stored else {}


def _shown_verdict(name: str, verdict: Verdict) -> dict[str, Any]:
    """A verdict in an asset's metadata, with its reasons where it has some."""
    reasons = {f"{name}: why": dg.MetadataValue.md(_listed(verdict))} if reasons_of(verdict) else {}
    return {name: name_of(verdict), **reasons}


def _listed(verdict: Verdict) -> str:
    return "\n".join(f"- {reason}" for reason in reasons_of(verdict))


def _partition(context: dg.AssetExecutionContext) -> str:
    """The asset's own partition: a run for one week may also make assets that have none."""
    partitioned = context.assets_def.specs_by_key[context.asset_key].partitions_def
    return context.partition_key if partitioned else STATIC


def _began(context: dg.AssetExecutionContext) -> datetime | None:
    """When the run began by Dagster's record: a run that was given up for dead began before the one in its place."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    return datetime.fromtimestamp(record.start_time, UTC) if record and record.start_time else None


def _code_version(context: dg.AssetExecutionContext) -> str:
    return str(context.assets_def.code_versions_by_key.get(context.asset_key) or "unversioned")
