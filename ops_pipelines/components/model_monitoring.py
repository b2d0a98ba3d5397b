"""Each week looked at after it was scored: how the scores turned out, once outcomes are known."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.predictor import predictor_of
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.feature_inputs import addresses_of
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import address
from ops_pipelines.core.pointer import PRODUCTION, live_before
from ops_pipelines.core.release import Release, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.calibration import OUTCOME, SCORE, Expectations
from ops_pipelines.mlops.dataset_quality import repeated_keys
from ops_pipelines.mlops.drift import LABEL, LABEL_DRIFT, judge_drift, measure_drift
from ops_pipelines.mlops.evaluation import Comparison, compare
from ops_pipelines.mlops.performance import PERFORMANCE, Outcomes, judge_performance

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from ops_pipelines.components.model import Model


def expectations_of(platform: Platform, system: str, digest: str) -> Expectations | NotEvaluated:
    """What a release's training period says is normal; why nothing is known of it, for an older release."""
    release = find_release(platform.releases, system, digest)
    for evidence in reversed(release.evidence):
        if kept := evidence.facts.get("expectations"):
            return Expectations.from_json(json.loads(platform.objects.get(kept)))
    problem = next(
        (str(e.facts["expectations_problem"]) for e in release.evidence if "expectations_problem" in e.facts), ""
    )
    return NotEvaluated(
        f"release {short(digest)} keeps no limits of its training period{': ' + problem if problem else ''}; train it again"
    )


def make_performance(model: "Model", platform: Platform, week: str) -> Product:
    """How a scored week turned out, with the labels known when it is judged."""
    findings_made = (PERFORMANCE, LABEL_DRIFT)
    scored, labelled = address(f"{model.name}/predictions", week), label_addresses(model, platform, week)
    admitted = admit([scored, *labelled], latest=platform.latest, ruling=platform.ruling)
    if not isinstance(admitted.verdict, Passed):
        return unmade(admitted.verdict, admitted.inputs, findings_made)
    read = {found: digest for found, digest in admitted.inputs.items() if found != scored}
    if not read or scored not in admitted.inputs:
        excluded = NotEvaluated("; ".join(f"{at} was excluded by {why}" for at, why in admitted.excluded.items()))
        return unmade(excluded, admitted.inputs, findings_made)
    labels = platform.read_all(read)
    twice = repeated_keys(labels, model.entities.key, of=model.labels.dataset)
    if twice:
        return unmade(Blocked((twice,)), admitted.inputs, findings_made)
    scores = platform.read_all({scored: admitted.inputs[scored]})
    as_of = window_of(model.weeks(), week).end + timedelta(weeks=model.labels.wait_weeks)
    known = _known(model, scores, labels, as_of)
    outcomes = _outcomes(model, known, scored=scores.num_rows)
    release, expected = _judged_release(model, platform, week)
    performance = judge_performance(
        model.asked(),
        outcomes,
        expected if isinstance(expected, NotEvaluated) else expected.performance,
        model.performance.rule(),
    )
    before = _against_the_release_before(model, platform, week, known, outcomes)
    rows = [row.to_json() for row in performance.measured]
    findings = {PERFORMANCE: performance.verdict, LABEL_DRIFT: _label_drift(model, expected, outcomes)}
    return Product(
        table_of(rows),
        digest=digest_json([rows, before, [reasons_of(verdict) for verdict in findings.values()]]),
        verdict=Passed({"coverage": outcomes.coverage}),
        inputs=admitted.inputs,
        facts={"release": release, "as_of": as_of.isoformat(), "coverage": outcomes.coverage, "before": before},
        shown={
            "release": short(release),
            "coverage": outcomes.coverage,
            **{row.measure: row.value for row in performance.measured if row.name == "all" and row.value is not None},
            "measured": shown_table(rows),
            **({"the release before": dg.MetadataValue.json(before)} if before else {}),
        },
        findings=findings,
    )


def label_addresses(model: "Model", platform: Platform, week: str) -> list[str]:
    """Where the outcomes of a week lie: in the week itself and in those that are waited for, as far as they exist."""
    last = window_of(model.weeks(), week).end + timedelta(weeks=model.labels.wait_weeks)
    keys: Sequence[str] = model.weeks().get_partition_keys(current_time=last)
    return addresses_of(platform, model.labels.dataset, keys[keys.index(week) :])


def _judged_release(model: "Model", platform: Platform, week: str) -> tuple[str, Expectations | NotEvaluated]:
    """The release that scored a week, and what its training period says is normal."""
    digest = str(platform.lake.accepted(f"{model.name}/predictions", week).facts["release"])
    return digest, expectations_of(platform, model.name, digest)


def _known(model: "Model", scores: "pa.Table", labels: "pa.Table", as_of: datetime) -> "pd.DataFrame":
    """The scored rows whose label was known by an instant, with that label as a number."""
    key, column, known_at = model.entities.key, model.labels.column, model.labels.known_at
    outcomes = labels.select([key, column, known_at]).rename_columns([key, OUTCOME, "__known_at"]).to_pandas()
    rows = scores.to_pandas().merge(outcomes, on=key, how="inner")
    rows = rows[rows[OUTCOME].notna() & (rows["__known_at"] <= as_of)]
    return rows.assign(**{OUTCOME: rows[OUTCOME].astype(float)})


def _outcomes(model: "Model", known: "pd.DataFrame", *, scored: int) -> Outcomes:
    return Outcomes(
        labels=known[OUTCOME].to_numpy(),
        scores=known[SCORE].to_numpy(),
        days=known[model.entities.asked_at].dt.date.tolist(),
        slices=known[list(model.slices)],
        scored=scored,
    )


def _label_drift(model: "Model", expected: Expectations | NotEvaluated, outcomes: Outcomes) -> Verdict:
    if isinstance(expected, NotEvaluated):
        return expected
    rule = model.drift.rule()
    profiles = [column for column in expected.columns if column.role == LABEL]
    return judge_drift(measure_drift(profiles, {OUTCOME: model.asked().outcome(outcomes.labels)}, rule), LABEL, rule)


def _against_the_release_before(
    model: "Model", platform: Platform, week: str, known: "pd.DataFrame", outcomes: Outcomes
) -> dict[str, Any]:
    """The same rows scored by the release that the present one replaced: what would have been; empty where none was."""
    import pyarrow as pa

    start = window_of(model.weeks(), week).start
    digest = live_before(platform.releases.history(model.name, PRODUCTION), as_of=start)
    if digest is None or not len(known):
        return {}
    release: Release = find_release(platform.releases, model.name, digest)
    predict = predictor_of(platform.objects, release)
    absent = [name for name in predict.features if name not in known.columns]
    if absent:
        return {"release": digest, "why": f"it needs {absent}, which this release's vectors do not hold"}
    theirs = predict(pa.Table.from_pandas(known[list(predict.features)], preserve_index=False))
    found: Comparison = compare(
        task=model.asked(),
        labels=outcomes.labels,
        champion=theirs,
        challenger=outcomes.scores,
        days=outcomes.days,
        slices=outcomes.slices.iloc[:, :0],
        rule=model.gate.rule(),
    )
    low, high = found.gain_interval or (None, None)
    return {"release": digest, "loss": found.champion_loss, "gain": found.gain, "low": low, "high": high}
