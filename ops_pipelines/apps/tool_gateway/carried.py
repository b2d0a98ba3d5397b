"""What goes along from a request to the tool that it calls, past the gate, which knows nothing of it."""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

Serve = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Does a tool within the request that asked for it, given what the gate let through."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The `_meta` of a trace, and for a tool of the same server the rest of the request."""

    meta: Mapping[str, Any]
    serve: Serve | None = None


_NOTHING = Carried({})
_CARRIED: ContextVar[Carried] = ContextVar("carried", default=_NOTHING)


def carry(carried: Carried) -> None:
    """Let what is called from here on, in this task, know what goes along."""
    _CARRIED.set(carried)


def carried() -> Carried:
    """What goes along with the call that this code was started for."""
    return _CARRIED.get()
