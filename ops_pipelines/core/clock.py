"""Two times: the instant a decision is about, and the instant somebody made it.

`as_of` is the logical instant: the end of the partition, or the demo's position in the year. Age, cooldown, time to live
and which labels are known use it. The wall clock is for people and for leases. Domain functions take both as arguments.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol

from ops_pipelines.core.errors import ConfigError

RACE = timedelta(minutes=10)
"""How long an act may take from its instant until it is written down: no two acts at once are further apart."""


class Clock(Protocol):
    """Tells the logical instant and the wall's, both with their time zone."""

    def as_of(self) -> datetime: ...

    def wall(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time from `start` (included) to `end` (excluded), both in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if utc(self.start) >= utc(self.end):
            raise ConfigError(
                f"A window from {self.start} to {self.end} holds no time",
                expected="a start before the end",
                action="Name the earlier instant first",
            )


def utc(instant: datetime) -> datetime:
    """The same instant in UTC; ConfigError for a naive one, whose meaning nobody can know.

    >>> utc(datetime(2013, 1, 1, tzinfo=UTC)).isoformat()
    '2013-01-01T00:00:00+00:00'
    """
    if instant.tzinfo is None:
        raise ConfigError(
            f"The instant {instant} has no time zone",
            expected="a datetime with tzinfo, UTC for choice",
            action="Add tzinfo=UTC where it is made",
        )
    return instant.astimezone(UTC)


def day_of(instant: datetime) -> str:
    """The day in UTC that an instant lies in.

    >>> day_of(datetime(2026, 3, 2, 23, 59, tzinfo=UTC))
    '2026-03-02'
    """
    return utc(instant).date().isoformat()


def window_of_day(day: str) -> Window:
    """The span of a day such as `2026-03-02`, in UTC; ValueError for what is none."""
    start = datetime.combine(date.fromisoformat(day), time(), UTC)
    return Window(start, start + timedelta(days=1))


def not_before(before: datetime | None, at: datetime) -> datetime:
    """The wall's instant of what is written after something else, whose own instant it follows or shares.

    Of two acts at once the one that is written first may have begun last: then the second is given the first one's
    instant. What lies further back than RACE is kept: the wall clock was put back, and whoever reads it ought to see that.

    >>> noon = datetime(2013, 1, 1, 12, tzinfo=UTC)
    >>> not_before(noon, noon - timedelta(seconds=1)) == noon
    True
    >>> not_before(noon, noon - timedelta(hours=1)).hour
    11
    """
    return before if before is not None and timedelta(0) < utc(before) - utc(at) <= RACE else at
