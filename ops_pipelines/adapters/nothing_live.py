"""A while in which nothing outside is reached: sockets and processes are refused to the whole interpreter.

Python reports each of these acts to its audit hooks before it does it, whichever module asks. It is a net under a replay,
and no wall: code in C that opens a socket by itself reports nothing.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ops_pipelines.core.errors import NotAllowed

_DENIED = frozenset(
    {
        "socket.connect",
        "socket.bind",
        "socket.sendto",
        "socket.sendmsg",
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "pty.spawn",
        "urllib.Request",
    }
)


class WentLive(NotAllowed):
    """Something reached for the outside while nothing may."""


class _Hook:
    """The one audit hook of this process: Python lets none be taken back, so it is switched."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_installed, self.holders = False, 0

    def hold(self, by: int) -> None:
        with self._lock:
            if not self._is_installed:
                sys.addaudithook(self._heard)
                self._is_installed = True
            self.holders += by

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:  # noqa: ARG002  (the shape of a hook)
        if self.holders and event in _DENIED:
            raise WentLive(
                f"{event} was refused: nothing outside may be reached now",
                expected="a program that goes outside by its scope only",
                action="Let the act of a model or tool call do this, so that its answer is recorded",
                event=event,
            )


_HOOK = _Hook()


@contextmanager
def nothing_live() -> Iterator[None]:
    """Refuses connections, name look-ups and new processes, with WentLive, to all threads of this process until it ends."""
    _HOOK.hold(1)
    try:
        yield
    finally:
        _HOOK.hold(-1)
