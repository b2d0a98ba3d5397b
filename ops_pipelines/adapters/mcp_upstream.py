"""One MCP server that tools are called on, by one session that stays open; it is opened again where it broke.

What the server listed when it was opened is what was gated. It is asked again from time to time, and after anything went
wrong, and before each effect: a tool whose listing was another once is not called any more, whatever is listed later. A
session that others still wait on is not closed because the server is slow to list.

A server is offered nothing that would let it ask back: no model, no question to a person, no folder. Resources that are
declared are tools that take nothing and read; what they hold is a stranger's word. Prompts are not passed on at all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ops_pipelines.adapters.mcp_resources import DeclaredResource, content_of, resources_listed
from ops_pipelines.adapters.mcp_results import kept_once
from ops_pipelines.adapters.mcp_tools import REFUSED, UNKNOWN_TOOL, Declared, Listed, tool_listed, tools_listed
from ops_pipelines.adapters.mcp_trace import ANSWERED_BY, LINE, TENANT, TOOLS, answered_by
from ops_pipelines.agentops.tool_call import EffectNotDone
from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from fastmcp import Client

_LIST_SECONDS = 10.0
_T = TypeVar("_T")


class ToolFailed(Exception):
    """What a tool said that came to an error. Whether it did something before, nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered of a server: the declarations by the server's own names, and what becomes of other tools.

    `relist_seconds` is how old a list may be when a tool is called that only reads. `agents` says that the tools are agents
    of ours, who are told which others wait for the task; a stranger is told the trace alone. `resources` are those that
    are offered, by the name that each has as a tool.
    """

    declared: Mapping[str, Declared]
    undeclared: str = REFUSED
    prefix: str = ""
    relist_seconds: float = 30.0
    agents: bool = False
    connect_seconds: float = 30.0
    resources: Mapping[str, DeclaredResource] = field(default_factory=dict)


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
    _missing: frozenset[str] = frozenset()
    _waited_for: int = 0

    async def open(self) -> tuple[Tool, ...]:
        """The tools that are offered; DataError where the server cannot be reached, ConfigError for a wrong declaration."""
        try:
            await self._connected()
            listed, offer = await self._list(), self.offer
            offered = tools_listed(listed, offer.declared, undeclared=offer.undeclared, prefix=offer.prefix)
            self.tools = (*offered, *await self._resources())
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
        name = self._name(tool)
        client = await self._good_for(tool)
        if name in self.offer.resources:
            read = await self._under_way(client.session.read_resource(self.offer.resources[name].uri))
            return kept_once(content_of(read.contents), None)
        told = {key: value for key, value in meta.items() if self.offer.agents or key not in (LINE, TOOLS, TENANT)}
        found = await self._under_way(client.session.call_tool(name, dict(arguments), meta=told or None))
        content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in found.content]
        if found.is_error:
            clean = self.offer.declared.get(name, UNKNOWN_TOOL).clean_errors
            raise (EffectNotDone if clean else ToolFailed)(_said(content))
        step = answered_by(found.meta) if self.offer.agents else ()  # a stranger could name any
        return kept_once(content, found.structured_content, {ANSWERED_BY: step[0]} if step else {})

    async def _under_way(self, asked: Awaitable[_T]) -> _T:
        self._waited_for += 1
        try:
            return await asked
        except BaseException:
            self._listed_at = None  # look again before the next call, and connect again where that fails
            raise
        finally:
            self._waited_for -= 1

    async def _good_for(self, tool: str) -> "Client[Any]":
        """The open client, where the tool is listed as it was; EffectNotDone otherwise."""
        oldest = monotonic() - (0.0 if tool in self._effects else self.offer.relist_seconds)
        if self._client is None or not self._is_fresh(oldest):
            async with self._checking:
                if self._client is None or not self._is_fresh(oldest):
                    await self._look_again()
        if self._name(tool) in self._missing:
            raise EffectNotDone(f"the server {self.name} does not list {tool} any more")
        if tool in self._changed:
            raise EffectNotDone(f"the server {self.name} {self._changed[tool]}")
        assert self._client is not None
        return self._client

    def _name(self, tool: str) -> str:
        """What the server calls a tool."""
        return tool.removeprefix(self.offer.prefix)

    async def _resources(self) -> tuple[Tool, ...]:
        if not self.offer.resources:
            return ()
        assert self._client is not None
        listed = await asyncio.wait_for(self._client.list_resources(), _LIST_SECONDS)
        return resources_listed([str(one.uri) for one in listed], self.offer.resources, prefix=self.offer.prefix)

    @property
    def _effects(self) -> frozenset[str]:
        return frozenset(tool.name for tool in self.tools if tool.has_effect)

    def _is_fresh(self, oldest: float) -> bool:
        return self._listed_at is not None and self._listed_at > oldest

    async def _look_again(self) -> None:
        try:
            listed = await self._list_or_connect()
        except Exception as error:
            raise EffectNotDone(f"the server {self.name} cannot be reached: {_told(error)}") from error
        found = {one.name: one for one in listed}
        gated = {name: tool for tool in self.tools if (name := self._name(tool.name)) not in self.offer.resources}
        self._missing = frozenset(gated.keys() - found.keys())
        now = {tool.name: self._change(tool, name, found) for name, tool in gated.items() if name in found}
        self._changed = {name: why for name, why in now.items() if why} | self._changed

    def _change(self, tool: Tool, name: str, found: Mapping[str, Listed]) -> str:
        """What is wrong with a tool by a new list; empty where it is as it was."""
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
                if self._waited_for:  # to close it would leave what is being done unknown
                    raise
        await self.close()
        await self._connected()
        return await self._list()

    async def _connected(self) -> None:
        client = self.connect()
        await asyncio.wait_for(client.__aenter__(), self.offer.connect_seconds)
        self._client = client

    async def _list(self) -> list[Listed]:
        assert self._client is not None
        began = monotonic()
        tools = await asyncio.wait_for(self._client.list_tools(), _LIST_SECONDS)
        self._listed_at = began
        return [Listed(tool.name, tool.description or "", tool.input_schema) for tool in tools]


def _said(content: Sequence[Mapping[str, Any]]) -> str:
    texts = [part["text"] for part in content if part.get("type") == "text"]
    return "\n".join(texts)[:2000] or "it said no reason"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
