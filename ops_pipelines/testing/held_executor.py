"""An executor that does nothing until it is told to: what is asked for meanwhile can be looked at."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class HeldExecutor(Executor):
    """Work waits in the order in which it came; `release` does it, in the caller's thread."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, work: Callable[..., Any], /, *words: Any, **named: Any) -> "Future[Any]":
        """A future of work that waits."""
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: work(*words, **named)))
        return future

    def release(self) -> int:
        """Does all that waits, and what that asks for; how many pieces of work it was."""
        done = 0
        while self.waiting:
            future, work = self.waiting.popleft()
            try:
                future.set_result(work())
            except BaseException as error:  # as the executors of the standard library do
                future.set_exception(error)
            done += 1
        return done
