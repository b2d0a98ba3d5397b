"""The door for Python: a function that is only ever done through the gate of the run that calls it.

    @gated(effect=MONEY, owner="payments")
    def refund(order: Annotated[str, IDENTIFIER], amount_cents: Annotated[int, AMOUNT_CENTS]) -> str: ...

    with within(gate):
        refund(order="A17", amount_cents=1200)     # what an agent is given: done, waiting or denied, and why

Outside of a gate nothing is done.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ops_pipelines.agentops.tool_call import VALIDATE, Denied
from ops_pipelines.agentops.tool_function import DoesTool, ToolFunction, tool_of
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry

_GATE: ContextVar[Gate | None] = ContextVar("gate", default=None)


@dataclass(frozen=True, slots=True)
class Gated:
    """A function behind the gate; `does` is the function itself, for the gate's parts."""

    does: ToolFunction

    @property
    def tool(self) -> Tool:
        """The tool, for a registry."""
        return self.does.tool

    def __call__(self, *arguments: Any, **named: Any) -> dict[str, Any]:
        """What an agent is given for a call; it never raises for what the gate says."""
        gate = _GATE.get()
        if gate is None:
            return Denied(VALIDATE, f"{self.tool.name} was called outside of a gate", "Call it within a run").to_json()
        try:
            given = inspect.signature(self.does.function).bind_partial(*arguments, **named).arguments
        except TypeError:  # the gate says what is wrong with it
            given = named
        return gate.call(self.tool.name, dict(given)).to_json()


def gated(*, effect: str, **facts: Any) -> Callable[[Callable[..., Any]], Gated]:
    """The decorator for a function that is a tool; the arguments are those of `tool_of`."""
    return lambda function: Gated(tool_of(function, effect=effect, **facts))


@contextmanager
def within(gate: Gate) -> Iterator[Gate]:
    """Gated functions go through this gate inside, also in tasks and threads that copy this context."""
    token = _GATE.set(gate)
    try:
        yield gate
    finally:
        _GATE.reset(token)


def tools_of(
    functions: Iterable[Gated | DoesTool],
) -> tuple[ToolRegistry, Mapping[str, Callable[[Mapping[str, Any]], Any]]]:
    """The registry of some functions, and what does each of them: two of a gate's parts."""
    does = [one.does if isinstance(one, Gated) else one for one in functions]
    return ToolRegistry(one.tool for one in does), {one.tool.name: one for one in does}
