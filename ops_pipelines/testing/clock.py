"""A clock that stands still."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A `core.clock.Clock` of one instant by the wall; the logical instant is the same where no other is given."""

    now: datetime
    logical: datetime | None = None

    def as_of(self) -> datetime:
        return self.logical or self.now

    def wall(self) -> datetime:
        return self.now
