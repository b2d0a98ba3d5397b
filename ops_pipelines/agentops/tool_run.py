"""A tool that is run with a limit on its time and on what it returns.

A thread cannot be stopped: a tool that hangs goes on in the background, is waited for no longer, and its late answer is
handed to `late`.
"""

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any

from ops_pipelines.core.fingerprint import canonical_json, digest_bytes

_HEAD = 2_000
"""So many characters of a result that is too long are kept."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What a tool came to: a result as canonical JSON, or an error; `in_time` False where it is still running."""

    text: str = ""
    truncated: bool = False
    error: BaseException | None = None
    in_time: bool = True


def run_tool(work: Callable[[], Any], *, seconds: float, most_bytes: int, late: Callable[[Ran], None]) -> Ran:
    """What a tool comes to within some seconds. `late` is told, in the tool's thread, what came after that."""
    lock, answered, context = threading.Lock(), threading.Lock(), contextvars.copy_context()
    ran, is_given_up = Ran(in_time=False), False
    answered.acquire()

    def body() -> None:
        nonlocal ran
        found = came_to(lambda: context.run(work), most_bytes)
        with lock:
            ran, is_late = found, is_given_up
        answered.release()
        if is_late:
            late(found)

    hand_over(body)
    answered.acquire(timeout=seconds)
    with lock:
        is_given_up = not ran.in_time
        return ran


def as_text(result: Any, most_bytes: int) -> tuple[str, bool]:
    """A result as canonical JSON, and whether it was too long and is told by its digest instead."""
    try:
        content = canonical_json(result)
    except (TypeError, ValueError, RecursionError):
        content = canonical_json({"unreadable": type(result).__name__})
    if len(content) <= most_bytes:
        return content.decode(errors="replace"), False
    head = content[:_HEAD].decode(errors="ignore")
    told = {"truncated": True, "bytes": len(content), "sha256": digest_bytes(content), "head": head}
    return canonical_json(told).decode(), True


def came_to(work: Callable[[], Any], most_bytes: int) -> Ran:
    """What some work comes to, however long it takes."""
    try:
        text, truncated = as_text(work(), most_bytes)
        return Ran(text, truncated)
    except BaseException as error:  # a tool that exits has come to this, too
        return Ran(error=error)


_IDLE: "deque[SimpleQueue[Callable[[], None]]]" = deque()
"""The threads that wait for work, each by its inbox: to wake one takes a fifth of the time of a new one."""
os.register_at_fork(after_in_child=_IDLE.clear)  # a child process has none of its parent's threads


def hand_over(body: Callable[[], None]) -> None:
    """Run something in a thread that waits for work, or in a new one; one that hangs is not handed anything else."""
    try:
        inbox = _IDLE.pop()
    except IndexError:
        inbox = SimpleQueue()
        threading.Thread(target=_work_on, args=(inbox,), daemon=True, name="tool").start()
    inbox.put(body)


def _work_on(inbox: "SimpleQueue[Callable[[], None]]") -> None:
    while True:
        inbox.get()()
        _IDLE.append(inbox)
