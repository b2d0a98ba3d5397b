"""A tool that is run with a limit on its time and on what it returns.

A thread cannot be stopped: a tool that hangs goes on in the background, is waited for no longer, and its late answer is
handed to `late`.
"""

import contextvars
import threading
from collections.abc import Callable
from dataclasses import dataclass
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
    lock, ran, given_up = threading.Lock(), [Ran(in_time=False)], threading.Event()
    context = contextvars.copy_context()

    def body() -> None:
        found = _came_to(lambda: context.run(work), most_bytes)
        with lock:
            ran[0] = found
            is_late = given_up.is_set()
        if is_late:
            late(found)

    thread = threading.Thread(target=body, daemon=True, name="tool")
    thread.start()
    thread.join(seconds)
    with lock:
        if not ran[0].in_time:
            given_up.set()
        return ran[0]


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


def _came_to(work: Callable[[], Any], most_bytes: int) -> Ran:
    try:
        text, truncated = as_text(work(), most_bytes)
        return Ran(text, truncated)
    except BaseException as error:  # a tool that exits has come to this, too
        return Ran(error=error)
