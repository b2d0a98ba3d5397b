"""Many callers at once, for a server on this machine: what each was answered, when, by which release and which worker.

    with running_load(url, body, clients=50, seconds=30) as load:
        promote_another()
        load.wait_for(lambda reply: reply.release == wanted, seconds=1)
    assert all(reply.status == 200 and reply.is_whole for reply in load.replies)

It only calls loopback, and ends by itself: after its seconds, or after its most requests.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import DecodeError, json

from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    import aiohttp

Body = Callable[[int], bytes]
"""The body of the request of a number, counted from zero over all callers."""

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_MOMENT, _WORKER = 11, 10
"""How many digits of a prediction id tell its instant, and how many after them the process that made it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, or why there was none: then `status` is 0. The instants are the monotonic clock's, in seconds.

    `release` is the whole digest that the answer names, `versions` the first digits in every other part of it.
    """

    sent: float
    received: float
    status: int
    release: str = ""
    versions: frozenset[str] = frozenset()
    ids: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    logged: str = ""
    error: str = ""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.received - self.sent

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts name one release."""
        return bool(self.release) and len(self.versions) == 1 and self.release.startswith(next(iter(self.versions)))

    @property
    def worker(self) -> str:
        """The process that answered, as its prediction ids tell; empty for no answer."""
        made = self.ids[0].split("/")[2] if self.ids else ""
        return made[_MOMENT : _MOMENT + _WORKER]


def read_reply(sent: float, received: float, status: int, content: bytes) -> Reply:
    """The reply in an answer of either door; one whose body is no JSON has its beginning as `error`."""
    try:
        told = json.decode(content)
    except DecodeError:
        return Reply(sent, received, status, error=content[:200].decode(errors="replace"))
    if status != 200:
        return Reply(sent, received, status, error=str(told.get("error", "")))
    release, logged, versions, ids, scores = _parts_of(told)
    named = frozenset([*versions, *(one.rpartition("/")[2] for one in ids)])
    return Reply(sent, received, status, release, named, tuple(ids), tuple(scores), logged)


def _parts_of(told: Mapping[str, Any]) -> tuple[str, str, list[str], list[str], list[float]]:
    """Release, what became of the log, versions beside the ids', ids and scores."""
    if "predictions" in told:
        rows = told["predictions"]
        return told["release"], told["logged"], [], [row["id"] for row in rows], [row["score"] for row in rows]
    outputs = {output["name"]: output["data"] for output in told["outputs"]}
    beside = told["parameters"]
    return beside["release"], beside["logged"], [told["model_version"]], outputs["prediction_id"], outputs["score"]


class Load:
    """Callers that go on until they are stopped; `replies` grows meanwhile and may be read at any time."""

    def __init__(self, url: str, body: Body, *, clients: int, seconds: float, most: int, pause_seconds: float) -> None:
        if urlsplit(url).hostname not in _LOOPBACK:
            raise ConfigError(
                f"{url} is not on this machine",
                expected=f"a host among {', '.join(_LOOPBACK)}",
                action="Load a server of your own, on loopback",
            )
        self.replies: list[Reply] = []
        self._url, self._body, self._clients, self._pause = url, body, clients, pause_seconds
        self._most, self._until = most, time.monotonic() + seconds
        self._count, self._stopped = 0, False

    def run(self) -> None:
        """Calls until the end, in this thread."""
        asyncio.run(self._call_all())

    def stop(self) -> None:
        """Lets each caller take in its last answer, and no more."""
        self._stopped = True

    def wait_for(self, wanted: Callable[[Reply], bool], *, seconds: float) -> Reply | None:
        """The first reply from now on that is wanted; None where none came in time."""
        seen, give_up = len(self.replies), time.monotonic() + seconds
        while time.monotonic() < give_up:
            came = self.replies[seen:]
            if found := next(filter(wanted, came), None):
                return found
            seen += len(came)
            time.sleep(0.002)
        return None

    async def _call_all(self) -> None:
        import aiohttp

        connector = aiohttp.TCPConnector(limit=self._clients)
        patience = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(connector=connector, timeout=patience) as session:
            await asyncio.gather(*(self._call(session) for _ in range(self._clients)))

    async def _call(self, session: "aiohttp.ClientSession") -> None:
        while not self._stopped and self._count < self._most and time.monotonic() < self._until:
            number, self._count = self._count, self._count + 1
            self.replies.append(await self._ask(session, self._body(number)))
            if self._pause:
                await asyncio.sleep(self._pause)

    async def _ask(self, session: "aiohttp.ClientSession", body: bytes) -> Reply:
        import aiohttp

        sent = time.monotonic()
        try:
            async with session.post(self._url, data=body, headers={"Content-Type": "application/json"}) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Reply(sent, time.monotonic(), 0, error=f"{type(error).__name__}: {error}")
        return read_reply(sent, time.monotonic(), answer.status, content)


def send_load(
    url: str, body: Body, *, clients: int = 50, seconds: float = 5.0, most: int = 1_000_000, pause_seconds: float = 0.0
) -> list[Reply]:
    """What some callers were answered, in the order in which the answers came. Each waits for one before the next.

    ConfigError for a URL that is not on loopback.
    """
    load = Load(url, body, clients=clients, seconds=seconds, most=most, pause_seconds=pause_seconds)
    load.run()
    return load.replies


@contextmanager
def running_load(
    url: str, body: Body, *, clients: int = 50, seconds: float = 60.0, most: int = 1_000_000, pause_seconds: float = 0.0
) -> Iterator[Load]:
    """A load that runs in a thread beside the block, and has ended after it."""
    load = Load(url, body, clients=clients, seconds=seconds, most=most, pause_seconds=pause_seconds)
    thread = threading.Thread(target=load.run, name="load", daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join()
