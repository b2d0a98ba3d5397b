"""A load of requests whose client costs little: on two cores a dear one would be measured in the server's place.

Each connection stays open and sends its next request when the last one is answered (a closed loop). Requests are whole
bytes made beforehand. Of an answer only its status, its length and its instants are read.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from statistics import quantiles

from ops_pipelines.testing.servers import ServerError


class ConnectionEnded(ServerError):
    """A server that said with an answer that it takes no more on this connection; nothing was lost."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: when it was asked for and when it was there, by the monotonic clock, its status and its body."""

    asked: float
    came: float
    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a load: how long each request took, in seconds, how long all, and how many were not answered by 200."""

    took: Sequence[float]
    seconds: float
    failed: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.took) / self.seconds

    @property
    def p99(self) -> float:
        """The seconds that one request in a hundred takes longer than."""
        return p99(self.took)


def p99(values: Sequence[float]) -> float:
    """The value that one in a hundred is above."""
    return quantiles(values, n=100, method="inclusive")[98]


def post(path: str, body: bytes) -> bytes:
    """A whole request of JSON, as it goes over the wire."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


def load(port: int, requests: Sequence[bytes], *, clients: int, total: int) -> Load:
    """So many requests to a port of this machine, by so many clients; ServerError where the server goes away."""
    took: list[float] = []
    failed = 0

    def note(answer: Answered) -> None:
        nonlocal failed
        took.append(answer.came - answer.asked)
        failed += answer.status != 200

    began = time.monotonic()
    numbers = iter(range(total))
    asyncio.run(send(port, requests, note, clients=clients, goes_on=lambda: next(numbers, None) is not None))
    return Load(took, time.monotonic() - began, failed)


def said(port: int, requests: Sequence[bytes]) -> list[Answered]:
    """The answer to each request in turn, by one client."""
    answers: list[Answered] = []
    asyncio.run(send(port, requests, answers.append, clients=1, goes_on=lambda: len(answers) < len(requests)))
    return answers


async def send(
    port: int, requests: Sequence[bytes], note: Callable[[Answered], None], *, clients: int, goes_on: Callable[[], bool]
) -> None:
    """Sends the requests in turn while `goes_on` says so before each, and tells each answer."""
    turn = count()
    loop = asyncio.get_running_loop()

    def next_one() -> bytes | None:
        return requests[next(turn) % len(requests)] if goes_on() else None

    opened = [await loop.create_connection(lambda: _Client(next_one, note), "127.0.0.1", port) for _ in range(clients)]
    await asyncio.gather(*(client.done for _, client in opened))


class _Client(asyncio.Protocol):
    """One connection: reads an answer, tells it, sends the next request, and ends when there is none."""

    def __init__(self, next_one: Callable[[], bytes | None], note: Callable[[Answered], None]) -> None:
        self._next, self._note = next_one, note
        self._read, self._asked = b"", 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        if found and len(body) >= _length(head):
            answer = Answered(self._asked, time.monotonic(), int(head[9:12]), body)
            self._read = b""
            self._note(answer)
            if b"\r\nconnection: close" in head.lower():
                self.done.set_exception(ConnectionEnded("the server takes no more requests on this connection"))
                self._transport.close()
            else:
                self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(
                ServerError(f"the server closed a connection under way: {error or 'without a word'}")
            )

    def _ask(self) -> None:
        request = self._next()
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._asked = time.monotonic()
        self._transport.write(request)


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise ServerError("the server answered without a Content-Length")
    return int(rest.partition(b"\r\n")[0])
