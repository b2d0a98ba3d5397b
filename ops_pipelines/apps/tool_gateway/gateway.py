"""An MCP server in front of other MCP servers: what they offer, as far as it is declared, behind one gate.

It is made on the protocol's own library, and not on a framework above that: there is nothing left to look up or to
validate once the gate has judged a call, and each layer costs what the gate costs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_upstream import Upstream
from ops_pipelines.agentops.gate_async import Cancellable, all_ended
from ops_pipelines.agentops.tool_registry import Tool, ToolRegistry
from ops_pipelines.apps.tool_gateway.carried import carried
from ops_pipelines.apps.tool_gateway.requests import asked_of, shown
from ops_pipelines.apps.tool_gateway.sessions import Sessions

if TYPE_CHECKING:
    from mcp.server import Server

Does = Callable[[Mapping[str, Any]], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Offered:
    """What the servers offer, as parts of a gate: the tools, what does each, and the most that a call can cost."""

    registry: ToolRegistry
    functions: Mapping[str, Does]
    prices: Mapping[str, Decimal]


Judge = Callable[[Offered], Sessions]
"""Makes the gates of what is offered."""


@asynccontextmanager
async def gateway(
    upstreams: Sequence[Upstream], judge: Judge, *, name: str = "gateway"
) -> "AsyncIterator[Server[Any]]":
    """The server while its upstreams are open, one session each; effects under way are waited for at the end.

    DataError where a server cannot be reached, ConfigError for a wrong declaration, or two tools of one name.
    """
    async with AsyncExitStack() as open_servers:
        functions: dict[str, Does] = {}
        prices: dict[str, Decimal] = {}
        tools: list[Tool] = []
        for upstream in upstreams:
            open_servers.push_async_callback(upstream.close)
            offered = await upstream.open()
            tools += offered
            functions |= {tool.name: _does(upstream, tool.name) for tool in offered}
            prices |= upstream.prices
        sessions = judge(Offered(ToolRegistry(tools), functions, prices))
        try:
            yield server_of(sessions, name)
        finally:
            await all_ended(sessions.parts.limits.tool_seconds)


def server_of(sessions: Sessions, name: str) -> "Server[Any]":
    """A server that shows the tools of the gate's registry, and does what is called of it through the gate."""
    from mcp.server import Server
    from mcp_types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams
    from mcp_types import Tool as Shown

    listed = [
        Shown(name=tool.name, description=tool.description, input_schema=dict(tool.schema))
        for tool in sessions.parts.registry
    ]

    async def list_tools(context: Any, params: PaginatedRequestParams | None) -> ListToolsResult:  # noqa: ARG001
        return ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: CallToolRequestParams) -> CallToolResult:
        answer = await sessions.call(asked_of(params.name, params.arguments, context))
        return CallToolResult.model_validate(shown(answer))

    return Server(name, on_list_tools=list_tools, on_call_tool=call_tool)


def _does(upstream: Upstream, tool: str) -> Does:
    async def work(arguments: Mapping[str, Any]) -> Any:
        return await upstream.call(tool, arguments, meta=carried().meta)

    return Cancellable(work)
