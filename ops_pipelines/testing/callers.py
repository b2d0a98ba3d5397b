"""Many callers of one server that never give up: what each was answered, when, by which release and which worker.

    with calling(port, [post(path, body)], callers=50, seconds=30) as calls:
        promote_another()
    assert calls.lost == [] and all(reply.is_whole for reply in calls.replies())

A connection that the server closes under way is a lost request, and its caller connects anew. It ends by itself.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec import DecodeError, json

from ops_pipelines.testing.load import Answered, send
from ops_pipelines.testing.servers import ServerError

_MOMENT, _WORKER = 11, 10
"""How many digits of a prediction id tell its instant, and how many after them the process that made it."""
_AGAIN_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, its instants by the monotonic clock in seconds; `error` is what a refusal says.

    `release` is the whole digest that the answer names, `versions` the first digits in every other part of it.
    """

    asked: float
    came: float
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
        return self.came - self.asked

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts name one release."""
        return bool(self.release) and len(self.versions) == 1 and self.release.startswith(next(iter(self.versions)))

    @property
    def worker(self) -> str:
        """The process that answered, as its prediction ids tell; empty for a refusal."""
        made = self.ids[0].split("/")[2] if self.ids else ""
        return made[_MOMENT : _MOMENT + _WORKER]


def reply_of(answer: Answered) -> Reply:
    """What an answer of either door says; of one whose body is no JSON, `error` is the beginning."""
    try:
        told = json.decode(answer.body)
    except DecodeError:
        return Reply(answer.asked, answer.came, answer.status, error=answer.body[:200].decode(errors="replace"))
    if answer.status != 200:
        return Reply(answer.asked, answer.came, answer.status, error=str(told.get("error", "")))
    release, logged, versions, ids, scores = _parts_of(told)
    named = frozenset([*versions, *(made.rpartition("/")[2] for made in ids)])
    return Reply(answer.asked, answer.came, answer.status, release, named, tuple(ids), tuple(scores), logged)


def _parts_of(told: Mapping[str, Any]) -> tuple[str, str, list[str], list[str], list[float]]:
    """Release, what became of the log, versions beside the ids', ids and scores."""
    if "predictions" in told:
        rows = told["predictions"]
        return told["release"], told["logged"], [], [row["id"] for row in rows], [row["score"] for row in rows]
    outputs = {output["name"]: output["data"] for output in told["outputs"]}
    beside = told["parameters"]
    return beside["release"], beside["logged"], [told["model_version"]], outputs["prediction_id"], outputs["score"]


class Calls:
    """Callers that go on until they are stopped. `answers` and `lost` grow meanwhile and may be read at any time."""

    def __init__(self, port: int, requests: Sequence[bytes], *, callers: int, seconds: float) -> None:
        self.answers: list[Answered] = []
        self.lost: list[float] = []
        """The monotonic instants at which a request was lost with its connection, or nobody listened."""
        self._port, self._requests, self._callers = port, requests, callers
        self._until = time.monotonic() + seconds
        self._stopped = False

    def run(self) -> None:
        """Calls until the end, in this thread."""
        asyncio.run(self._all())

    def stop(self) -> None:
        """Lets each caller take in its last answer, and no more."""
        self._stopped = True

    def replies(self) -> list[Reply]:
        """What was answered so far, in the order in which the answers came."""
        return [reply_of(answer) for answer in self.answers.copy()]

    async def _all(self) -> None:
        await asyncio.gather(*(self._one() for _ in range(self._callers)))

    async def _one(self) -> None:
        while self._goes_on():
            try:
                await send(self._port, self._requests, self.answers.append, clients=1, goes_on=self._goes_on)
            except (ServerError, OSError):
                self.lost.append(time.monotonic())
                await asyncio.sleep(_AGAIN_SECONDS)

    def _goes_on(self) -> bool:
        return not self._stopped and time.monotonic() < self._until


@contextmanager
def calling(port: int, requests: Sequence[bytes], *, callers: int = 50, seconds: float = 60.0) -> Iterator[Calls]:
    """Calls to a port of this machine that go on in a thread beside the block, and have ended after it."""
    calls = Calls(port, requests, callers=callers, seconds=seconds)
    thread = threading.Thread(target=calls.run, name="callers", daemon=True)
    thread.start()
    try:
        yield calls
    finally:
        calls.stop()
        thread.join()
