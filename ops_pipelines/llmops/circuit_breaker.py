"""When a provider that fails is left alone for a while.

Closed, calls go through and are counted. Open, none do: a provider that is down is not asked, and its callers do not
wait. After a rest it is half open: one call tries it, and closes the circuit or opens it again.

Instants are the caller's, so that a test need not wait. The state is one process's: several workers open their circuits
each by itself.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock

from ops_pipelines.core.errors import check_settings

CLOSED, OPEN, HALF_OPEN = "closed", "open", "half open"


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """When a circuit opens: after failures in a row, or at a share of failures among the last calls.

    The share is judged only once `over_calls` calls were made since the circuit closed. `trial` is after how long a
    call that was let through to try, and of which nothing was heard, counts as failed.
    """

    consecutive: int = 5
    share: float = 0.5
    over_calls: int = 20
    rest: timedelta = timedelta(seconds=30)
    trial: timedelta = timedelta(minutes=2)

    def __post_init__(self) -> None:
        check_settings(
            self,
            "breaker",
            consecutive=(self.consecutive >= 1, "at least 1"),
            share=(0 < self.share <= 1, "more than 0 and at most 1"),
            over_calls=(self.over_calls >= 1, "at least 1"),
            rest=(self.rest > timedelta(0), "more than no time"),
            trial=(self.trial > timedelta(0), "more than no time"),
        )


@dataclass(frozen=True, slots=True)
class Circuit:
    """The state of a circuit: since when it is in it, and how the last calls went (the latest last, True for good)."""

    state: str = CLOSED
    since: datetime | None = None
    last: tuple[bool, ...] = ()

    def admit(self, rule: BreakerRule, at: datetime) -> tuple[bool, "Circuit"]:
        """Whether a call may be made now, and the circuit after that was decided."""
        if self.state == CLOSED or self.since is None:
            return True, self
        waited = at - self.since
        may_try = waited >= (rule.rest if self.state == OPEN else rule.trial)
        return may_try, Circuit(HALF_OPEN, at) if may_try else self

    def after(self, good: bool, rule: BreakerRule, at: datetime) -> "Circuit":
        """The circuit after a call went well or failed. A call that began before it opened changes nothing."""
        if self.state == OPEN:
            return self
        if self.state == HALF_OPEN:
            return Circuit(CLOSED, at) if good else Circuit(OPEN, at)
        last = (*self.last, good)[-max(rule.over_calls, rule.consecutive) :]
        in_row = len(last) >= rule.consecutive and not any(last[-rule.consecutive :])
        judged = last[-rule.over_calls :]
        too_many = len(judged) == rule.over_calls and judged.count(False) >= rule.share * rule.over_calls
        return Circuit(OPEN, at) if in_row or too_many else replace(self, last=last)


class CircuitBreaker:
    """A circuit that several threads and tasks share; of callers that come at once to one that is half open one tries it."""

    def __init__(self, rule: BreakerRule | None = None) -> None:
        self.rule = rule or BreakerRule()
        self._circuit, self._lock = Circuit(), Lock()

    @property
    def circuit(self) -> Circuit:
        """The state as it is now."""
        return self._circuit

    def admit(self, at: datetime) -> bool:
        """Whether a call may be made now. Who is let through has to tell how it went."""
        with self._lock:
            may, self._circuit = self._circuit.admit(self.rule, at)
            return may

    def tell(self, good: bool, at: datetime) -> None:
        """How a call that was let through went."""
        with self._lock:
            self._circuit = self._circuit.after(good, self.rule, at)


class Breakers:
    """The circuits of a process: one for each release and provider, since one release's trouble is not another's."""

    def __init__(self, rule: BreakerRule | None = None) -> None:
        self._rule, self._lock = rule, Lock()
        self._breakers: dict[tuple[str, str], CircuitBreaker] = {}

    def of(self, release: str, provider: str) -> CircuitBreaker:
        """The circuit breaker of a release's provider, closed at first."""
        with self._lock:
            return self._breakers.setdefault((release, provider), CircuitBreaker(self._rule))
