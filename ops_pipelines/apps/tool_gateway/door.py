"""What stands between an MCP client and tools: a middleware of fastmcp that answers for the gate."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_tools import Declared, Listed, tools_listed
from ops_pipelines.adapters.mcp_trace import trace_of
from ops_pipelines.agentops.tool_call import Answer, Denied, Done
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.apps.tool_gateway.bridge import Carried, OnLoop, in_thread
from ops_pipelines.apps.tool_gateway.sessions import Asked, Sessions
from ops_pipelines.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from fastmcp import FastMCP
    from fastmcp.server.middleware import Middleware
    from fastmcp.tools.base import Tool as Shown
    from fastmcp.tools.base import ToolResult

APPROVAL, CALL, USER = "ops/approval", "ops/call", "ops/user"
"""What a client may say in `_meta` beside its trace: the approval of a call, the name of a step, a user's words."""
GATE = "ops/gate"
"""Where the result's `_meta` says what the gate made of a call that was done."""


def middleware(sessions: Sessions) -> "Middleware":
    """The door: it shows the tools of the gate's registry alone, and each call of one goes through its gate."""
    from fastmcp.server.middleware import Middleware

    shown = [_shown(tool) for tool in sessions.parts.registry]

    class Door(Middleware):
        async def on_list_tools(self, context: Any, call_next: Any) -> "Sequence[Shown]":  # noqa: ARG002
            return shown

        async def on_call_tool(self, context: Any, call_next: Any) -> "ToolResult":
            asked = _asked(context)
            serve = partial(_served, context, call_next)
            return _result(await in_thread(lambda: sessions.call(asked, serve)))

    return Door()


async def registry_of(server: "FastMCP[Any]", declared: Mapping[str, Declared]) -> tuple[Tool, ...]:
    """The declared tools of a server of one's own, for a gate's registry."""
    listed = [Listed(tool.name, tool.description or "", tool.parameters) for tool in await server.list_tools()]
    return tools_listed(listed, declared)


def functions_of(tools: Sequence[Tool], loop: asyncio.AbstractEventLoop, *, seconds: float) -> dict[str, OnLoop]:
    """What does each tool of a gated server: the rest of the request that came through the door."""

    async def served(arguments: Mapping[str, Any], carried: Carried) -> Any:
        assert carried.serve is not None
        return await carried.serve(arguments)

    return {tool.name: OnLoop(loop, served, seconds) for tool in tools}


def gated_server(server: "FastMCP[Any]", sessions: Sessions) -> "FastMCP[Any]":
    """The server itself, with the gate around its tools: what it lists and what is called of it goes through the door."""
    server.add_middleware(middleware(sessions))
    return server


def _asked(context: Any) -> Asked:
    meta, headers, session = _said_of(context.fastmcp_context)
    words = {name: str(meta[key]) for name, key in _WORDS.items() if isinstance(meta.get(key), str)}
    message = context.message
    return Asked(message.name, dict(message.arguments or {}), trace_of(meta, headers), session, **words)


_WORDS = {"approval": APPROVAL, "call_id": CALL, "user_words": USER}


def _said_of(context: Any) -> tuple[Mapping[str, Any], Mapping[str, str], str]:
    """What a request says of itself: its `_meta`, its headers, and its session where the protocol has one."""
    from fastmcp.server.dependencies import get_http_headers
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    request = context.request_context if context else None
    if request is None:
        return {}, {}, ""
    session = "" if request.protocol_version in MODERN_PROTOCOL_VERSIONS else context.session_id
    return request.meta or {}, get_http_headers(), session


async def _served(context: Any, call_next: Any, arguments: Mapping[str, Any]) -> Any:
    """The tool of a server of one's own, given what the gate let through."""
    from mcp_types import CallToolRequestParams

    message = CallToolRequestParams(name=context.message.name, arguments=dict(arguments))
    found = await call_next(context.copy(message=message))
    plain = {"content": [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in found.content]}
    return plain | ({} if found.structured_content is None else {"structuredContent": found.structured_content})


def _shown(tool: Tool) -> "Shown":
    from fastmcp.tools.base import Tool as Shown

    return Shown(name=tool.name, description=tool.description, parameters=dict(tool.schema))


def _result(answer: Answer) -> "ToolResult":
    """What the client is given: a tool's own content where it was run, and what the gate says otherwise."""
    from fastmcp.tools.base import ToolResult
    from mcp_types import TextContent

    plain = answer.to_json()
    result = answer.result if isinstance(answer, Done) else None
    if isinstance(result, Mapping) and "content" in result and not plain.get("truncated"):
        marks = {name: value for name, value in plain.items() if name != "result"}
        return ToolResult(_blocks(result["content"]), result.get("structuredContent"), {GATE: marks})
    text = TextContent(type="text", text=canonical_json(plain).decode())
    return ToolResult([text], plain, is_error=isinstance(answer, Denied))


def _blocks(content: Any) -> list[Any]:
    from mcp_types import CallToolResult

    return list(CallToolResult.model_validate({"content": content}).content)
