"""Asks for each week of the outside data when the clock says that it has passed."""

from collections.abc import Sequence

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.conditions import sensor_status

BUSY = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
)


def arrivals(keys: Sequence[dg.AssetKey], weeks: dg.TimeWindowPartitionsDefinition) -> dg.Definitions:
    """The job that loads one week of these datasets, and the sensor that runs it for each week in turn.

    A plain schedule would follow the wall clock; this follows the platform's, so that a replayed year arrives week by
    week. One week at a time, since each is judged against the one before.
    """
    job = dg.define_asset_job("arrivals", dg.AssetSelection.assets(*keys))

    @dg.sensor(name="arrivals", job=job, minimum_interval_seconds=30, default_status=sensor_status())
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        now = platform.clock.as_of()
        passed = [week for week in weeks.get_partition_keys(current_time=now) if window_of(weeks, week).end <= now]
        due = [week for week in passed if context.cursor is None or week > context.cursor]
        if not due:
            return _skip(context, f"no week has passed since {context.cursor} (the clock says {now:%Y-%m-%d %H:%M})")
        if context.instance.get_runs(dg.RunsFilter(job_name=job.name, statuses=list(BUSY)), limit=1):
            return _skip(context, "the week before is still being loaded")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=due[0], partition_key=due[0])], cursor=due[0])

    return dg.Definitions(jobs=[job], sensors=[sensor])


def _skip(context: dg.SensorEvaluationContext, reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=context.cursor)
