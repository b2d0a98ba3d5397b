"""A call through the gate for tools that are coroutines: the loop goes on while a tool is under way.

What has to be on the disk before an effect is judged in a thread, since a commit takes milliseconds. For what only reads,
the loop waits for the gate itself: to change threads would take longer than that.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from ops_pipelines.agentops.call_under_way import Begun
from ops_pipelines.agentops.current_call import on_behalf_of
from ops_pipelines.agentops.gate_parts import Parts
from ops_pipelines.agentops.tool_call import Answer
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.agentops.tool_run import Ran, came_to, hand_over

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Cancellable:
    """A tool's coroutine function that ends at once when it is cancelled, as one that waits for a socket does."""

    work: Callable[[Mapping[str, Any]], Awaitable[Any]]

    def __call__(self, arguments: Mapping[str, Any]) -> Awaitable[Any]:
        """What it returns."""
        return self.work(arguments)


async def call_async(gate: Gate, tool: str, arguments: Any, *, call_id: str = "", approval: str = "") -> Answer:
    """What comes of a call whose function is a coroutine function; see `Gate.call`.

    Let nobody cancel it (`to_its_end`): an effect that was begun and not ended counts as unknown.
    """
    apart = has_effect(gate.parts, tool)
    begin = partial(gate.begin, tool, arguments, call_id=call_id, approval=approval)
    begun = await in_thread(begin) if apart else begin()
    if not isinstance(begun, Begun):
        return begun
    end = partial(gate.end, begun, await _ran(begun, gate.parts.limits.tool_seconds, gate.parts.limits.result_bytes))
    try:
        return await in_thread(end) if apart else end()
    except RuntimeError:  # no thread can be had, and what was done has to be written down all the same
        return end()


def has_effect(parts: Parts, tool: str) -> bool:
    """Whether a call of a tool changes something, if only what is left of a budget."""
    known = parts.registry.get(tool)
    return known is not None and (known.has_effect or tool in parts.prices)


async def _ran(begun: Begun, seconds: float, most_bytes: int) -> Ran:
    """What the tool came to. One that has not answered has as long again, for its late answer, and is then cancelled."""
    if isinstance(begun.function, Cancellable) and not begun.tool.has_effect:
        return await _cut_off(begun, seconds, most_bytes)
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(_work(begun))
    over = loop.create_future()
    task.add_done_callback(lambda _: _settle(over, None, None))
    given_up = loop.call_later(seconds, _settle, over, None, None)
    try:
        await over
    except asyncio.CancelledError:
        task.cancel()
        raise
    finally:
        given_up.cancel()
    if task.done():
        return came_to(task.result, most_bytes)
    task.add_done_callback(lambda done: hand_over(lambda: begun.late(came_to(done.result, most_bytes))))
    loop.call_later(seconds, task.cancel)
    return Ran(in_time=False)


async def _cut_off(begun: Begun, seconds: float, most_bytes: int) -> Ran:
    """The same without a task of its own, for what ends at once when it is cancelled and has nothing to tell later."""
    try:
        async with asyncio.timeout(seconds) as limit:
            found = await _work(begun)
    except Exception as error:
        return Ran(in_time=False) if limit.expired() else Ran(error=error)
    return came_to(lambda: found, most_bytes)


async def _work(begun: Begun) -> Any:
    with on_behalf_of(begun.intent):
        return await begun.function(begun.arguments)


async def in_thread(work: Callable[[], _T]) -> _T:
    """What some work returns that blocks, done in a thread with this context; one that hangs keeps no other waiting."""
    loop, context = asyncio.get_running_loop(), contextvars.copy_context()
    done: asyncio.Future[_T] = loop.create_future()

    def body() -> None:
        try:
            settle = partial(_settle, done, context.run(work), None)
        except BaseException as error:
            settle = partial(_settle, done, None, error)
        loop.call_soon_threadsafe(settle)

    hand_over(body)
    return await done


_UNDER_WAY: set["asyncio.Task[Any]"] = set()
"""A loop keeps no task alive by itself."""


async def to_its_end(work: Coroutine[Any, Any, _T]) -> _T:
    """What some work comes to, which goes on to its end where whoever waits for it is cancelled."""
    task = asyncio.ensure_future(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_UNDER_WAY.discard)
    return await asyncio.shield(task)


async def all_ended(seconds: float) -> None:
    """Wait, for no longer than this, until what goes on to its end in this loop has come to it."""
    loop = asyncio.get_running_loop()
    if here := {task for task in _UNDER_WAY if task.get_loop() is loop}:
        await asyncio.wait(here, timeout=seconds)


def _settle(done: "asyncio.Future[Any]", found: Any, error: BaseException | None) -> None:
    if done.done():  # whoever asked has gone
        return
    if error is None:
        done.set_result(found)
    else:
        done.set_exception(error)
