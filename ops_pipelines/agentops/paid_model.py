"""A question to a model that is paid from a run's purse, and counts in its breaker."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ops_pipelines.agentops.payload import plain
from ops_pipelines.agentops.recording import Ask, Outcome, StepFailed
from ops_pipelines.agentops.spend import settle
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import NotAllowed, OpsError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Passed, Verdict, reasons_of
from ops_pipelines.llmops.cost import from_nanos


class RunStopped(NotAllowed):
    """A model may not be asked: the run's breaker has opened, or its budget is spent."""


class PaidModel:
    """One question to the model `name`, asked now or told again from a recording; without a gate it is a replay."""

    def __init__(self, gate: Gate | None, name: str, request: Any) -> None:
        self._gate, self._name, self._request, self._asked = gate, name, request, False

    def paid(self, ask: Ask, request: Any) -> Any:
        """What the model answers, once the most that it can cost is set aside; RunStopped where it may not be asked."""
        reserved, found = self._reserve(), None
        try:
            found = ask(request)
        finally:
            self._settle(reserved, found)
        return found

    async def paid_async(self, ask: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        """The same where the answer has to be awaited."""
        reserved, found = self._reserve(), None
        try:
            found = await ask(request)
        finally:
            self._settle(reserved, found)
        return found

    def came(self, value: Any) -> Any:
        """The answer; one of a recording is taken in by the breaker, as it was then."""
        self._recall(value)
        return value

    @contextmanager
    def told_again(self) -> Iterator[None]:
        """Around the question: a failure of a recording is taken in, too."""
        try:
            yield
        except StepFailed:
            self._recall(None)
            raise

    def _recall(self, value: Any) -> None:
        if self._gate and not self._asked:
            self._gate.breaker.admit(self._gate.parts.now())
            self._record(value)

    def _reserve(self) -> str:
        """Admit the question and set aside the most that it can cost; the id of the reservation, empty for none."""
        gate, self._asked = self._gate, True
        if gate is None:
            return ""
        parts, at = gate.parts, gate.parts.now()
        self._check(gate.breaker.admit(at))
        most = parts.prices.get(f"model:{self._name}")
        if most is None:
            return ""
        reservation = parts.new_id()
        self._check(gate.purse.reserve(parts.budgets, reservation, most, at=at))
        return reservation

    def _settle(self, reserved: str, found: Any) -> None:
        gate = self._gate
        if gate is None:
            return
        known = found if isinstance(found, Outcome) else Outcome(found)
        if reserved:
            usd = None if known.nanos is None else from_nanos(known.nanos)
            with suppress(OpsError):  # an answer that was paid is not lost: all that was set aside stays spent
                settle(gate.parts.budgets, reserved, usd, at=gate.parts.now())
        self._record(known.value)

    def _record(self, value: Any) -> None:
        if self._gate:
            asked, shown = {"request": _text(self._request)}, _text(value)
            self._gate.breaker.record(self._gate.run.id, f"model:{self._name}", asked, shown, failed=value is None)

    def _check(self, found: Verdict) -> None:
        if not isinstance(found, Passed):
            raise RunStopped(
                f"The model {self._name!r} is not asked: {'; '.join(reasons_of(found))}",
                expected="a run within its steps, its time and its budget",
                action="Finish with what there is, or ask a person for more",
            )


def _text(value: Any) -> str:
    return canonical_json(plain(value)).decode()
