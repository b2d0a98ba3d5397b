"""The control of one run, which the sessions of all its agents share: what its calls are called, and whether it may go on.

A run that waits for a person, or whose log has failed, does nothing more, whatever its program makes of the error: it is
told again at each call, and in the end it counts for more than what the program returns.
"""

import threading
from asyncio import CancelledError, get_running_loop
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from ops_pipelines.agentops.recording import StepFailed
from ops_pipelines.agentops.tool_call import Waiting
from ops_pipelines.core.errors import NotAllowed, OpsError


class Suspended(BaseException):
    """A call waits for a person. It is no Exception, so that no program and no step takes it for a failure."""

    def __init__(self, call: str, tool: str, arguments: Mapping[str, Any], waiting: Waiting) -> None:
        self.call, self.tool, self.arguments, self.waiting = call, tool, arguments, waiting
        super().__init__(f"{tool} waits for the approval {waiting.approval}")

    def to_json(self) -> dict[str, Any]:
        """What is noted of it."""
        told = {"approval": self.waiting.approval, "reason": self.waiting.reason}
        return {"call": self.call, "tool": self.tool, "arguments": dict(self.arguments), **told}


class Halt(BaseException):
    """Ends a run with an error in the middle of an act, where an Exception would become a failed step."""

    def __init__(self, error: OpsError) -> None:
        self.error = error
        super().__init__(str(error))


class RunControl:
    """The control of a run; `waits` are the calls for which a run that is replayed waited, by their names.

    `is_where_it_was` says of a run that goes on whether its program has come again to all that is recorded.
    """

    def __init__(
        self,
        *,
        is_fork: bool = False,
        waits: Mapping[str, Waiting] | None = None,
        is_where_it_was: Callable[[], bool] = lambda: True,
    ) -> None:
        self.is_fork, self.waits, self._is_where_it_was = is_fork, waits or {}, is_where_it_was
        self.halted: BaseException | None = None
        self.waiting: list[Suspended] = []
        self._changed = threading.Condition()
        self._turns: dict[str, _Turn] = {}
        self._under_way, self._closed = 0, False

    @contextmanager
    def step(self) -> Iterator[None]:
        """Around what goes outside: every error but a failed step halts the run."""
        self._check()
        try:
            yield
        except (StepFailed, CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            self._halt(error)
            raise

    @contextmanager
    def turn(self, place: str) -> Iterator[str]:
        """The name of a call of a tool at a place, which is the same when the run goes on.

        Calls that ask the very same come one after the other: so of several the first ones are those that are recorded.
        """
        with self._changed:
            turn = self._turns.setdefault(place, _Turn())
        with turn.lock:
            with self._changed:
                self._check()
                self._under_way += 1
            try:
                turn.taken += 1
                yield f"{place}/{turn.taken}"
            finally:
                with self._changed:
                    self._under_way -= 1
                    self._changed.notify_all()

    def check_may_act(self) -> None:
        """Before a new effect: a program that leaves its recording has lost its way, and might do again what it did."""
        if not _in_a_loop() and not self._is_where_it_was():
            raise Halt(
                NotAllowed(
                    "The program of the run goes on without having come to all that it has done before",
                    expected="the program that was recorded, going outside by its session only",
                    action="Look at the run with `ops agent show`; fork it to go on with another program",
                )
            )

    def close(self) -> None:
        """Let nothing more begin, and wait for the tools that are still under way in other threads."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: not self._under_way)

    def _check(self) -> None:
        if self.halted is not None:
            raise self.halted
        if self._closed:
            raise NotAllowed(
                "The run is over, and one of its threads wants to go on",
                expected="a program that waits for its threads",
                action="Wait for what was begun before you return",
            )

    def _halt(self, error: BaseException) -> None:
        with self._changed:
            self.halted = self.halted or (error.error if isinstance(error, Halt) else error)
            if isinstance(error, Suspended) and error not in self.waiting:
                self.waiting.append(error)


def _in_a_loop() -> bool:
    """Whether other tasks of this thread cannot go on while this one waits."""
    with suppress(RuntimeError):
        return bool(get_running_loop())
    return False


class _Turn:
    """Whose turn it is at a place, and how many had theirs."""

    def __init__(self) -> None:
        self.lock, self.taken = threading.Lock(), 0
