"""Asks for each week of the outside data when the clock says that it has passed."""

import json
from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.conditions import sensor_status, tick_seconds

ATTEMPTS = 3
BUSY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)


def arrivals(keys: Sequence[dg.AssetKey], weeks: dg.TimeWindowPartitionsDefinition) -> dg.Definitions:
    """The job that loads one week of these datasets, and the sensor that runs it for each week in turn.

    A plain schedule would follow the wall clock; this follows the platform's, so that a replayed year arrives week by
    week. One week at a time, since each is judged against the one before. A week whose loader fails is asked for again,
    three times in all; then the next ones go on without it.
    """
    datasets = ["/".join(key.path) for key in keys]
    job = dg.define_asset_job("arrivals", dg.AssetSelection.assets(*keys))

    @dg.sensor(name="arrivals", job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status())
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        now = platform.clock.as_of()
        passed = [week for week in weeks.get_partition_keys(current_time=now) if window_of(weeks, week).end <= now]
        missing = [week for week in passed if not all(platform.lake.is_written(key, week) for key in datasets)]
        asked = {week: count for week, count in json.loads(context.cursor or "{}").items() if week in missing}
        due = [week for week in missing if asked.get(week, 0) < ATTEMPTS]
        if not due:
            return _skip(context, _nothing_due(missing, now))
        if context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=list(BUSY)), limit=1):
            return _skip(context, "the week before is still being loaded")
        asked[due[0]] = asked.get(due[0], 0) + 1
        request = dg.RunRequest(run_key=f"{due[0]}:{asked[due[0]]}", partition_key=due[0])
        return dg.SensorResult(run_requests=[request], cursor=json.dumps(asked))

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _nothing_due(missing: Sequence[str], now: datetime) -> str:
    if missing:
        return f"loading {missing[0]} failed {ATTEMPTS} times; mend it and launch the job arrivals for it by hand"
    return f"every week that has passed is there (the clock says {now:%Y-%m-%d %H:%M})"


def _skip(context: dg.SensorEvaluationContext, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
