"""One MCP server that tools are called on, by one session that stays open; it is opened again where it broke.

What the server listed when it was opened is what was gated. It is asked again from time to time, and after anything went
wrong: a tool whose listing is another by then is not called any more. A session that others still wait on is not closed
because the server is slow to list.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.mcp_results import kept_once
from ops_pipelines.adapters.mcp_tools import REFUSED, UNKNOWN_TOOL, Declared, Listed, tool_listed, tools_listed
from ops_pipelines.adapters.mcp_trace import ANSWERED_BY, LINE, TENANT, TOOLS, answered_by
from ops_pipelines.agentops.tool_call import EffectNotDone
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fastmcp import Client

_CONNECT_SECONDS, _LIST_SECONDS = 30.0, 10.0


class ToolFailed(Exception):
    """What a tool said that came to an error. Whether it did something before, nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered of a server: the declarations by the server's own names, and what becomes of other tools.

    `relist_seconds` is how old a list may be when a tool is called. `agents` says that the tools are agents of ours, who
    are told which others wait for the task; a stranger is told the trace alone.
    """

    declared: Mapping[str, Declared]
    undeclared: str = REFUSED
    prefix: str = ""
    relist_seconds: float = 30.0
    agents: bool = False


@dataclass(slots=True)
class Upstream:
    """A server by name. `connect` makes a client that is not open yet; all of it lives in one event loop."""

    name: str
    connect: "Callable[[], Client[Any]]"
    offer: Offer
    tools: tuple[Tool, ...] = ()
    _client: "Client[Any] | None" = None
    _listed_at: float | None = None
    _changed: dict[str, str] = field(default_factory=dict)
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _under_way: int = 0

    async def open(self) -> tuple[Tool, ...]:
        """The tools that are offered; DataError where the server cannot be reached, ConfigError for a wrong declaration."""
        try:
            await self._connected()
            self.tools = tools_listed(
                await self._list(), self.offer.declared, undeclared=self.offer.undeclared, prefix=self.offer.prefix
            )
        except ConfigError:
            raise
        except Exception as error:
            raise DataError(
                f"The MCP server {self.name!r} cannot be reached: {_told(error)}",
                expected="a server that starts and lists its tools",
                action="Start it, or correct its command or address",
                server=self.name,
            ) from error
        return self.tools

    @property
    def prices(self) -> dict[str, Decimal]:
        """The most that a call of a tool can cost, where that is declared."""
        declared = self.offer.declared.items()
        return {self.offer.prefix + name: one.price_usd for name, one in declared if one.price_usd is not None}

    async def close(self) -> None:
        """Close the session; what is under way fails."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # it may be broken
                await asyncio.wait_for(client.close(), _LIST_SECONDS)

    async def call(self, tool: str, arguments: Mapping[str, Any], *, meta: Mapping[str, Any]) -> Any:
        """What a tool returns, as `mcp_results.kept_once` tells it.

        EffectNotDone where it was not called, or said an error that its owner declared to be clean; ToolFailed for another
        one, and whatever else breaks under way.
        """
        name = tool.removeprefix(self.offer.prefix)
        client = await self._good_for(tool)
        told = {key: value for key, value in meta.items() if self.offer.agents or key not in (LINE, TOOLS, TENANT)}
        self._under_way += 1
        try:
            found = await client.session.call_tool(name, dict(arguments), meta=told or None)
        except BaseException:
            self._listed_at = None  # look again before the next call, and connect again where that fails
            raise
        finally:
            self._under_way -= 1
        content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in found.content]
        if found.is_error:
            clean = self.offer.declared.get(name, UNKNOWN_TOOL).clean_errors
            raise (EffectNotDone if clean else ToolFailed)(_said(content))
        step = answered_by(found.meta)
        return kept_once(content, found.structured_content, {ANSWERED_BY: step[0]} if step else {})

    async def _good_for(self, tool: str) -> "Client[Any]":
        """The open client, where the tool is listed as it was; EffectNotDone otherwise."""
        if self._client is None or not self._is_fresh():
            async with self._checking:
                if self._client is None or not self._is_fresh():
                    await self._look_again()
        if tool in self._changed:
            raise EffectNotDone(f"the server {self.name} {self._changed[tool]}")
        assert self._client is not None
        return self._client

    def _is_fresh(self) -> bool:
        return self._listed_at is not None and monotonic() - self._listed_at < self.offer.relist_seconds

    async def _look_again(self) -> None:
        try:
            listed = await self._list_or_connect()
        except Exception as error:
            raise EffectNotDone(f"the server {self.name} cannot be reached: {_told(error)}") from error
        found = {one.name: one for one in listed}
        self._changed = {tool.name: why for tool in self.tools if (why := self._change(tool, found))}

    def _change(self, tool: Tool, found: Mapping[str, Listed]) -> str:
        """What is wrong with a tool by a new list; empty where it is as it was."""
        name = tool.name.removeprefix(self.offer.prefix)
        if name not in found:
            return f"lists no {name} any more"
        try:
            declared = self.offer.declared.get(name, UNKNOWN_TOOL)
            now = tool_listed(found[name], declared, prefix=self.offer.prefix)
        except ConfigError as error:
            return f"lists {name} with a schema that cannot be used: {error.wrong}"
        return "" if now.digest == tool.digest else f"lists {name} otherwise than when it was gated"

    async def _list_or_connect(self) -> list[Listed]:
        if self._client is not None:
            try:
                return await self._list()
            except Exception:
                if self._under_way:  # to close it would leave what is being done unknown
                    raise
        await self.close()
        await self._connected()
        return await self._list()

    async def _connected(self) -> None:
        client = self.connect()
        await asyncio.wait_for(client.__aenter__(), _CONNECT_SECONDS)
        self._client = client

    async def _list(self) -> list[Listed]:
        assert self._client is not None
        tools = await asyncio.wait_for(self._client.list_tools(), _LIST_SECONDS)
        self._listed_at = monotonic()
        return [Listed(tool.name, tool.description or "", tool.input_schema) for tool in tools]


def _said(content: Sequence[Mapping[str, Any]]) -> str:
    texts = [part["text"] for part in content if part.get("type") == "text"]
    return "\n".join(texts)[:2000] or "it said no reason"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
