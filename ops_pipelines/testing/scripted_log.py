"""A model server's log writer that takes answers, is behind, or fails, as a test says."""

from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.core.errors import DataError


@dataclass(frozen=True, slots=True)
class ScriptedState:
    """What the writer tells of itself."""

    pending: int
    oldest_seconds: float
    written: int
    refused: int
    failing: str | None
    left_out: int = 0
    fault: str | None = None


@dataclass(slots=True)
class ScriptedLog:
    """Batches that were taken are in `kept`. With `behind` there is no room; `failing` says why nothing can be written."""

    most_pending: int = 1_000
    behind: bool = False
    failing: str | None = None
    kept: list[Any] = field(default_factory=list)

    def offer(self, batch: Any) -> bool:
        """Whether a batch was taken."""
        if self.behind or self.failing:
            return False
        self.kept.append(batch)
        return True

    async def room(self, rows: int, timeout_seconds: float) -> bool:
        """Whether a batch would be taken; a test need not wait to know that it would not."""
        return rows <= self.most_pending and timeout_seconds > 0 and not (self.behind or self.failing)

    async def durably(self, batch: Any) -> None:
        """Takes a batch for good; DataError where it fails."""
        if self.failing:
            raise DataError(
                f"The answer could not be put on the disk: {self.failing}",
                expected="a log that can be written",
                action="Ask again",
                unavailable=True,
            )
        self.kept.append(batch)

    def state(self) -> ScriptedState:
        """How it fares."""
        return ScriptedState(0, 0.0, len(self.kept), 0, self.failing)
