"""The sensor by which an alarm of the newest inbox wakes an agent."""

import json
import warnings
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pyarrow as pa
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.waking import run_of_alarm
from ops_pipelines.agentops.alarms import Alarm
from ops_pipelines.components.alarms import Alarms
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Passed
from ops_pipelines.testing.clock import FixedClock
from ops_pipelines.testing.refund_agent import refund_agent, released
from ops_pipelines.testing.watched_system import WEEK, Watched

YAML = 'name: alarms\nsystems: [flight_delay]\nweekly: {start: "2013-01-01"}\nwakes: refunds\n'


@pytest.fixture
def platform(empty_project):
    return Platform.embedded(find_project(empty_project))


@pytest.fixture
def alarm(platform):
    (live,) = Watched(platform).releases("first")
    released(platform, replace(refund_agent(), operates=("flight_delay",)))
    return Alarm("flight_delay", "performance", live, WEEK, WEEK, 1, "blocked", ("log loss 0.7",))


def inbox(platform, *alarms):
    facts = {"alarms": [alarm.to_json() for alarm in alarms]}
    made = Artefact("alarms", WEEK, "a" * 64, Passed(), {}, Origin("run", "c", "c", platform.clock.wall()), facts)
    platform.lake.publish(pa.table({}), made)


@pytest.fixture
def definitions():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        return Alarms.resolve_from_yaml(YAML).build_defs(None)


def tick(definitions, platform):
    sensor = next(one for one in definitions.sensors if one.name == "wake_refunds")
    return sensor(dg.build_sensor_context(resources={"platform": platform}))


def test_an_alarm_of_the_newest_inbox_asks_for_one_run(definitions, platform, alarm):
    inbox(platform, alarm, replace(alarm, finding="feature_drift"))
    (request,) = tick(definitions, platform).run_requests
    (op,) = request.run_config["ops"].values()
    assert request.run_key.startswith(f"{alarm.key}:")
    assert Alarm.from_json(json.loads(op["config"]["alarm"])) == alarm


def test_without_an_inbox_and_without_an_alarm_nothing_is_asked_for(definitions, platform, alarm):
    assert tick(definitions, platform).run_requests == []
    inbox(platform)
    assert "0 open alarms" in tick(definitions, platform).skip_reason.skip_message


def test_an_alarm_whose_run_could_not_begin_is_tried_again_within_the_hour_and_not_sooner(definitions, platform, alarm):
    inbox(platform, alarm)
    at = [platform.clock.wall().replace(hour=12, minute=minute) for minute in (1, 2)]
    clocks = [FixedClock(now, platform.clock.as_of()) for now in (*at, at[0] + timedelta(hours=1))]
    ticks = [tick(definitions, replace(platform, clock=clock)).run_requests for clock in clocks]
    first, soon, later = [request.run_key for (request,) in ticks]
    assert (first == soon, first == later) == (True, False)


@pytest.mark.long
def test_what_an_alarm_woke_is_not_woken_again_by_it(definitions, platform, alarm):
    inbox(platform, alarm)
    job = next(one for one in definitions.jobs if one.name == "wake_refunds")
    (request,) = tick(definitions, platform).run_requests
    with dg.DagsterInstance.ephemeral() as instance:
        job.execute_in_process(
            run_config=request.run_config, resources={"platform": platform}, instance=instance, raise_on_error=False
        )
    assert platform.runs.steps(run_of_alarm(alarm, agent="refunds"))
    assert tick(definitions, platform).run_requests == []
