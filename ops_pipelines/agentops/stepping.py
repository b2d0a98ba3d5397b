"""A recorded run one step at a time: the program waits after each step until the next one is asked for.

So a breakpoint or a look at the program's own state falls between two steps of a run that failed. Whoever stops asking
ends the program: it sees an exception that no `except Exception` holds.
"""

import queue
import threading
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from ops_pipelines.agentops.replay import UNREDACTED, Program, replay_into
from ops_pipelines.agentops.run_log import Entry, Recording, Step, Tally
from ops_pipelines.agentops.step_writer import Writer

_MORE_THAN_ANY_THREADS = 10_000


class _Stopped(BaseException):
    """Nobody asks for further steps."""


class _Turns:
    """Hands steps from the program's threads to whoever asks, and lets one go on each time."""

    def __init__(self) -> None:
        self.handed: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._go, self._is_over = threading.Semaphore(0), False

    def keep(self, entries: Sequence[Entry]) -> Tally:
        if not self._is_over:
            self.handed.put(("step", entries[0].step))
            self._go.acquire()
        if self._is_over:
            raise _Stopped
        return Tally(len(entries))

    def next(self) -> tuple[str, Any]:
        return self.handed.get()

    def go_on(self) -> None:
        self._go.release()

    def end(self) -> None:
        self._is_over = True
        self._go.release(_MORE_THAN_ANY_THREADS)


def stepped(recording: Recording, program: Program, *, writer: Writer | None = None) -> Generator[Step, None, Any]:
    """The steps of a replay, each yielded when the program has taken it; what the program returned is the generator's.

    Errors as `replay`, raised where the step would have been.
    """
    turns = _Turns()
    writing = replace(writer or UNREDACTED, keep=turns.keep)
    thread = threading.Thread(target=_run, args=(turns, writing, recording, program), daemon=True)
    thread.start()
    try:
        while (found := turns.next())[0] == "step":
            yield found[1]
            turns.go_on()
    finally:
        turns.end()
        thread.join()
    if found[0] == "raised":
        raise found[1]
    return found[1]


def _run(turns: _Turns, writer: Writer, recording: Recording, program: Program) -> None:
    try:
        turns.handed.put(("returned", replay_into(writer, recording, program)))
    except BaseException as error:  # it is raised again by whoever asks for the next step
        turns.handed.put(("raised", error))
