"""The call that a tool is being run for, for a tool that has to know by whose yes: it asks here, in its own thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ops_pipelines.agentops.effects import Intent

_CALL: ContextVar[Intent | None] = ContextVar("call", default=None)


@contextmanager
def on_behalf_of(intent: Intent) -> Iterator[None]:
    """Inside, this is the current call, also in whatever copies this context."""
    token = _CALL.set(intent)
    try:
        yield
    finally:
        _CALL.reset(token)


def current_call() -> Intent | None:
    """The call that this code was started for, with its approval; None outside of a gate."""
    return _CALL.get()
