"""An agent that an alarm wakes: a sensor that sees each new alarm, and the job that starts the agent's run."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.agents import writer_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.waking import wake, wakes
from ops_pipelines.agentops.alarms import Alarm
from ops_pipelines.agentops.payload import plain
from ops_pipelines.agentops.run_state import FAILED
from ops_pipelines.components.conditions import sensor_status, tick_seconds

if TYPE_CHECKING:
    from ops_pipelines.components.alarms import Alarms


class WakeConfig(dg.Config):
    """The alarm as JSON, as the inbox holds it."""

    alarm: str


def waking_job(agent: str) -> dg.JobDefinition:
    """The job `wake_<agent>`, which starts the run of an alarm, up to its end or to what waits for a person."""

    @dg.op(name=f"wake_{agent}_once")
    def start(context: dg.OpExecutionContext, platform: dg.ResourceParam[Platform], config: WakeConfig) -> None:
        ran = wake(platform, Alarm.from_json(json.loads(config.alarm)), agent=agent)
        redactor = writer_of(platform).redactor  # Dagster keeps what it is told for ever
        shown = redactor.value(plain(ran.result or ran.waits or ran.error))
        context.log.info(f"the run {ran.run} is {ran.state}: {shown}")
        if ran.state == FAILED:
            raise dg.Failure(f"the run {ran.run} of {agent} failed: {redactor.text(ran.error)}", allow_retries=False)

    @dg.job(name=f"wake_{agent}", description=f"Wake {agent} because of an alarm, once for each.")
    def waking() -> None:
        start()

    return waking


def waking_sensor(alarms: "Alarms", agent: str) -> dg.SensorDefinition:
    """The sensor `wake_<agent>`: one run for each alarm of the newest inbox that is judged and told of.

    The run of an alarm has one id, so that a sensor that begins anew wakes nobody twice. An alarm whose run could not begin,
    as where a token was missing, is tried again within the hour.
    """

    # By its name: a sensor that holds a job of ops is made anew when resources are bound, with a warning of Dagster's own.
    @dg.sensor(
        job_name=f"wake_{agent}",
        name=f"wake_{agent}",
        minimum_interval_seconds=tick_seconds(),
        default_status=sensor_status(),
    )
    def sensor(platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        weeks = platform.lake.partitions(alarms.name)
        inbox = platform.lake.good(alarms.name, weeks[-1]) if weeks else None
        known = [Alarm.from_json(record) for record in inbox.facts["alarms"]] if inbox else []
        due = [alarm for alarm in known if wakes(platform, alarm, agent=agent)]
        why = f"{len(known)} open alarms, and none that is to wake {agent} now"
        return dg.SensorResult(
            run_requests=[_request(agent, alarm, platform.clock.wall()) for alarm in due],
            skip_reason=None if due else why,
        )

    return sensor


def _request(agent: str, alarm: Alarm, now: datetime) -> dg.RunRequest:
    config: dict[str, Any] = {"ops": {f"wake_{agent}_once": {"config": {"alarm": json.dumps(alarm.to_json())}}}}
    return dg.RunRequest(run_key=f"{alarm.key}:{now:%Y-%m-%dT%H}", run_config=config)
