"""An MCP server that says what it has done, behind the gate: what tests of the gateway need."""

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

from fastmcp import Client, FastMCP

from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.adapters.mcp_upstream import Offer, Upstream
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.joined_runs import RunLogged
from ops_pipelines.agentops.recording import Writer
from ops_pipelines.agentops.tool_registry import ToolRegistry
from ops_pipelines.apps.tool_gateway import Offered, Sessions, Terms, gated_server, gateway, registry_of, served
from ops_pipelines.testing.gates import parts_of
from ops_pipelines.testing.mcp_transport import in_process
from ops_pipelines.testing.run_log import MemoryRunLog

DECLARED = {
    "look": Declared(effect="read", trusted=True),
    "refund": Declared(effect="money", arguments={"to": "destination", "amount_cents": "amount_cents"}),
    "note": Declared(effect="write", clean_errors=True),
    "write": Declared(effect="write"),
}
REFUND = {"to": "bob@acme.example", "amount_cents": 1200}
RUN, STEP = "a" * 32, "b" * 16


class Desk:
    """What the server has done, how its tools behave, and the gate in front of it with all its stores."""

    def __init__(self) -> None:
        self.done: list[tuple[str, object]] = []
        self.does = lambda: "all is well"
        self.server = self.server_of()
        self.log = MemoryRunLog()
        self.parts = {"limits": Limits(tool_seconds=60.0)}
        self.terms = {}
        self.sessions: Sessions | None = None

    def client(self) -> Client:
        return Client(self.server)

    def server_of(self) -> FastMCP:
        server = FastMCP("desk")

        @server.tool
        async def look(week: str, rows: int = 10) -> str:
            """What happened."""
            return await self._do("look", rows)

        @server.tool
        async def refund(to: str, amount_cents: int) -> str:
            return await self._do("refund", (to, amount_cents))

        @server.tool
        async def note(text: str) -> str:
            return await self._do("note", text)

        @server.tool
        async def write(text: str) -> str:
            return await self._do("write", text)

        return server

    async def _do(self, tool: str, what: object) -> str:
        self.done.append((tool, what))
        came = self.does()
        return await came if asyncio.iscoroutine(came) else came

    def judge(self, offered: Offered) -> Sessions:
        facts = {"registry": offered.registry, "functions": offered.functions, "prices": offered.prices}
        made = parts_of(**facts, **self.parts)
        logged = RunLogged(Writer(self.log.append), self.log.steps)
        terms = Terms(agent="oncall", release="c" * 64, **self.terms)
        self.sessions = Sessions(made, terms, logged)
        return self.sessions

    @asynccontextmanager
    async def proxied(self, **offer):
        """A client in front of a gateway in front of the server."""
        upstream = Upstream("desk", self.client, Offer(**{"declared": DECLARED, **offer}))
        async with gateway([upstream], self.judge) as server, Client(in_process(server)) as client:
            self.gateway = server
            yield client

    @asynccontextmanager
    async def mounted(self):
        """A client of the server itself, with the gate around it."""
        tools = await registry_of(self.server, DECLARED)
        offered = Offered(ToolRegistry(tools), {tool.name: served for tool in tools}, {})
        gated_server(self.server, self.judge(offered))
        async with Client(self.server) as client:
            yield client

    def call(self, *calls, door: str = "proxied", meta=None, **offer):
        """What a client is given for each of some calls, one after the other."""

        async def called():
            async with getattr(self, door)(**offer) as client:
                return [await client.call_tool_mcp(*call, meta=meta) for call in calls]

        return asyncio.run(called())


def traced(run: str = "", step: str = STEP) -> dict[str, str]:
    """The `_meta` of a request on behalf of a step."""
    return {"traceparent": f"00-{run or uuid4().hex}-{step}-01"}
