"""When an agent is stopped: it goes in circles, it only fails, or it has had its steps and its time.

It goes in circles when it does the same for the third time, with the same result, and has done nothing new since the
time before. So a circle of any period is seen within its third round, and a worker that comes back to the same step
between new ones is not (`sameness` says what is the same). A breaker that has opened stays open: a person looks at the run,
and another run begins anew.

Several agents that work on one request share a breaker, so that steps and time are those of all of them. Money is kept by
`spend`.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from ops_pipelines.agentops.sameness import ids_in, ids_listed, ids_told, key_of
from ops_pipelines.core.errors import check_settings
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

_RECENT = 4
"""An id counts as handed on by so many results before."""


@dataclass(frozen=True, slots=True)
class LoopRule:
    """When a run is stopped. `polls` are the tools that may be asked the same again and again, such as a clock."""

    repeats: int = 3
    errors: int = 3
    steps: int = 1000
    wall: timedelta = timedelta(hours=8)
    polls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_settings(
            self,
            "breaker",
            repeats=(self.repeats >= 2, "at least 2"),
            errors=(self.errors >= 1, "at least 1"),
            steps=(self.steps >= 1, "at least 1"),
            wall=(self.wall > timedelta(0), "more than no time"),
        )

    def to_json(self) -> dict[str, Any]:
        """The rule as plain JSON, for the agent's release."""
        plain = {name: getattr(self, name) for name in ("repeats", "errors", "steps")}
        return plain | {"wall_seconds": self.wall.total_seconds(), "polls": list(self.polls)}


@dataclass(slots=True)
class _Seen:
    """How often a step was done, and as which step the last time."""

    count: int = 0
    last: int = 0


class Breaker:
    """The breaker of one request, shared by all who work on it; `began` is when that was, by the wall clock."""

    def __init__(self, rule: LoopRule, began: datetime) -> None:
        self._rule, self._began, self._lock = rule, began, Lock()
        self._admitted = self._done = self._newest = 0
        self._failed: dict[str, int] = {}
        self._seen: dict[str, _Seen] = {}
        self._listed: set[str] = set()
        self._recent: deque[frozenset[str]] = deque(maxlen=_RECENT)
        self._why = ""

    @property
    def steps(self) -> int:
        """How many calls were let through."""
        return self._admitted

    def is_spent(self, at: datetime) -> bool:
        """Whether the run has had its calls or its time."""
        with self._lock:
            return bool(self._spent(at))

    def told(self, text: str) -> None:
        """Hear what the user or the operator says: the ids in it are what the work is about."""
        with self._lock:
            self._listed |= ids_told(text)

    def admit(self, at: datetime) -> Verdict:
        """Whether one more call may be made; a call that is let through has taken its step, also among parallel ones."""
        with self._lock:
            why = self._why or self._spent(at)
            if why:
                self._why = why
                return Blocked((why,))
            self._admitted += 1
            return Passed({"step": self._admitted})

    def record(self, who: str, tool: str, arguments: Mapping[str, Any], result: str, *, failed: bool) -> None:
        """Take in what came of a call of the agent `who`; what was refused counts as failed."""
        with self._lock:
            handed_on = frozenset().union(*self._recent)
            key = key_of(who, tool, arguments, result, listed=self._listed, handed_on=handed_on)
            ids = ids_in(result)
            listed = ids_listed(result)
            self._listed |= listed
            self._recent.append(ids - listed)
            self._failed[who] = self._failed.get(who, 0) + 1 if failed else 0
            circles = tool not in self._rule.polls and self._in_circles(key)
            self._why = self._why or self._found(who, tool, circles)

    def _spent(self, at: datetime) -> str:
        if self._admitted >= self._rule.steps:
            return f"the run has made its {self._rule.steps} calls"
        if at - self._began >= self._rule.wall:
            return f"the run has had its {self._rule.wall}"
        return ""

    def _in_circles(self, key: str) -> bool:
        """Whether a step comes so often, and nothing new came since it came the last time."""
        self._done += 1
        seen = self._seen.setdefault(key, _Seen())
        last, seen.last = seen.last, self._done
        seen.count += 1
        if seen.count == 1:
            self._newest = self._done
        return seen.count >= self._rule.repeats and self._newest <= last

    def _found(self, who: str, tool: str, circles: bool) -> str:
        if circles:
            return f"the run goes in circles: {tool} came to the same for the {_nth(self._rule.repeats)} time"
        if self._failed[who] >= self._rule.errors:
            return f"{self._failed[who]} calls in a row failed, {tool} the last of them"
        return ""


def _nth(count: int) -> str:
    return {2: "second", 3: "third"}.get(count, f"{count}th")
