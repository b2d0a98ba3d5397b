"""Between the event loop that serves MCP and the threads in which a gate judges: what is called in one is done in the other.

A gate waits for its stores and for its tool, and so it is called in a thread. The tool itself is a coroutine of the loop;
the thread waits for it. Threads are those of `agentops.tool_run`: one that hangs keeps no other call waiting.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from ops_pipelines.agentops.tool_run import hand_over

_T = TypeVar("_T")
Serve = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Does a tool within the request that asked for it, given what the gate let through."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What goes along from a request to the tool that it calls: the `_meta` of a trace, and for a tool of the same
    server the rest of the request.
    """

    meta: Mapping[str, Any]
    serve: Serve | None = None


_CARRIED: ContextVar[Carried] = ContextVar("carried", default=Carried({}))


def carry(carried: Carried) -> None:
    """Let what is called from here on, in this context, know what goes along."""
    _CARRIED.set(carried)


@dataclass(frozen=True, slots=True)
class OnLoop:
    """A tool's function for a gate, done by a coroutine in a loop. After so many seconds it is waited for no longer."""

    loop: asyncio.AbstractEventLoop
    work: Callable[[Mapping[str, Any], Carried], Awaitable[Any]]
    seconds: float

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """What the coroutine returns or raises; TimeoutError after the time."""
        waiting = asyncio.run_coroutine_threadsafe(self._done(arguments, _CARRIED.get()), self.loop)
        try:
            return waiting.result(self.seconds)
        except TimeoutError:
            waiting.cancel()
            raise

    async def _done(self, arguments: Mapping[str, Any], carried: Carried) -> Any:
        return await self.work(arguments, carried)


async def in_thread(work: Callable[[], _T]) -> _T:
    """What some work returns that blocks, done in a thread with this context."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[_T] = loop.create_future()

    def body() -> None:
        try:
            found = context.run(work)
        except BaseException as error:
            loop.call_soon_threadsafe(_settle, done, None, error)
        else:
            loop.call_soon_threadsafe(_settle, done, found, None)

    hand_over(body)
    return await done


def _settle(done: "asyncio.Future[Any]", found: Any, error: BaseException | None) -> None:
    if done.cancelled():  # whoever asked has gone
        return
    if error is None:
        done.set_result(found)
    else:
        done.set_exception(error)
