"""How far a follower of the run log has come, and what its destination would not take: one small file, replaced whole.

Beside the number stands the step that has it. Where the log has another one under it, or ends before it, the log was
replaced (restored from a backup, a new home), and following begins anew: what is sent twice is shown once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.files import written_aside
from ops_pipelines.agentops.run_following import BEGINNING, FollowedRunLog, Kept
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes

MOST_REFUSED = 1_000
"""How many refused runs are remembered, the latest."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last step that was sent, as its number, run and id, and the runs that were refused, each with why."""

    sequence: int = BEGINNING
    run: str = ""
    id: str = ""
    refused: Mapping[str, str] = field(default_factory=dict)

    def after(self, kept: Kept, refused: Mapping[str, str]) -> "Position":
        """The position once a step, and all before it, were sent or refused."""
        known = {**{run: why for run, why in self.refused.items() if run not in refused}, **refused}
        latest = dict(list(known.items())[-MOST_REFUSED:])
        return Position(kept.sequence, kept.step.run, kept.step.id, latest)


class TraceCursor:
    """The position in a file; DataError where the file holds none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, log: FollowedRunLog) -> Position:
        """Where to go on in a log: at its beginning where nothing was sent of it yet."""
        found = self._kept()
        return found if _is_of(found, log) else Position(refused=found.refused)

    def write(self, position: Position) -> None:
        """Keep a position, in place of the one before."""
        told: dict[str, Any] = {"sequence": position.sequence, "run": position.run, "id": position.id}
        self.path.parent.mkdir(exist_ok=True)
        with written_aside(self.path) as aside:
            aside.write_text(json.dumps({**told, "refused": dict(position.refused)}))

    def _kept(self) -> Position:
        try:
            return Position(**json.loads(self.path.read_text()))
        except FileNotFoundError:
            return Position()
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{self.path} holds no position in the run log: {error}",
                expected="what this package wrote there",
                action="Delete it: everything is sent again, and shown once",
                file=str(self.path),
            ) from error


def cursor_of(home: Path, destination: str = "") -> TraceCursor:
    """The cursor of a home for one destination, by its URL; the home's own MLflow without one."""
    name = digest_bytes(destination.encode())[:12] if destination else "mlflow"
    return TraceCursor(home / "log" / f"exported-{name}.json")


def _is_of(position: Position, log: FollowedRunLog) -> bool:
    if position.sequence > log.last_sequence():
        return False
    here = log.steps_after(position.sequence - 1, limit=1)
    if not here or here[0].sequence != position.sequence:
        return True  # it was forgotten, by retention
    return (here[0].step.run, here[0].step.id) == (position.run, position.id)
