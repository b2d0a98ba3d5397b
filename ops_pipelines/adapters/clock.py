"""The clock that sensors and schedules read: the wall's, or the position in a replayed year.

A replay keeps its position in OPS_HOME/clock.json: an instant at which it stands, or one from which it runs at a speed.
Where the file is missing the logical instant is the wall's.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError


class ProjectClock:
    """The `Clock` of a project's home."""

    def __init__(self, home: Path) -> None:
        self._file = home / "clock.json"

    def as_of(self) -> datetime:
        """The replay's position where there is one, else the wall clock's instant."""
        if not self._file.is_file():
            return self.wall()
        try:
            kept = json.loads(self._file.read_text())
            position = utc(datetime.fromisoformat(kept["as_of"]))
            if "since" not in kept:
                return position
            return position + (self.wall() - utc(datetime.fromisoformat(kept["since"]))) * float(kept["speed"])
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{self._file} does not hold an instant: {error}",
                expected='{"as_of": "2013-03-12T00:00:00+00:00"}',
                action="Delete the file to use the wall clock, or write the instant",
            ) from error

    def wall(self) -> datetime:
        """The wall clock's instant in UTC."""
        return datetime.now(UTC)

    def is_replayed(self) -> bool:
        """Whether a position was set; the wall clock's instant is told where none was."""
        return self._file.is_file()

    def follow_the_wall(self) -> None:
        """Forget the position, so that the wall clock's instant is told again."""
        self._file.unlink(missing_ok=True)

    def set(self, as_of: datetime) -> None:
        """Move the replay to an instant, where it stands."""
        self._keep({"as_of": utc(as_of).isoformat()})

    def run(self, as_of: datetime, *, week: timedelta) -> None:
        """Let the replay run from an instant on, so that one of its weeks takes `week` of the wall clock's time."""
        if week <= timedelta(0):
            raise ConfigError(f"A week of {week}", expected="a time longer than none", action="Name for instance 5m")
        speed = timedelta(weeks=1) / week
        self._keep({"as_of": utc(as_of).isoformat(), "since": self.wall().isoformat(), "speed": speed})

    def _keep(self, position: dict[str, Any]) -> None:
        with written_aside(self._file) as aside:
            aside.write_text(json.dumps(position))
