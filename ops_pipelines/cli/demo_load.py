"""The demo's rollback under live load: a server with two workers, callers that never stop, and what they were answered."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.testing.callers import Calls, Reply

WORKERS, CALLERS, ROWS = 2, 8, 200
SECONDS_AT_MOST, AFTERWARDS = 90.0, 1.0
"""For how long the callers go on if nobody stops them, and for how long after the last answer of the old release."""
_LOOK = 0.002


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """What the callers were answered while the pointer moved.

    `seconds` is from the pointer's move to the last answer of the release that it left, over all workers. `mixed` are
    answers whose parts name different releases.
    """

    requests: int
    failed: int
    mixed: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"every answer of {WORKERS} workers came from it {self.seconds:.2f} s after the pointer's move; "
            f"{self.requests:,} requests under way, {self.failed} failed, {self.mixed} mixed two releases"
        )


def under_load(platform: "Platform", system: str, week: str, move: Callable[[], Any]) -> UnderLoad:
    """Serves a system's live release, asks it about a week's rows by many callers, moves the pointer, and reads answers.

    ServerError where the server does not start.
    """
    from ops_pipelines.testing.callers import calling
    from ops_pipelines.testing.servers import free_port, running
    from ops_pipelines.testing.serving import serve_words

    port, before = free_port(), len(platform.releases.history(system, "production"))
    words = serve_words(system, "--port", str(port), "--workers", str(WORKERS), "--no-features")
    requests = _requests(platform, system, week)
    with (
        running(words, port, "/v2/health/ready"),
        calling(port, requests, callers=CALLERS, seconds=SECONDS_AT_MOST) as calls,
    ):
        _wait_for(calls, lambda replies: len(replies) >= 10 * CALLERS)
        moved = _Moved(platform, system, before)
        move()
        at = moved.instant()
        new = platform.live("production", system) or ""
        _wait_for(calls, lambda replies: any(reply.release == new for reply in replies))
        time.sleep(AFTERWARDS)
    return _read(calls, at, new)


class _Moved:
    """Notes when a pointer's history grows: the instant of a decision is before its checks, and this is after them."""

    def __init__(self, platform: "Platform", system: str, before: int) -> None:
        self._at: float | None = None
        self._thread = threading.Thread(target=self._watch, args=(platform, system, before), daemon=True)
        self._thread.start()

    def instant(self) -> float:
        """The monotonic instant; now, where it was not seen to grow."""
        self._thread.join(timeout=5)
        return self._at if self._at is not None else time.monotonic()

    def _watch(self, platform: "Platform", system: str, before: int) -> None:
        give_up = time.monotonic() + SECONDS_AT_MOST
        while time.monotonic() < give_up:
            if len(platform.releases.history(system, "production")) > before:
                self._at = time.monotonic()
                return
            time.sleep(_LOOK)


def _wait_for(calls: "Calls", holds: Callable[["list[Reply]"], bool]) -> None:
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up and not holds(calls.replies()):
        time.sleep(0.05)


def _requests(platform: "Platform", system: str, week: str) -> Sequence[bytes]:
    """A request for each of a week's first rows, as the release that scored them saw them."""
    from msgspec import json

    from ops_pipelines.adapters.served_release import load_served
    from ops_pipelines.core.release import find_release
    from ops_pipelines.testing.load import post

    live = load_served(
        platform.objects, find_release(platform.releases, system, platform.live("production", system) or "")
    )
    rows = platform.lake.read(f"{system}/predictions", week).slice(0, ROWS)
    asked = [*live.signature.columns]
    bodies = []
    for row in rows.to_pylist():
        inputs = [_tensor(column.name, column.kind, row[column.name]) for column in asked]
        inputs += [_tensor(live.entity, "string", row[live.entity])] if live.entity else []
        bodies.append(json.encode({"inputs": inputs, "parameters": {"allow_missing": True}}))
    return [post(f"/v2/models/{system}/infer", body) for body in bodies]


def _tensor(name: str, kind: str, value: Any) -> dict[str, Any]:
    datatype = {"string": "BYTES", "bool": "BOOL"}.get(kind, "FP64")
    return {"name": name, "shape": [1], "datatype": datatype, "data": [value]}


def _read(calls: "Calls", moved: float, new: str) -> UnderLoad:
    replies = calls.replies()
    old = [reply.came for reply in replies if reply.status == 200 and reply.release != new]
    return UnderLoad(
        requests=len(replies) + len(calls.lost),
        failed=sum(reply.status != 200 for reply in replies) + len(calls.lost),
        mixed=sum(reply.status == 200 and not reply.is_whole for reply in replies),
        seconds=max(0.0, max(old, default=moved) - moved),
    )
