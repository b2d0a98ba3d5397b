"""When things start by themselves: the only eager condition, the one for assets that nothing wakes, and the switch."""

import os
from typing import Any

import dagster as dg

from ops_pipelines.adapters.project import automation_is_on
from ops_pipelines.core.errors import ConfigError

A = dg.AutomationCondition


def gated_eager() -> dg.AutomationCondition:
    """Fires a partition when an input was updated, and never while any input that it maps to has a failed gate.

    Dagster's own `all_deps_blocking_checks_passed` lets a partition pass as soon as *any* mapped partition of an input
    did; this asks that none failed, windows and other locations included. Its eager condition looks at the latest week
    only, and a replayed year has none that is latest, so that part is left out. Without
    `~will_be_requested` a week that is about to be judged again would be held back by its old verdict for ever.
    """
    return (A.eager().without(A.in_latest_time_window()) & ~_any_input_refused()).with_label("gated_eager")


def once_there() -> dg.AutomationCondition:
    """Fires for what was never made, once all that it needs is there and no gate of it is shut: also where all was there
    before it. Dagster's eager condition waits for an input that is updated from then on.
    """
    needed = ~A.any_deps_missing() & ~A.any_deps_in_progress() & ~_any_input_refused()
    return (A.missing() & needed).newly_true().with_label("once_there")


def _any_input_refused() -> dg.AutomationCondition:
    refused = A.any_checks_match(~A.check_passed() & ~A.will_be_requested(), blocking_only=True)
    return A.any_deps_match(refused)


def first_or_changed() -> dg.AutomationCondition:
    """Fires when automation first meets an asset that was never made, and whenever its code has changed.

    Dagster's `on_missing` asks for a change from made to missing, which an asset that never was has not had.
    """
    return ((A.initial_evaluation() & A.missing()) | A.code_version_changed()).with_label("first_or_changed")


def sensor_status() -> dg.DefaultSensorStatus:
    """How every sensor of the house is declared: stopped, unless OPS_AUTOMATION is `on`.

    A fresh clone does nothing by itself.
    """
    return dg.DefaultSensorStatus.RUNNING if automation_is_on() else dg.DefaultSensorStatus.STOPPED


def schedule_status() -> dg.DefaultScheduleStatus:
    """How every schedule of the house is declared: as its sensors are."""
    return dg.DefaultScheduleStatus(sensor_status().value)


def scheduled(job: Any, cron: str | None) -> list[dg.ScheduleDefinition]:
    """The schedule of a job by a cron expression in UTC; none without one."""
    return [dg.ScheduleDefinition(job=job, cron_schedule=cron, default_status=schedule_status())] if cron else []


def tick_seconds() -> int:
    """How often every sensor of the house looks: each 30 seconds, or each OPS_TICK_SECONDS.

    ConfigError for what is no whole number of at least one second.
    """
    text = os.environ.get("OPS_TICK_SECONDS", "30")
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(
            f"OPS_TICK_SECONDS is {text!r}", expected="whole seconds, at least 1", action="Set it to 30, or unset it"
        )
    return int(text)
