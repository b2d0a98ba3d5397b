"""A client's way to an MCP server that is a command, over its standard input and output.

A message is one line of JSON. The protocol's own library reads a line of any length, in a time that grows with its square:
one long answer keeps every other client waiting. Here a line has an end: a server that goes beyond it is told apart from
all others by being ended, and what was asked of it comes to an error that says why.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from fastmcp.client.transports import ClientTransport
    from mcp import ClientSession
    from mcp.shared.message import SessionMessage

MESSAGE_BYTES = 10_000_000
_GRACE_SECONDS = 2.0
"""How long a server may take to end after its input has, and again after it was told to by a signal."""


def over_stdio(
    words: Sequence[str], *, env: Mapping[str, str], folder: Path, message_bytes: int = MESSAGE_BYTES
) -> "ClientTransport":
    """The transport for `fastmcp.Client`: each session starts the command, and ends it with all that it has started."""
    import anyio
    from fastmcp.client.transports import ClientTransport
    from mcp import ClientSession

    class OverStdio(ClientTransport):
        @asynccontextmanager
        async def connect_session(
            self, *, transport_options: Any = None, **settings: Any
        ) -> "AsyncIterator[ClientSession]":
            made = transport_options.session_class if transport_options else ClientSession
            server = await _started(words, env, folder, message_bytes)
            line = _Line(server, message_bytes)
            try:
                async with anyio.create_task_group() as speaking:
                    speaking.start_soon(line.listen)
                    speaking.start_soon(line.speak)
                    async with made(line.heard, line.said, **settings) as session:
                        yield session
                    speaking.cancel_scope.cancel()
            finally:
                line.close()
                with anyio.CancelScope(shield=True):
                    await _end(server)

    return OverStdio()


class _Line:
    """What goes back and forth, and the requests that are not answered yet."""

    def __init__(self, server: asyncio.subprocess.Process, message_bytes: int) -> None:
        from anyio import create_memory_object_stream

        self._server, self._most = server, message_bytes
        self._open: set[int | str] = set()
        self._hears: MemoryObjectSendStream[SessionMessage | Exception]
        self.heard: MemoryObjectReceiveStream[SessionMessage | Exception]
        self.said: MemoryObjectSendStream[SessionMessage]
        self._says: MemoryObjectReceiveStream[SessionMessage]
        self._hears, self.heard = create_memory_object_stream(0)
        self.said, self._says = create_memory_object_stream(0)

    async def listen(self) -> None:
        """Pass on what the server says, until it says no more, or too much at once."""
        from anyio import BrokenResourceError, ClosedResourceError

        assert self._server.stdout is not None
        with suppress(BrokenResourceError, ClosedResourceError):  # the session is closed
            async with self._hears:
                while line := await self._next(self._server.stdout):
                    await self._hears.send(self._read(line))

    async def speak(self) -> None:
        """Pass on what is said to the server, until it hears no more: then what waits for it is told so."""
        assert self._server.stdin is not None
        try:
            async for one in self._says:
                self._open |= _asked(one.message)
                text = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._server.stdin.write(text.encode() + b"\n")
                await self._server.stdin.drain()
        except OSError:
            await self._hears.aclose()

    def close(self) -> None:
        """Let go of it, with whatever is still on its way."""
        for end in (self._hears, self.heard, self.said, self._says):
            end.close()

    async def _next(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError:  # of a line that is too long
            _signal(self._server, signal.SIGKILL)
            for request in tuple(self._open):
                await self._hears.send(self._too_long(request))
            return b""

    def _read(self, line: bytes) -> "SessionMessage | Exception":
        from mcp.shared.message import SessionMessage
        from mcp_types import jsonrpc_message_adapter

        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            return error  # a server that prints what is no message is heard on
        if not hasattr(message, "method"):
            self._open.discard(message.id)
        return SessionMessage(message)

    def _too_long(self, request: int | str) -> "SessionMessage":
        from mcp.shared.message import SessionMessage
        from mcp_types import INTERNAL_ERROR, ErrorData, JSONRPCError

        why = f"the server said more than {self._most} bytes at once, and was ended"
        return SessionMessage(
            JSONRPCError(jsonrpc="2.0", id=request, error=ErrorData(code=INTERNAL_ERROR, message=why))
        )


def _asked(message: Any) -> set[int | str]:
    """The id of a request; none of a notification, and of an answer."""
    return {message.id} if hasattr(message, "method") and hasattr(message, "id") else set()


async def _started(
    words: Sequence[str], env: Mapping[str, str], folder: Path, message_bytes: int
) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    settings: dict[str, Any] = {"env": dict(env), "cwd": str(folder), "start_new_session": True}
    return await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, limit=message_bytes, **settings)


async def _end(server: asyncio.subprocess.Process) -> None:
    """End a server and what it has started: by the end of its input, else by a signal, else by force."""
    assert server.stdin is not None
    server.stdin.close()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if await _has_ended(server):
            break
        _signal(server, number)
    await _has_ended(server)
    with suppress(PermissionError, AttributeError):
        server._transport.close()  # type: ignore[attr-defined]  # a child of it may still hold the pipe


def _signal(server: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To a server and what it has started, which are a group of their own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(server.pid, number)


async def _has_ended(server: asyncio.subprocess.Process) -> bool:
    """Whether it has, within its time. Its pipes may outlive it, so that `wait` would wait for whoever holds them."""
    for _ in range(int(_GRACE_SECONDS / 0.02)):
        if server.returncode is not None:
            return True
        await asyncio.sleep(0.02)
    return server.returncode is not None
