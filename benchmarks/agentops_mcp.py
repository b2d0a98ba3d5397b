"""The MCP door of the gate: what it adds to a call of a tool of one's own server, and of a server behind a gateway.

All are asked in turn, call by call, so that a machine that is busy is so for each. The peer of a gated server is the same
server without a gate. The peer of the gateway is a server of fastmcp whose tool calls the same upstream by a client of its
own that stays open, and does nothing else. fastmcp's `create_proxy` is shown beside it. Servers and clients are in one
process, where the gate's share is the largest: over a pipe or a socket all of them take longer by the same.

Each call through the gate is judged, and both its decision and its step are in SQLite files before the client has its
answer. The tool only reads: what an effect adds is the durable commits that `agentops_gate` measures.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.rows import Row, at_most_times, void
from ops_pipelines.adapters.mcp_tools import Declared
from ops_pipelines.adapters.mcp_upstream import Offer, Upstream
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.gate_parts import Parts
from ops_pipelines.agentops.joined_runs import RunLogged
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.agentops.tool_registry import READ, ToolRegistry
from ops_pipelines.apps.tool_gateway import Offered, Sessions, Terms, gated_server, gateway, registry_of, served
from ops_pipelines.testing.gates import POLICY

if TYPE_CHECKING:
    from fastmcp import Client, FastMCP

CALLS, QUICK_CALLS, WARM = 600, 60, 20
MOUNTED, PROXIED = 2.0, 1.3
_DECLARED = {"look": Declared(effect=READ, trusted=True)}
DIRECT, GATED, PASSED, THROUGH, DEFAULT = "direct", "gated", "passed through", "gateway", "create_proxy"


def measure() -> Iterator[Row]:
    """What the gate adds to a call over MCP."""
    yield from _rows(CALLS)


def measure_quick() -> Iterator[Row]:
    """The same on fewer calls."""
    yield from _rows(QUICK_CALLS)


def _rows(calls: int) -> Iterator[Row]:
    names = ("mcp, p50 of a call of a gated server, ms", "mcp, p50 of a call through the gateway, ms")
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(_timed(Path(folder), calls))
    if isinstance(found, str):
        yield from (
            void(name, f"ours <= {most:g} x peer", found) for name, most in zip(names, (MOUNTED, PROXIED), strict=True)
        )
        return
    yield at_most_times(names[0], found[GATED], found[DIRECT], MOUNTED, note="the peer is the server without a gate")
    note = "the peer passes the call on by a client that stays open"
    yield at_most_times(names[1], found[THROUGH], found[PASSED], PROXIED, note=note)
    beside, ours = found[DEFAULT], found[THROUGH]
    name, note = "mcp, p50 of a call through the gateway beside fastmcp's create_proxy, ms", "which judges nothing"
    yield Row(name, ours, beside, ours / beside, "reported", True, note)


async def _timed(folder: Path, calls: int) -> dict[str, float] | str:
    """The median of each way to the tool, in milliseconds; a sentence where a call came to something else."""
    async with AsyncExitStack() as stack:
        ways = await _ways(folder, stack)
        times: dict[str, list[float]] = {name: [] for name in ways}
        for number in range(calls + WARM):
            for name, client in ways.items():
                arguments = {"order": "A17", "row": number}
                began = time.perf_counter()
                found = await client.call_tool_mcp("look", arguments)
                times[name].append((time.perf_counter() - began) * 1000)
                if found.structured_content != arguments:
                    return f"{name} came to {found.structured_content}"
        return {name: statistics.median(taken[WARM:]) for name, taken in times.items()}


async def _ways(folder: Path, stack: AsyncExitStack) -> "Mapping[str, Client[Any]]":
    from fastmcp import Client
    from fastmcp.server import create_proxy

    from ops_pipelines.testing.mcp_transport import in_process

    mounted = _desk()
    tools = await registry_of(mounted, _DECLARED)
    gated_server(mounted, _sessions(folder / "mounted", Offered(ToolRegistry(tools), {"look": served}, {})))
    upstream = Upstream("desk", lambda: Client(_desk()), Offer(declared=_DECLARED))
    through = await stack.enter_async_context(
        gateway([upstream], lambda offered: _sessions(folder / "gateway", offered))
    )
    behind = await stack.enter_async_context(Client(_desk()))
    servers = {
        DIRECT: Client(_desk()),
        GATED: Client(mounted),
        PASSED: Client(_passing_on(behind)),
        THROUGH: Client(in_process(through)),
        DEFAULT: Client(create_proxy(_desk())),
    }
    return {name: await stack.enter_async_context(client) for name, client in servers.items()}


def _desk() -> "FastMCP[Any]":
    from fastmcp import FastMCP

    server: FastMCP[Any] = FastMCP("desk")

    @server.tool
    def look(order: str, row: int) -> dict[str, Any]:
        """Look at a row of an order."""
        return {"order": order, "row": row}

    return server


def _passing_on(client: "Client[Any]") -> "FastMCP[Any]":
    from fastmcp import FastMCP

    server: FastMCP[Any] = FastMCP("passing on")

    @server.tool
    async def look(order: str, row: int) -> dict[str, Any]:
        """Look at a row of an order."""
        found = await client.call_tool_mcp("look", {"order": order, "row": row})
        return dict(found.structured_content or {})

    return server


def _sessions(folder: Path, offered: Offered) -> Sessions:
    from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
    from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
    from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
    from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
    from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog

    ids, runs = count(), SQLiteRunLog(folder / "runs.db")
    parts = Parts(
        registry=offered.registry,
        functions=offered.functions,
        policy=Policy({"bench.cedar": POLICY}),
        approvals=SQLiteApprovalStore(folder / "approvals.db"),
        journal=SQLiteEffectJournal(folder / "effects.db"),
        log=SQLiteDecisionLog(folder / "decisions.db"),
        budgets=SQLiteBudgetStore(folder / "budgets.db"),
        now=lambda: datetime.now(UTC),
        new_id=lambda: f"call-{next(ids)}",
    )
    never = LoopRule(steps=10**6, errors=10**6)
    terms = Terms(agent="bench", release="b" * 64, rule=never, operator_text="Look at order A17")
    light = SQLiteRunLog(folder / "runs.db", durable=False)
    return Sessions(parts, terms, RunLogged(Writer(runs.append), runs.steps, Writer(light.append)))
