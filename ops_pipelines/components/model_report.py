"""The page that people read about a week: our verdict, and Evidently's pictures of what moved."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.reports import Reports
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.model_retraining import stored_episodes
from ops_pipelines.components.publishing import Product
from ops_pipelines.core.errors import NoAcceptedData
from ops_pipelines.core.fingerprint import digest_bytes, digest_json, short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.release import find_release
from ops_pipelines.core.verdict import Passed, reasons_of
from ops_pipelines.mlops.drift import FEATURE
from ops_pipelines.mlops.retraining import FINDINGS

if TYPE_CHECKING:
    import pyarrow as pa

    from ops_pipelines.components.model import Model

OWN_PROCESS = {"ops/own_process": "true"}
"""The tag of jobs that import heavy libraries: the in-process daemon runs them beside itself."""


def make_report(model: "Model", platform: Platform, week: str) -> Product:
    """The report of a week that was looked at, kept under `OPS_HOME/reports` and linked."""
    import pyarrow as pa

    from ops_pipelines.adapters.evidently_report import JudgedColumn, render

    drift = platform.lake.accepted(f"{model.name}/drift", week)
    scored = platform.lake.accepted(f"{model.name}/predictions", week)
    release = drift.facts["release"]
    trained_on, reference = _training_rows(platform, model, release)
    rows = platform.lake.read(drift.key, week).to_pylist()
    features = [row["name"] for row in rows if row["role"] == FEATURE]
    reasons = [reason for verdict in drift.findings.values() for reason in reasons_of(verdict)]
    content = render(
        reference.select(features).to_pandas(),
        platform.lake.read(scored.key, week).select(features).to_pandas(),
        title=f"{model.name}, week of {week}, release {short(release)}",
        judged=[
            JudgedColumn(r["name"], r["effect"], r["limit"], r["p_value"], "drifted" if r["flagged"] else "quiet")
            for r in rows
        ],
        reasons=reasons,
        columns=features,
    )
    url = Reports(platform.project.home).publish(model.name, week, content)
    inputs = {made.address: made.digest for made in (drift, scored, trained_on)}
    return Product(
        pa.table({"url": [url], "sha256": [digest_bytes(content)]}),
        digest=digest_json(inputs),  # Evidently numbers the parts of a page at random
        verdict=Passed(),
        inputs=inputs,
        facts={"release": release, "url": url},
        shown={"report": dg.MetadataValue.url(url), "release": short(release)},
    )


def report_sensor(model: "Model", job: Any) -> dg.SensorDefinition:
    """The sensor that asks for the report of each week in which findings opened an episode."""

    @dg.sensor(
        name=f"report_{model.name}", job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status()
    )
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        after = int(context.cursor) if context.cursor else None
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=model.key("episodes"), after_storage_id=after), limit=100, ascending=True
        ).records
        weeks = sorted({str(record.partition_key) for record in records})
        requests = [
            dg.RunRequest(run_key=episode.key, partition_key=week)
            for week in weeks
            for episode in stored_episodes(platform.lake.good(f"{model.name}/episodes", week))
            if episode.opened == week and episode.kind in FINDINGS
        ]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "no episode has opened since the last look",
            cursor=str(records[-1].storage_id) if records else context.cursor,
        )

    return sensor


def _training_rows(platform: Platform, model: "Model", release: str) -> tuple[Artefact, "pa.Table"]:
    """The training set that a release was fitted on; NoAcceptedData where another lies there by now."""
    found = find_release(platform.releases, model.name, release)
    addresses: Sequence[str] = [str(evidence.facts["training_set"]) for evidence in found.evidence]
    for at in addresses:
        made = platform.good(at)
        if made and made.digest == found.manifest.behaviour["dataset"]:
            return made, platform.read_all({at: made.digest})
    raise NoAcceptedData(
        f"The training set of release {short(release)} is no longer at {', '.join(addresses)}",
        expected="the rows that the release was fitted on, to draw the week beside them",
        action=f"`ops drift show {model.name} WEEK` shows the numbers, which are kept with the release",
    )
