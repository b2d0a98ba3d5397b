"""An MCP server that says what it has done, behind the gate: what tests of the gateway need."""

import asyncio
import socket
from contextlib import asynccontextmanager
from uuid import uuid4

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport

from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.adapters.mcp_upstream import Offer, Upstream
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.agentops.joined_runs import RunLogged
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_registry import ToolRegistry
from ops_pipelines.apps.tool_gateway import Offered, Sessions, Terms, gated_server, gateway, registry_of, served
from ops_pipelines.apps.tool_gateway.admission import DoorRule
from ops_pipelines.apps.tool_gateway.callers import nobody
from ops_pipelines.apps.tool_gateway.serving import serve
from ops_pipelines.testing.gates import parts_of
from ops_pipelines.testing.mcp_transport import in_process
from ops_pipelines.testing.run_log import MemoryRunLog
from ops_pipelines.testing.servers import free_port

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
        self.door = DoorRule()
        self.principal_of = nobody

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
        terms = Terms(agent="oncall", release="c" * 64, door=self.door, **self.terms)
        self.sessions = Sessions(made, terms, logged, principal_of=self.principal_of)
        return self.sessions

    @asynccontextmanager
    async def proxied(self, **offer):
        """A client in front of a gateway in front of the server."""
        upstream = Upstream("desk", self.client, Offer(**{"declared": DECLARED, **offer}))
        async with gateway([upstream], self.judge) as server, Client(in_process(server)) as client:
            self.gateway = server
            yield client

    @asynccontextmanager
    async def over_http(self, **offer):
        """Where a gateway in front of the server listens."""
        upstream = Upstream("desk", self.client, Offer(**{"declared": DECLARED, **offer}))
        port, told = free_port(), []
        opened = gateway([upstream], self.judge)
        listens = asyncio.ensure_future(serve(opened, port=port, tell=told.append, door=self.door))
        try:
            await until(lambda: told and can_connect(port))
            yield told[0]
        finally:
            listens.cancel()
            await asyncio.gather(listens, return_exceptions=True)

    @asynccontextmanager
    async def mounted(self, **passes):
        """A client of the server itself, with the gate around it."""
        tools = await registry_of(self.server, DECLARED)
        offered = Offered(ToolRegistry(tools), {tool.name: served for tool in tools}, {})
        gated_server(self.server, self.judge(offered), **passes)
        async with Client(self.server) as client:
            yield client

    def call(self, *calls, door: str = "proxied", meta=None, **offer):
        """What a client is given for each of some calls, one after the other."""

        async def called():
            async with getattr(self, door)(**offer) as client:
                return [await client.call_tool_mcp(*call, meta=meta) for call in calls]

        return asyncio.run(called())


def can_connect(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


async def until(is_so) -> None:
    """Wait patiently for something to be so."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.005)


def client_at(url: str, *, mode: str = "auto", **headers: str) -> Client:
    """A client over HTTP; in the mode `legacy` with a session, otherwise without one."""
    return Client(StreamableHttpTransport(url, headers=headers), mode=mode)


def traced(run: str = "", step: str = STEP) -> dict[str, str]:
    """The `_meta` of a request on behalf of a step."""
    return {"traceparent": f"00-{run or uuid4().hex}-{step}-01"}
