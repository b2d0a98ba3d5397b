"""Each week looked at after it was scored: how far its columns drifted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.model_monitoring import expectations_of
from ops_pipelines.components.publishing import Product, shown_table
from ops_pipelines.components.sketch import histograms
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import address
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.drift import (
    FEATURE,
    FEATURE_DRIFT,
    LABEL,
    PREDICTION,
    PREDICTION_DRIFT,
    ColumnDrift,
    judge_drift,
    measure_drift,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model

_WORST = 8


def make_drift(model: "Model", platform: Platform, week: str) -> Product:
    """How far the columns of a scored week are from the training period of the release that scored it."""
    scored = address(f"{model.name}/predictions", week)
    admitted = admit([scored], latest=platform.latest, ruling=platform.ruling)
    if not isinstance(admitted.verdict, Passed):
        return _nothing(admitted.verdict, admitted.inputs, (FEATURE_DRIFT, PREDICTION_DRIFT))
    table = platform.read_all(admitted.inputs)
    release = str(platform.lake.accepted(f"{model.name}/predictions", week).facts["release"])
    expected = expectations_of(platform, model.name, release)
    if isinstance(expected, NotEvaluated):
        findings: dict[str, Verdict] = dict.fromkeys((FEATURE_DRIFT, PREDICTION_DRIFT), expected)
        return _drift_product((), findings, admitted.inputs, release)
    profiles = [column for column in expected.columns if column.role != LABEL]
    columns = {p.name: table.column(p.name).to_pandas() for p in profiles if p.name in table.column_names}
    rule = model.drift.rule()
    measured = measure_drift(profiles, columns, rule)
    findings = {
        FEATURE_DRIFT: judge_drift(measured, FEATURE, rule),
        PREDICTION_DRIFT: judge_drift(measured, PREDICTION, rule),
    }
    return _drift_product(measured, findings, admitted.inputs, release)


def _drift_product(
    measured: tuple[ColumnDrift, ...], findings: dict[str, Verdict], inputs: Any, release: str
) -> Product:
    rows = [column.to_json() for column in measured]
    shown: dict[str, Any] = {"release": short(release)}
    if measured:
        worst = measured[0]
        shown |= {
            "worst columns": shown_table(_words(column) for column in measured[:_WORST]),
            f"worst: {worst.name}": dg.MetadataValue.md(histograms(worst.name, worst.reference, worst.current)),
            "flagged": sum(column.flagged for column in measured),
        }
    return Product(
        _table_of(rows),
        digest=digest_json([rows, [reasons_of(verdict) for verdict in findings.values()]]),
        verdict=Passed({"columns": len(rows)}),
        inputs=inputs,
        facts={"release": release},
        shown=shown,
        findings=findings,
    )


def _words(column: ColumnDrift) -> dict[str, Any]:
    return {
        "column": column.name,
        "role": column.role,
        "PSI": round(column.effect, 3),
        "limit": "too few weeks" if column.limit is None else f"{column.limit:.3f}",
        "adjusted p": f"{column.p_value:.1g}",
        "flagged": "yes" if column.flagged else "no",
        "moved most": column.moved,
    }


def _nothing(verdict: Verdict, inputs: Any, findings: Sequence[str]) -> Product:
    """A week that cannot be looked at, because of what it would be made from."""
    why = verdict if isinstance(verdict, NotEvaluated) else NotEvaluated("; ".join(reasons_of(verdict)))
    return Product(_table_of([]), digest_json(None), verdict, inputs, findings=dict.fromkeys(findings, why))


def _table_of(rows: list[dict[str, Any]]) -> "pa.Table":
    import pyarrow as pa

    return pa.Table.from_pylist(rows) if rows else pa.table({})
