"""The retraining log: who asked for which training, and what each run that answered it cost.

Rows are appended by sensors, people, agents and other systems, and by the runs themselves; none is ever changed. What a
row's answer came to is not written here: it is read from the checkpoint and the pointer's history.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc


@dataclass(frozen=True, slots=True)
class Request:
    """One row of the retraining log: somebody, or an episode, wants a system trained up to the end of a week.

    `key` is unique and is the run's key. `week` is the training set's partition, `as_of` its end for an episode and the
    clock's instant for a person. `episodes` are the keys of all episodes that this run answers; empty for a person's.
    """

    key: str
    system: str
    week: str
    as_of: datetime
    reason: str
    actor: str
    at: datetime
    episodes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON, read back by `from_json`."""
        return asdict(self) | {
            "as_of": utc(self.as_of).isoformat(),
            "at": utc(self.at).isoformat(),
            "episodes": list(self.episodes),
        }

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Request":
        """The row that `to_json` wrote."""
        instants = {name: datetime.fromisoformat(record[name]) for name in ("as_of", "at")}
        return cls(**{**record, **instants, "episodes": tuple(record["episodes"])})


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One step of a run that answers a request: begun, or ended with the CPU seconds that it cost.

    A step is written twice, when it begins and when it ends, well or not; one that was killed in between has no end, and
    so a cost that nobody knows. `at` is the wall clock's instant, `part` what the step makes.
    """

    request: str
    system: str
    run: str
    part: str
    at: datetime
    cpu_seconds: float | None = None
    is_good: bool = False

    @property
    def key(self) -> str:
        """What the row is written once under."""
        return f"{self.run}/{self.part}/{'begun' if self.cpu_seconds is None else 'ended'}"

    def to_json(self) -> dict[str, Any]:
        """The row as plain JSON, read back by `from_json`."""
        return asdict(self) | {"key": self.key, "at": utc(self.at).isoformat()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "TrainingStep":
        """The row that `to_json` wrote."""
        plain = {name: value for name, value in record.items() if name != "key"}
        return cls(**{**plain, "at": datetime.fromisoformat(record["at"])})


class RetrainingLog(Protocol):
    """Append-only rows of what was asked for and spent. `ops_pipelines.testing.retraining_log` checks an implementation.

    Of two rows with one key the first stands and the second is not written, whoever writes them from where.
    """

    def ask(self, request: Request) -> Request:
        """Append a row, and the row that now stands under its key: this one, or the one that came first."""

    def requests(self, system: str) -> tuple[Request, ...]:
        """Every row of a system, in the order in which they were written."""

    def spend(self, step: TrainingStep) -> None:
        """Append what a step has begun, or has cost; nothing where that was said already."""

    def steps(self, system: str) -> tuple[TrainingStep, ...]:
        """Every step of a system's runs, in the order in which they were written."""
