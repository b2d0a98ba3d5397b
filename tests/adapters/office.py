"""Three agents, each an MCP server of its own: in one process, or as a program each.

python office.py planner HOME URL     asks the analyst at URL, and prints its run and the answers
python office.py analyst HOME PORT    listens on loopback, and starts the accountant
python office.py accountant HOME      speaks over standard input and output
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StreamableHttpTransport
from starlette.responses import JSONResponse

from ops_pipelines.adapters.mcp_agents import ask_agent, offer_agent
from ops_pipelines.adapters.mcp_servers import ServerAddress
from ops_pipelines.adapters.mcp_trace import headers_of
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.handoff import DelegationPolicy, Handoff, HandoffRule
from ops_pipelines.agentops.joined_runs import JoinedRuns, RunLogged
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.run_log import MODEL
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.testing.run_log import MemoryRunLog

READY = "/health/ready"
TOOLS = frozenset({"drift_report", "prices"})
RULES = (
    HandoffRule("planner", "analyst", frozenset({"explain", "greet"}), TOOLS),
    HandoffRule("analyst", "accountant", frozenset({"price"}), frozenset({"prices"})),
    HandoffRule("accountant", "planner"),
    HandoffRule("", "analyst", frozenset({"greet"})),
)
POLICY = DelegationPolicy(RULES, deepest=3)


class Office:
    """Three agents and the log that they share; `clients` are how each is reached."""

    def __init__(self, *, log=None, policy=POLICY) -> None:
        self.log, self.policy, self.clients = log or MemoryRunLog(), policy, {}

    def runs(self) -> JoinedRuns:
        return JoinedRuns(RunLogged(Writer(self.log.append), self.log.steps), lambda: datetime.now(UTC))

    async def _thought(self, scope, nanos):
        async def model():
            return Outcome("thought", tokens=10, nanos=nanos)

        return await scope.call_async(MODEL, "desk-1", {"of": scope.agent}, model)

    async def analyst(self, errand):
        await self._thought(errand.scope, 1_000_003)
        if errand.handoff.task == "greet":
            return "good morning"
        asked = errand.to("accountant", "price", tools=frozenset({"prices"}))
        first = await ask_agent(errand.scope, self.clients["accountant"], asked, "a week", self.policy)
        second = await ask_agent(errand.scope, self.clients["accountant"], asked, "a month", self.policy)
        return {"because": "the storm", "costs": [first, second]}

    async def accountant(self, errand):
        await self._thought(errand.scope, 7)
        if errand.message == "a riddle":
            await ask_agent(errand.scope, self.clients["planner"], errand.to("planner", "x"), "?", self.policy)
        return f"{errand.message}: 12 dollars"

    async def planner(self, run, task="explain", then=None):
        scope = self.runs().begin("planner", "why has it drifted?", run=run)
        await self._thought(scope, 500_000_000_001)
        handoff = Handoff(("planner",), "analyst", task, TOOLS, TOOLS)
        answer = await ask_agent(scope, self.clients["analyst"], handoff, "look at w9", self.policy)
        if then:
            await then(scope)
        scope.decide("report", answer)
        return answer

    async def open(self, program):
        """What the planner comes to while the two others are served."""
        async with AsyncExitStack() as stack:
            for name in ("accountant", "analyst"):
                server = FastMCP(name)
                offer_agent(server, name, getattr(self, name), self.runs(), self.policy)
                self.clients[name] = await stack.enter_async_context(Client(server))
            return await program

    def server(self, name):
        """One of the two who are asked, as a server."""
        server = FastMCP(name)
        offer_agent(server, name, getattr(self, name), self.runs(), self.policy)
        return server


async def planner(office, url):
    run, greeted = uuid4().hex, []

    async def greet(scope):
        async with Client(StreamableHttpTransport(url, headers=headers_of(scope))) as client:  # by its header alone
            greeted.append((await client.call_tool("analyst", {"task": "greet"})).structured_content["answer"])

    async with Client(url) as office.clients["analyst"]:
        answer = await office.planner(run, then=greet)
    sys.stdout.write(json.dumps({"run": run, "answer": answer, "greeted": greeted}))


async def analyst(office, home, port):
    server = office.server("analyst")
    server.custom_route(READY, methods=["GET"])(ready)
    command = (sys.executable, __file__, "accountant", home)
    async with ServerAddress(command).client() as office.clients["accountant"]:
        await server.run_http_async(show_banner=False, host="127.0.0.1", port=int(port), log_level="error")


async def ready(_):
    return JSONResponse({"ready": True})


def main(name, home, *way):
    office = Office(log=SQLiteRunLog(Path(home) / "log" / "runs.db"))
    if name == "accountant":
        office.server(name).run(show_banner=False, log_level="error")
    else:
        asyncio.run(planner(office, *way) if name == "planner" else analyst(office, home, *way))


if __name__ == "__main__":
    main(*sys.argv[1:])
