"""Runs of agents that go on by themselves: a sensor that sees which may, and the job that goes on with one."""

from datetime import datetime

import dagster as dg

from ops_pipelines.adapters.going_on import go_on, open_runs
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.going_on import FOR_A_PERSON, GOES_ON, Judged
from ops_pipelines.agentops.run_state import FAILED
from ops_pipelines.components.conditions import sensor_status, tick_seconds

GO_ON = "go_on"
"""The sensor and its job."""


class GoOnConfig(dg.Config):
    """Which run, by its whole id."""

    run: str


def going_on_defs() -> dg.Definitions:
    """The job `go_on` and its sensor, for the runs of all agents."""

    @dg.op(name=f"{GO_ON}_with_a_run")
    def goes_on(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: GoOnConfig) -> None:
        went = go_on(platform, config.run)
        told = went.to_json()
        if went.error or (went.ran and went.ran.state == FAILED):
            why = went.error or (went.ran and went.ran.error)
            raise dg.Failure(f"the run {config.run} {told['state']}: {why}", allow_retries=False)
        context.log.info(f"the run {config.run}: {told['state']} ({told['why']})")

    @dg.job(name=GO_ON, description="Go on with a run that was answered, or whose process died, once.")
    def going_on() -> None:
        goes_on()

    return dg.Definitions(jobs=[going_on], sensors=[_sensor()])


def _sensor() -> dg.SensorDefinition:
    # By the job's name, as `wake_<agent>` is.
    @dg.sensor(job_name=GO_ON, name=GO_ON, minimum_interval_seconds=tick_seconds(), default_status=sensor_status())
    def sensor(platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        found = list(open_runs(platform))
        due = [one for one in found if one.outcome == GOES_ON]
        stuck = sum(one.outcome == FOR_A_PERSON for one in found)
        why = f"of {len(found)} runs that have not ended none goes on now; {stuck} wait for a person to look at them"
        return dg.SensorResult(
            run_requests=[_request(one, platform.clock.wall()) for one in due], skip_reason=None if due else why
        )

    return sensor


def _request(judged: Judged, now: datetime) -> dg.RunRequest:
    """One answer asks once: the key is the same until the run goes on or somebody tries it, and for an hour at most, in
    which a run of Dagster's may have been lost before it began.
    """
    config = {"ops": {f"{GO_ON}_with_a_run": {"config": {"run": judged.run.run}}}}
    return dg.RunRequest(run_key=f"{judged.key}:{now:%Y-%m-%dT%H}", run_config=config)
