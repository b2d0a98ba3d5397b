"""Answers on their way from requests to the log: queued in memory for a moment, written by a thread of its own.

A request never waits for a disk. What is queued may be lost when the process is killed, so it is bounded twice: by how
many answers wait, and by how long the oldest of them has waited. Beyond either bound an answer is not taken, and whoever
offered it knows that. One that has to survive anything is waited for until it is on the disk; several of them share one
commit.

A log that cannot be written is tried again until it can. An answer that no log could keep is left out and counted: it is
found by writing half as many at once, until it is alone, so that it takes no other with it.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ops_pipelines.core.errors import DataError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import Answer, PredictionLog

RETRY_SECONDS = 0.2
"""How long a failing log is left alone before the next try."""
_MOST_AT_ONCE = 4_096
"""The most requests whose answers are written in one commit."""


class Batch(Protocol):
    """The answers of one request, made into rows when the log's thread asks for them."""

    def __len__(self) -> int: ...

    def answers(self) -> Sequence[Answer]: ...


@dataclass(frozen=True, slots=True)
class LogState:
    """How a writer fares: answers that wait, the age of the oldest, how many were written and not taken, and what fails.

    `left_out` were taken and can be kept in no log; `fault` is what was wrong with the last of them.
    """

    pending: int
    oldest_seconds: float
    written: int
    refused: int
    failing: str | None
    left_out: int = 0
    fault: str | None = None


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
        self._pending = self._written = self._refused = self._left_out = 0
        self._failing: str | None = None
        self._fault: str | None = None
        self._at_once = _MOST_AT_ONCE
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

    async def room(self, rows: int, timeout_seconds: float) -> bool:
        """Waits until so many answers would be taken; False after that time, and at once where the log is failing."""
        give_up = time.monotonic() + timeout_seconds
        while True:
            with self._lock:
                if self._has_room(rows, time.monotonic()):
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
            counts = (self._written, self._refused, self._failing, self._left_out, self._fault)
            return LogState(self._pending, age, *counts)

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
            self._wake.wait(0 if self._ending or self._is_looking() else self._flush_every)
            self._wake.clear()
            with self._lock:
                many = min(self._at_once, len(self._queue))
                taken = self._writing = tuple(self._queue.popleft() for _ in range(many))
                if self._ending and not taken:
                    return
            if taken:
                self._write(taken)
            if self._failing:
                time.sleep(RETRY_SECONDS)

    def _is_looking(self) -> bool:
        """Whether it is being found out which of the waiting answers cannot be kept."""
        return self._at_once < _MOST_AT_ONCE and bool(self._queue)

    def _write(self, taken: Sequence[_Entry]) -> None:
        """Writes some entries in one commit; where that fails, it is the log's fault or that of one of them."""
        try:
            answers = [answer for entry in taken for answer in entry.batch.answers()]
            self._log.keep(answers, durable=any(entry.waiter for entry in taken))
        except Exception as error:  # whatever an answer or a log raises, this thread has to go on and say so
            why = str(error) or type(error).__name__
            if isinstance(error, DataError) and not isinstance(error, SchemaMismatch):
                self._wait_for_log(taken, why)
            elif len(taken) > 1:
                self._take_fewer(taken)
            else:
                self._leave_out(taken[0], why)
        else:
            self._at_once = min(2 * self._at_once, _MOST_AT_ONCE)
            self._put_away(taken, written=len(answers))
            _settle(_waiters(taken), None)

    def _wait_for_log(self, taken: Sequence[_Entry], why: str) -> None:
        """Puts back what may wait; who waits for the disk is told now."""
        self._put_back([entry for entry in taken if entry.waiter is None], failing=why)
        _settle(_waiters(taken), _not_kept(why))

    def _take_fewer(self, taken: Sequence[_Entry]) -> None:
        """Puts all back, to find out whose fault it was."""
        self._at_once = len(taken) // 2
        self._put_back(taken, failing=None)

    def _leave_out(self, entry: _Entry, why: str) -> None:
        with self._lock:
            self._left_out += len(entry.batch) if entry.waiter is None else 0
            self._fault = why
        self._put_away([entry], written=0)
        _settle(_waiters([entry]), _cannot_be_kept(why))

    def _put_away(self, entries: Sequence[_Entry], *, written: int) -> None:
        with self._lock:
            self._writing, self._failing = (), None
            self._pending -= sum(len(entry.batch) for entry in entries if entry.waiter is None)
            self._written += written
            waiting, self._for_room = self._for_room, []
        _settle(waiting, None)

    def _put_back(self, entries: Sequence[_Entry], *, failing: str | None) -> None:
        with self._lock:
            self._queue.extendleft(reversed(entries))
            self._writing, self._failing = (), failing
            waiting, self._for_room = self._for_room, []
        _settle(waiting, None)


def _waiters(entries: Sequence[_Entry]) -> "list[asyncio.Future[None]]":
    return [entry.waiter for entry in entries if entry.waiter]


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


def _cannot_be_kept(why: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The answer can be kept in no log: {why}",
        expected="an answer of numbers, texts, booleans and nulls",
        action="Correct the request; nothing was kept of this answer",
    )
