"""How connections end with their server: each after an answer, and none under a request that is on its way.

uvicorn ends by closing every connection on which no request has arrived yet, and by dropping callers that are not let in
yet. Callers that ask without a pause lose one request each by that: it was sent while the connection was closed. Here
every answer says from the signal on that it is its connection's last, and the end comes a moment later.
"""

import asyncio
import signal
from types import FrameType

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LET_IN_SECONDS = 0.5
"""For how long after the signal callers are let in. An event loop lets in one in each of its turns, which are short once
the busy connections have ended."""
LINGER_SECONDS = 0.5
"""For how long after that a connection without a request is still listened to."""


class LingeringConnection(HttpToolsProtocol):
    """uvicorn's connection, which ends with an answer where its caller still asks for one."""

    is_ending = False
    """Whether this process was told to end."""

    def shutdown(self) -> None:
        """Ends this connection: after the request under way, after the next one, or after a moment without any."""
        if self._is_idle():
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.is_ending:
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()


def end_gently() -> None:
    """Puts the server's end off by a moment after its signal, in which connections end one by one.

    Called in its event loop, once uvicorn has said what signals do.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        _put_off(number, asyncio.get_running_loop())


def _put_off(number: signal.Signals, loop: asyncio.AbstractEventLoop) -> None:
    ends = signal.getsignal(number)
    assert callable(ends)

    def later(number: int, frame: FrameType | None) -> None:
        LingeringConnection.is_ending = True
        loop.call_soon_threadsafe(loop.call_later, LET_IN_SECONDS, ends, number, frame)

    signal.signal(number, later)
