"""An alarm wakes an agent: once for each alarm, however often it is told of it, and from however many processes."""

from typing import Any

from ops_pipelines.adapters.agents import OpenAgent, live_agent
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.run_lock import AlreadyRunning
from ops_pipelines.agentops.alarms import Alarm
from ops_pipelines.agentops.run_log import recording_of
from ops_pipelines.agentops.run_state import RUNNING, Ran, ran_of
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import find_release


def wakes(platform: Platform, alarm: Alarm, *, agent: str) -> bool:
    """Whether an alarm is to wake what is live of an agent: a judged one that people are told of, of what it operates,
    that has not woken it yet.
    """
    live = platform.live(PRODUCTION, agent)
    if not (live and alarm.is_told and alarm.is_judged):
        return False
    operates = find_release(platform.releases, agent, live).manifest.operates
    return alarm.system in operates and not platform.runs.steps(run_of_alarm(alarm, agent=agent))


def wake(platform: Platform, alarm: Alarm, *, agent: str) -> Ran:
    """What the run of an alarm comes to; one that is there already is told of as it stands, and not started again.

    ReleaseError where nothing of the agent is live.
    """
    found, run = live_agent(platform, agent), run_of_alarm(alarm, agent=agent)
    if known := _known(found, run):
        return known
    try:
        return found.start({"alarm": as_task(alarm)}, run=run)
    except AlreadyRunning:  # of two who wake it at once the second finds that the run has begun, or is about to
        return _known(found, run) or Ran(run, RUNNING)
    except DataError:
        if known := _known(found, run):
            return known
        raise


def run_of_alarm(alarm: Alarm, *, agent: str) -> str:
    """The id of the run that an alarm starts."""
    return digest_json([agent, alarm.key])[:32]


def as_task(alarm: Alarm) -> dict[str, Any]:
    """An alarm as an agent is given it: without the reasons, which hold words that strangers may have put into data."""
    return {name: value for name, value in alarm.to_json().items() if name not in ("reasons", "notified_at")}


def _known(found: OpenAgent, run: str) -> Ran | None:
    """What has become of a run; None where there is none."""
    recording = recording_of(found.platform.runs, run)
    return ran_of(recording, found.platform.clock.wall()) if recording.steps else None
