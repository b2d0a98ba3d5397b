"""An alarm wakes an agent once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.waking import wake, wakes
from ops_pipelines.agentops.alarms import Alarm
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.testing.refund_agent import refund_agent, released
from ops_pipelines.testing.watched_system import WEEK, Watched


@pytest.fixture
def platform(empty_project):
    return Platform.embedded(find_project(empty_project))


@pytest.fixture
def alarm(platform):
    watched = Watched(platform)
    (live,) = watched.releases("first")
    released(platform, replace(refund_agent(), operates=("flight_delay",)))
    return Alarm("flight_delay", "performance", live, WEEK, WEEK, 1, "blocked", ("log loss 0.7",))


def test_an_alarm_starts_one_run_with_itself_as_the_task(platform, alarm):
    ran = wake(platform, alarm, agent="refunds")
    (first, *_) = platform.runs.steps(ran.run)
    assert first.kind == "agent"
    assert wake(platform, alarm, agent="refunds").run == ran.run


def test_it_is_told_as_it_stands_when_it_is_asked_for_again(platform, alarm):
    ran = wake(platform, alarm, agent="refunds")
    assert wake(platform, replace(alarm, week="2013-07-09", weeks=2), agent="refunds") == ran


def test_of_two_who_wake_it_at_once_both_are_told_of_one_run(platform, alarm):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: wake(platform, alarm, agent="refunds").run, range(2)))
    assert len(set(found)) == 1
    assert len([step for step in platform.runs.steps(found[0]) if step.kind == "agent"]) == 1


def test_what_wakes_it_is_judged_told_of_and_of_a_system_that_it_operates(platform, alarm):
    others = [
        replace(alarm, verdict="not evaluated"),
        replace(alarm, finding="feature_drift"),
        replace(alarm, system="flight_duration"),
    ]
    assert wakes(platform, alarm, agent="refunds")
    assert not any(wakes(platform, other, agent="refunds") for other in others)
    wake(platform, alarm, agent="refunds")
    assert not wakes(platform, alarm, agent="refunds")


def test_an_agent_that_is_not_live_is_not_woken(platform, alarm):
    assert not wakes(platform, alarm, agent="oncall")
    with pytest.raises(ReleaseError, match="Nothing of 'oncall' is live"):
        wake(platform, alarm, agent="oncall")
