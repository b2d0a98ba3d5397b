"""Spans of time in which nothing is to be changed: a release week, a holiday, an incident."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Freeze:
    """A named span from `start` (included) to `end` (excluded); what it forbids is the policy's to say."""

    name: str
    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if not self.name or utc(self.start) >= utc(self.end):
            raise ConfigError(
                f"The freeze {self.name!r} from {self.start} to {self.end} holds no time",
                expected="a name, and a start before the end",
                action="Correct it where the agent's policy stands",
                freeze=self.name,
            )

    def holds(self, at: datetime) -> bool:
        """Whether an instant lies in it."""
        return utc(self.start) <= utc(at) < utc(self.end)

    def to_json(self) -> dict[str, str]:
        """The freeze as plain JSON."""
        return {"name": self.name, "start": utc(self.start).isoformat(), "end": utc(self.end).isoformat()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Freeze":
        """The freeze in a record of `to_json`; ConfigError for what is none."""
        try:
            start, end = (datetime.fromisoformat(str(record[name])) for name in ("start", "end"))
            return cls(str(record["name"]), start, end)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"A freeze cannot be read from {record!r}: {error!r}",
                expected="name, start and end, both instants with their time zone",
                action="Correct it where the agent's policy stands",
            ) from error


def frozen_by(freezes: Iterable[Freeze], at: datetime) -> tuple[str, ...]:
    """The names of the freezes that hold at an instant."""
    return tuple(freeze.name for freeze in freezes if freeze.holds(at))
