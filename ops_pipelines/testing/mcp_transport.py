"""A client's way to an MCP server in the same process, for servers that are made on the protocol's own library."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmcp.client.transports import ClientTransport
    from mcp.server import Server


def in_process(server: "Server[Any]") -> "ClientTransport":
    """The transport for `fastmcp.Client`."""
    import anyio
    from fastmcp.client.transports import ClientTransport
    from mcp import ClientSession
    from mcp.shared.memory import create_client_server_memory_streams

    class InProcess(ClientTransport):
        @asynccontextmanager
        async def connect_session(
            self, *, transport_options: Any = None, **settings: Any
        ) -> AsyncIterator[ClientSession]:
            del transport_options
            async with create_client_server_memory_streams() as (ours, theirs), anyio.create_task_group() as serving:
                serving.start_soon(lambda: server.run(*theirs, server.create_initialization_options()))
                async with ClientSession(*ours, **settings) as session:
                    yield session
                serving.cancel_scope.cancel()

    return InProcess()
