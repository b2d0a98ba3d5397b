"""How many calls are under way at once, of one client and of all. What is above that waits, not for ever, or is refused.

A call that is refused here was judged by no gate and is written down nowhere: to record a flood is what a flood would cost.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass

from ops_pipelines.agentops.tool_call import Denied
from ops_pipelines.core.errors import check_settings

ADMIT = "admit"
"""The stage of a denial that comes from the door itself, before any gate."""
READS, APART, REFUSED = "reads", "apart", "refused"
UNNAMED = (READS, APART, REFUSED)
"""What a client may do over HTTP that nothing tells from another: read, each time in a run of its own; all, so; nothing."""


@dataclass(frozen=True, slots=True)
class DoorRule:
    """How many are let in at once.

    `at_once` calls are under way, `each_at_once` of them of one client; `waiting` more wait, `each_waiting` of them of one
    client, and each for no longer than `wait_seconds`. Over HTTP `sessions` are open, each until nothing was heard of it
    for `session_idle_seconds`. `unnamed` is one of UNNAMED.
    """

    at_once: int = 64
    each_at_once: int = 16
    waiting: int = 256
    each_waiting: int = 64
    wait_seconds: float = 10.0
    sessions: int = 256
    session_idle_seconds: float = 1800.0
    unnamed: str = READS

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("at_once", "each_at_once", "sessions")}
        queues = {name: getattr(self, name) for name in ("waiting", "each_waiting")}
        spans = {name: getattr(self, name) for name in ("wait_seconds", "session_idle_seconds")}
        check_settings(
            self,
            "door",
            **{name: (value >= 1, "at least 1") for name, value in counts.items()},
            **{name: (value >= 0, "at least 0") for name, value in queues.items()},
            **{name: (0 < value < float("inf"), "more than 0 seconds") for name, value in spans.items()},
            unnamed=(self.unnamed in UNNAMED, f"one of {', '.join(UNNAMED)}"),
        )


class Admission:
    """Who is let in, in the order in which they came; all in one event loop."""

    def __init__(self, rule: DoorRule) -> None:
        self._rule = rule
        self._under_way: Counter[str] = Counter()
        self._queued: Counter[str] = Counter()
        self._queue: dict[asyncio.Future[bool], str] = {}
        self._all = 0

    async def enter(self, client: str) -> Denied | None:
        """Take a place for a call of a client, which `leave` gives back; a denial where there is none in time."""
        if self._has_room(client):
            self._take(client)
            return None
        if len(self._queue) >= self._rule.waiting or self._queued[client] >= self._rule.each_waiting:
            return self._refused(client, "as many wait already as may")
        return None if await self._turn(client) else self._refused(client, f"none ended in {self._rule.wait_seconds} s")

    def leave(self, client: str) -> None:
        """Give a place back, to the first of those who wait that may have it."""
        self._all -= 1
        _take_away(self._under_way, client)
        for turn, waits in self._queue.items():
            if not turn.done() and self._has_room(waits):
                self._take(waits)
                turn.set_result(True)
                return

    def _has_room(self, client: str) -> bool:
        return self._all < self._rule.at_once and self._under_way[client] < self._rule.each_at_once

    def _take(self, client: str) -> None:
        self._all += 1
        self._under_way[client] += 1

    async def _turn(self, client: str) -> bool:
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._queue[turn] = client
        self._queued[client] += 1
        too_late = loop.call_later(self._rule.wait_seconds, lambda: turn.done() or turn.set_result(False))
        try:
            return await turn
        except asyncio.CancelledError:  # whoever asked has gone, it may be with a place in hand
            if turn.done() and not turn.cancelled() and turn.result():
                self.leave(client)
            raise
        finally:
            too_late.cancel()
            del self._queue[turn]
            _take_away(self._queued, client)

    def _refused(self, client: str, why: str) -> Denied:
        here, queued = self._under_way[client], self._queued[client]
        return Denied(
            ADMIT,
            f"{here} calls of this client are under way and {queued} wait, {self._all} and {len(self._queue)} of all: {why}",
            "Nothing was done. Make the same call again after a while, and fewer at once",
            can_retry=True,
            facts={"under_way": here, "waiting": queued, "wait_seconds": self._rule.wait_seconds},
        )


def _take_away(counter: "Counter[str]", client: str) -> None:
    counter[client] -= 1
    if counter[client] <= 0:
        del counter[client]
