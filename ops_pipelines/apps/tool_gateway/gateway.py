"""An MCP server in front of other MCP servers: what they offer, as far as it is declared, behind one gate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_upstream import Upstream
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry
from ops_pipelines.apps.tool_gateway.bridge import Carried, OnLoop
from ops_pipelines.apps.tool_gateway.door import middleware
from ops_pipelines.apps.tool_gateway.sessions import Sessions

if TYPE_CHECKING:
    from fastmcp import FastMCP

Judge = Callable[[ToolRegistry, Mapping[str, OnLoop]], Sessions]
"""Makes the gates, from the tools that the servers offer and what does them."""


@asynccontextmanager
async def gateway(
    upstreams: Sequence[Upstream], judge: Judge, *, name: str = "gateway", seconds: float = 60.0
) -> "AsyncIterator[FastMCP[Any]]":
    """The server while its upstreams are open, one session each. A tool is waited for so many seconds.

    DataError where a server cannot be reached, ConfigError for a wrong declaration, or two tools of one name.
    """
    from fastmcp import FastMCP

    async with AsyncExitStack() as open_servers:
        functions: dict[str, OnLoop] = {}
        tools: list[Tool] = []
        for upstream in upstreams:
            open_servers.push_async_callback(upstream.close)
            offered = await upstream.open()
            tools += offered
            functions |= {tool.name: _on(upstream, tool.name, seconds) for tool in offered}
        server: FastMCP[Any] = FastMCP(name)
        server.add_middleware(middleware(judge(ToolRegistry(tools), functions)))
        yield server


def _on(upstream: Upstream, tool: str, seconds: float) -> OnLoop:
    """A tool of an upstream. It is waited for longer than the gate does, so that a late answer is still written down."""
    longest = 2 * seconds

    async def work(arguments: Mapping[str, Any], carried: Carried) -> Any:
        return await upstream.call(tool, arguments, meta=carried.meta, seconds=longest)

    return OnLoop(asyncio.get_running_loop(), work, longest + 1)
