"""Instants in a SQLite file of ours: whole microseconds since 1970 in UTC, which sort and compare as numbers."""

from datetime import UTC, datetime, timedelta

from ops_pipelines.core.clock import utc

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(instant: datetime) -> int:
    """An instant as whole microseconds; ConfigError for one without a time zone."""
    return (utc(instant) - _EPOCH) // _MICROSECOND


def instant_of(count: int) -> datetime:
    """The instant of so many microseconds, in UTC.

    >>> instant_of(micros(datetime(2026, 3, 2, tzinfo=UTC))).isoformat()
    '2026-03-02T00:00:00+00:00'
    """
    return _EPOCH + count * _MICROSECOND
