"""Weeks and days: how partitions are declared in YAML, and which windows and neighbours they have."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from ops_pipelines.core.clock import Window, utc
from ops_pipelines.core.errors import ConfigError


class Weekly(dg.Model, dg.Resolvable):
    """Weeks from a first day (included) to a last one (excluded), at midnight UTC; a stub at the end is no partition."""

    start: str
    end: str | None = None

    def definition(self) -> dg.TimeWindowPartitionsDefinition:
        """Dagster's partitions, keyed by the first day of each week (`2013-01-01`)."""
        first = _day(self.start)
        return dg.TimeWindowPartitionsDefinition(
            cron_schedule=f"0 0 * * {(first.weekday() + 1) % 7}",
            start=self.start,
            end=_day(self.end).isoformat() if self.end else None,
            fmt="%Y-%m-%d",
            timezone="UTC",
        )


class Daily(dg.Model, dg.Resolvable):
    """Days from a first one on, in UTC. The day that goes on is one of them, to be looked at before it is over."""

    start: str

    def definition(self) -> dg.TimeWindowPartitionsDefinition:
        """Dagster's partitions, keyed by the day (`2026-03-02`)."""
        return dg.DailyPartitionsDefinition(_day(self.start).isoformat(), timezone="UTC", end_offset=1)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(
            f"{text!r} is no day: {error}", expected="a day such as 2013-01-01", action="Correct the YAML"
        ) from error


def window_of(weeks: dg.TimeWindowPartitionsDefinition, key: str) -> Window:
    """The span of one week."""
    found = weeks.time_window_for_partition_key(key)
    return Window(utc(found.start), utc(found.end))


def weeks_until(weeks: dg.TimeWindowPartitionsDefinition, key: str, count: int) -> Sequence[str]:
    """The week `key` and the ones before it, `count` in all, oldest first; fewer where the calendar begins later."""
    keys = weeks.get_partition_keys(current_time=window_of(weeks, key).end)
    last = keys.index(key)
    return keys[max(0, last + 1 - count) : last + 1]


def trailing(count: int) -> dg.TimeWindowPartitionMapping:
    """The mapping of a week onto itself and the weeks before it, `count` in all."""
    return dg.TimeWindowPartitionMapping(start_offset=1 - count, allow_nonexistent_upstream_partitions=True)


def ahead(count: int) -> dg.TimeWindowPartitionMapping:
    """The mapping of a week onto itself and the `count` weeks after it, as far as the calendar goes."""
    return dg.TimeWindowPartitionMapping(end_offset=count, allow_nonexistent_upstream_partitions=True)


def behind(count: int) -> dg.TimeWindowPartitionMapping:
    """The mapping of a week onto the one that lies `count` weeks before it."""
    return dg.TimeWindowPartitionMapping(
        start_offset=-count, end_offset=-count, allow_nonexistent_upstream_partitions=True
    )
