"""How connections end with their server: each after an answer, and none under a request that is on its way.

uvicorn ends by closing every connection on which no request has arrived yet. Callers that ask without a pause lose one
request each by that: it was sent while the connection was closed. Here a connection takes one more request, whose
answer says that it was the last, and one on which nothing comes is closed a moment later.
"""

import asyncio
import signal
from types import FrameType

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LINGER_SECONDS = 0.5
"""For how long a connection without a request is still listened to."""
LET_IN_SECONDS = 0.1
"""For how long callers that wait to be let in still are, before the server stops to listen."""


class LingeringConnection(HttpToolsProtocol):
    """uvicorn's connection, which ends with an answer where its caller still asks for one."""

    _is_ending = False

    def shutdown(self) -> None:
        """Ends this connection: after the request under way, after the next one, or after a moment without any."""
        self._is_ending = True
        if self._is_idle():
            self.loop.call_later(LINGER_SECONDS, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._is_idle() and not self.transport.is_closing():
            self.transport.close()


def let_in_before_the_end() -> None:
    """Puts the server's end off by a moment, in which it lets in whoever had a connection when the signal came.

    Called in its event loop, once uvicorn has said what signals do.
    """
    loop = asyncio.get_running_loop()

    def put_off(number: signal.Signals) -> None:
        ends = signal.getsignal(number)

        def later(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(loop.call_later, LET_IN_SECONDS, ends, number, frame)

        signal.signal(number, later)

    for number in (signal.SIGTERM, signal.SIGINT):
        put_off(number)
