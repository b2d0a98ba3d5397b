"""The gate around the tools of an MCP server of one's own, in the same process."""

from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_results import kept_once
from ops_pipelines.adapters.mcp_tools import Declared, Listed, tools_listed
from ops_pipelines.agentops.tool_call import Done
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.apps.tool_gateway.carried import carried
from ops_pipelines.apps.tool_gateway.requests import asked_of, shown
from ops_pipelines.apps.tool_gateway.sessions import Sessions
from ops_pipelines.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from fastmcp.tools.base import ToolResult


RESOURCES, PROMPTS = "resources", "prompts"
_BESIDE = (RESOURCES, PROMPTS, "completion")
_READ = ("resources/read", "prompts/get")


async def registry_of(server: "FastMCP[Any]", declared: Mapping[str, Declared]) -> tuple[Tool, ...]:
    """The declared tools of a server, for a gate's registry; ConfigError for one that it lacks."""
    listed = [Listed(tool.name, tool.description or "", tool.parameters) for tool in await server.list_tools()]
    return tools_listed(listed, declared)


async def served(arguments: Mapping[str, Any]) -> Any:
    """What does each tool of a gated server, for a gate's functions: the rest of the request that came to the gate."""
    serve = carried().serve
    assert serve is not None
    return await serve(arguments)


def gated_server(server: "FastMCP[Any]", sessions: Sessions, *, passes: Collection[str] = ()) -> "FastMCP[Any]":
    """The server itself, with the gate around it: it shows the tools of the registry alone, and each call is judged.

    Of its resources and prompts those are shown that `passes` names (RESOURCES, PROMPTS). They are read without the gate's
    leave, and what they hold is heard as the word of strangers.
    """
    from fastmcp.exceptions import NotFoundError
    from fastmcp.server.middleware import Middleware
    from fastmcp.tools.base import Tool as Shown
    from fastmcp.tools.base import ToolResult
    from mcp_types import CallToolRequestParams, CallToolResult

    listed = [
        Shown(name=tool.name, description=tool.description, parameters=dict(tool.schema))
        for tool in sessions.parts.registry
    ]

    class Door(Middleware):
        async def __call__(self, context: Any, call_next: Any) -> Any:
            """What a request comes to; one that is malformed goes on, and comes to an error."""
            if isinstance(context.message, CallToolRequestParams):
                return await call(context, call_next)
            if context.method == "tools/list":
                return listed
            kind = str(context.method).split("/")[0]
            if kind not in _BESIDE or kind in passes:
                return await _heard(context, call_next, sessions)
            if str(context.method).endswith("list"):
                return []
            raise NotFoundError(f"This server passes no {kind} on")

    async def call(context: Any, call_next: Any) -> ToolResult:
        asked = asked_of(context.message.name, context.message.arguments, _request(context))
        came: list[ToolResult] = []
        answer = await sessions.call(asked, partial(_served, context, call_next, came))
        if came and isinstance(answer, Done) and not answer.truncated:
            return came[0]  # as the server made it
        return ToolResult.from_mcp_result(CallToolResult.model_validate(shown(answer)))

    server.add_middleware(Door())
    return server


def _request(context: Any) -> Any:
    return context.fastmcp_context.request_context if context.fastmcp_context else None


async def _heard(context: Any, call_next: Any, sessions: Sessions) -> Any:
    """What any other request comes to; what a resource or a prompt holds is tainted from then on."""
    found = await call_next(context)
    if context.method in _READ:
        sessions.hear(asked_of(context.method, None, _request(context)), str(found), source=context.method)
    return found


async def _served(context: Any, call_next: Any, came: "list[ToolResult]", arguments: Mapping[str, Any]) -> Any:
    """The tool of the server, given what the gate let through; `came` is told the result itself."""
    from mcp_types import CallToolRequestParams

    if canonical_json(arguments) != canonical_json(context.message.arguments or {}):
        message = CallToolRequestParams(name=context.message.name, arguments=dict(arguments))
        context = context.copy(message=message)
    found = await call_next(context)
    came.append(found)
    content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in found.content]
    return kept_once(content, found.structured_content)
