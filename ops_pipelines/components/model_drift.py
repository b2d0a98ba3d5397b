"""Each week looked at after it was scored: how far its columns drifted."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.drift_reference import columns_of, reference_of
from ops_pipelines.components.model_monitoring import expectations_of
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.components.sketch import histograms
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import address
from ops_pipelines.core.verdict import (
    NotEvaluated,
    Passed,
    Verdict,
    name_of,
    reasons_of,
    verdict_from_json,
    verdict_to_json,
)
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.calibration import SCORE
from ops_pipelines.mlops.drift import (
    FEATURE,
    FEATURE_DRIFT,
    PREDICTION,
    PREDICTION_DRIFT,
    ColumnDrift,
    drift_within,
    judge_drift,
    measure_drift,
    with_slices,
)
from ops_pipelines.mlops.estimation import estimate_loss, judge_estimate

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model

_WORST, _SLICES = 8, 3
_FINDINGS = {FEATURE: FEATURE_DRIFT, PREDICTION: PREDICTION_DRIFT}


def make_drift(model: "Model", platform: Platform, week: str) -> Product:
    """How far the columns of a scored week are from its reference: by default the training period of its release."""
    scored = address(f"{model.name}/predictions", week)
    admitted = admit([scored], latest=platform.latest, ruling=platform.ruling)
    if not isinstance(admitted.verdict, Passed):
        return unmade(admitted.verdict, admitted.inputs, _FINDINGS.values())
    table = platform.read_all(admitted.inputs)
    release = str(platform.lake.accepted(f"{model.name}/predictions", week).facts["release"])
    reference = reference_of(model, platform, week, release)
    inputs = {**reference.inputs, **admitted.inputs}
    facts = {
        "release": release,
        "reference": model.drift.reference,
        "reference_windows": list(reference.windows),
        "estimate": verdict_to_json(_estimated(model, platform, release, table)),
    }
    if isinstance(reference.profiles, NotEvaluated):
        return _drift_product((), dict.fromkeys(_FINDINGS.values(), reference.profiles), inputs, facts)
    rule = model.drift.rule()
    names = [*model.slices, *(profile.name for profile in reference.profiles)]
    columns = columns_of(table, names)
    measured = measure_drift(reference.profiles, columns, rule)
    within = drift_within(reference.profiles, reference.rows, columns, model.slices, rule)
    findings = {finding: judge_drift(measured, role, rule) for role, finding in _FINDINGS.items()}
    return _drift_product(with_slices(measured, within), findings, inputs, facts)


def _estimated(model: "Model", platform: Platform, release: str, table: "pa.Table") -> Verdict:
    """What the week's loss will be, by its scores alone, against the limit that its outcomes will be judged by."""
    expected = expectations_of(platform, model.name, release)
    if isinstance(expected, NotEvaluated):
        return expected
    if expected.prices is None:
        return NotEvaluated(f"release {short(release)} keeps no prices of its scores; train it again")
    rule = model.performance.rule()
    found = estimate_loss(expected.prices, table.column(SCORE).to_numpy(), confidence=rule.confidence)
    if isinstance(found, NotEvaluated):
        return found
    return judge_estimate(found, expected.performance.loss_limit(rule), loss_name=model.asked().loss_name)


def _drift_product(
    measured: tuple[ColumnDrift, ...], findings: dict[str, Verdict], inputs: Any, facts: dict[str, Any]
) -> Product:
    rows = [column.to_json() for column in measured]
    shown: dict[str, Any] = {
        "release": short(facts["release"]),
        "reference": facts["reference"],
        "loss, estimated without labels": _estimate_words(facts["estimate"]),
    }
    if measured:
        worst = measured[0]
        shown |= {
            "worst columns": shown_table(_words(column) for column in measured[:_WORST]),
            f"worst: {worst.name}": dg.MetadataValue.md(histograms(worst.name, worst.reference, worst.current)),
            "flagged": sum(column.flagged for column in measured),
        }
    return Product(
        table_of(rows),
        digest=digest_json([rows, facts["estimate"], [reasons_of(verdict) for verdict in findings.values()]]),
        verdict=Passed({"columns": len(rows)}),
        inputs=inputs,
        facts=facts,
        shown=shown,
        findings=findings,
    )


def _estimate_words(estimate: Mapping[str, Any]) -> str:
    told, found = estimate["evidence"], verdict_from_json(estimate)
    if "loss" not in told:
        return "; ".join(reasons_of(found))
    said = f"{told['loss']:.3f} [{told['low']:.3f}, {told['high']:.3f}], limit {told['limit']:.3f}"
    meaning = {"passed": "within it", "blocked": "beyond it", "not evaluated": "cannot be told"}[name_of(found)]
    return f"{said}: {meaning}, as far as scores tell"


def _words(column: ColumnDrift) -> dict[str, Any]:
    return {
        "column": column.name,
        "role": column.role,
        "PSI": round(column.effect, 3),
        "limit": "too few windows" if column.limit is None else f"{column.limit:.3f}",
        "adjusted p": f"{column.p_value:.1g}",
        "flagged": "yes" if column.flagged else "no",
        "moved most": column.moved,
        "moved within": ", ".join(part.slice for part in column.within[:_SLICES]),
    }
