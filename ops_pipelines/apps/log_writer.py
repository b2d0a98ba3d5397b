"""Answers on their way from requests to the log: queued in memory for a moment, written by a thread of its own.

A request never waits for a disk. What is queued may be lost when the process is killed, so it is bounded twice: by how
many answers wait, and by how long the oldest of them has waited. Beyond either bound an answer is not taken, and whoever
offered it knows that. One that has to survive anything is waited for until it is on the disk; several of them share one
commit.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.prediction_log import Answer, PredictionLog

RETRY_SECONDS = 0.2
"""How long a failing log is left alone before the next try."""


class Batch(Protocol):
    """The answers of one request, made into rows when the log's thread asks for them."""

    def __len__(self) -> int: ...

    def answers(self) -> Sequence[Answer]: ...


@dataclass(frozen=True, slots=True)
class LogState:
    """How a writer fares: answers that wait, the age of the oldest, how many were written and not taken, and what fails."""

    pending: int
    oldest_seconds: float
    written: int
    refused: int
    failing: str | None


@dataclass(frozen=True, slots=True)
class _Entry:
    batch: Batch
    at: float
    waiter: "asyncio.Future[None] | None" = None


class LogWriter:
    """The queue before one log, of one process and one event loop.

    `most_pending` answers may wait, and none longer than `most_age_seconds` before further ones are refused.
    """

    def __init__(
        self,
        log: PredictionLog,
        *,
        most_pending: int,
        most_age_seconds: float = 0.5,
        flush_every_seconds: float = 0.05,
    ) -> None:
        self.most_pending = most_pending
        self._log, self._most_age, self._flush_every = log, most_age_seconds, flush_every_seconds
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._queue: deque[_Entry] = deque()
        self._writing: Sequence[_Entry] = ()
        self._pending = self._written = self._refused = 0
        self._failing: str | None = None
        self._ending = False
        self._for_room: list[asyncio.Future[None]] = []
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def start(self) -> None:
        """Starts the thread that writes."""
        self._thread.start()

    def stop(self, *, timeout_seconds: float) -> int:
        """Writes what waits and ends the thread; how many answers could not be written in that time."""
        with self._lock:
            self._ending = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        return self._pending

    def offer(self, batch: Batch) -> bool:
        """Whether some answers were taken, all or none; False where the bounds would not hold any more."""
        rows, now = len(batch), time.monotonic()
        with self._lock:
            if not self._has_room(rows, now):
                self._refused += rows
                return False
            self._queue.append(_Entry(batch, now))
            self._pending += rows
            is_half_full = 2 * self._pending >= self.most_pending
        if is_half_full:
            self._wake.set()
        return True

    async def room(self, timeout_seconds: float) -> bool:
        """Waits until an answer would be taken; False after that time, and at once where the log is failing."""
        give_up = time.monotonic() + timeout_seconds
        while True:
            with self._lock:
                if self._has_room(1, time.monotonic()):
                    return True
                if self._failing or self._ending:
                    return False
                written = asyncio.get_running_loop().create_future()
                self._for_room.append(written)
            self._wake.set()
            try:
                async with asyncio.timeout(give_up - time.monotonic()):
                    await written
            except TimeoutError:
                return False

    async def durably(self, batch: Batch) -> None:
        """Returns when some answers are on the disk; DataError where they cannot be, and then none of them is kept."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._ending:
                raise _not_kept("the server is ending")
            self._queue.append(_Entry(batch, time.monotonic(), waiter))
        self._wake.set()
        await waiter

    def state(self) -> LogState:
        """How the writer fares now."""
        with self._lock:
            oldest = self._oldest()
            age = 0.0 if oldest is None else time.monotonic() - oldest
            return LogState(self._pending, age, self._written, self._refused, self._failing)

    def _has_room(self, rows: int, now: float) -> bool:
        oldest = self._oldest()
        fresh = oldest is None or now - oldest <= self._most_age
        return fresh and not self._ending and self._pending + rows <= self.most_pending

    def _oldest(self) -> float | None:
        """When the answer that has waited longest was taken: one that is being written is not in the log yet."""
        first = self._writing[0] if self._writing else self._queue[0] if self._queue else None
        return first.at if first else None

    def _run(self) -> None:
        while True:
            self._wake.wait(0 if self._ending else self._flush_every)
            self._wake.clear()
            with self._lock:
                taken = self._writing = tuple(self._queue)
                self._queue.clear()
                if self._ending and not taken:
                    return
            if taken:
                self._write(taken)
            if self._failing:
                time.sleep(RETRY_SECONDS)

    def _write(self, taken: Sequence[_Entry]) -> None:
        """Writes some entries in one commit, and puts back those that nobody waits for where that fails."""
        waiters = [entry.waiter for entry in taken if entry.waiter]
        try:
            answers = [answer for entry in taken for answer in entry.batch.answers()]
            self._log.keep(answers, durable=bool(waiters))
        except Exception as error:  # whatever a log raises, this thread has to go on and say so
            why = str(error) or type(error).__name__
            self._put_back([entry for entry in taken if entry.waiter is None], why)
            _settle(waiters, _not_kept(why))
        else:
            self._put_away(sum(len(entry.batch) for entry in taken if entry.waiter is None), len(answers))
            _settle(waiters, None)

    def _put_away(self, freed: int, written: int) -> None:
        with self._lock:
            self._writing, self._failing = (), None
            self._pending -= freed
            self._written += written
            waiting, self._for_room = self._for_room, []
        _settle(waiting, None)

    def _put_back(self, entries: Sequence[_Entry], why: str) -> None:
        with self._lock:
            self._queue.extendleft(reversed(entries))
            self._writing, self._failing = (), why
            waiting, self._for_room = self._for_room, []
        _settle(waiting, None)


def _settle(waiters: "Sequence[asyncio.Future[None]]", error: Exception | None) -> None:
    """Lets coroutines of the event loop go on, from the log's thread; one that was cancelled is left alone."""

    def settle(waiter: "asyncio.Future[None]") -> None:
        if waiter.done():
            return
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)

    for waiter in waiters:
        try:
            waiter.get_loop().call_soon_threadsafe(settle, waiter)
        except RuntimeError:  # the loop has ended, and with it whoever waited
            continue


def _not_kept(why: str) -> DataError:
    return DataError(
        f"The answer could not be put on the disk: {why}",
        expected="a prediction log that can be written",
        action="Ask again; nothing was kept of this answer",
        unavailable=True,
    )
