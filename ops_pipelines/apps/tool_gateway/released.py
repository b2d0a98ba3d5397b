"""The tools of a released agent over MCP: whichever framework calls them, they are those of its release, behind its gate."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.agents import OpenAgent
from ops_pipelines.agentops.gate_async import all_ended, in_thread
from ops_pipelines.apps.tool_gateway.gateway import server_of
from ops_pipelines.apps.tool_gateway.principals import principals_of
from ops_pipelines.apps.tool_gateway.sessions import Sessions, Terms
from ops_pipelines.apps.tool_gateway.stores import logged_in
from ops_pipelines.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from mcp.server import Server

_RUNS = 10
"""So many runs of one process may spend all that they are allowed."""


@asynccontextmanager
async def released_server(agent: OpenAgent, *, task: str = "") -> "AsyncIterator[Server[Any]]":
    """The server of an agent's tools; NotAllowed where the token may not let this agent propose.

    `task` is what the operator says that the runs are about: its words are trusted, and no client's are.
    """
    sessions = sessions_of_release(agent, task)
    try:
        yield server_of(sessions, f"gate of {agent.name}")
    finally:
        await all_ended(sessions.parts.limits.tool_seconds)


def sessions_of_release(agent: OpenAgent, task: str = "") -> Sessions:
    """The gates of an agent's release, each for a run that an MCP client makes; NotAllowed as `released_server`."""
    who = agent.started_by()
    trusted = f"{canonical_json(dict(agent.agent.settings)).decode()}\n{task}"
    now, budgets = agent.platform.clock.wall, agent.agent.budgets
    parts = agent.gate(agent.manifest.digest, now()).parts
    terms = Terms(
        agent=agent.name,
        release=agent.manifest.digest,
        rule=budgets.loops,
        run_usd=budgets.limit_usd,
        all_usd=_RUNS * budgets.limit_usd,
        tenant=agent.agent.tenant,
        environment=agent.environment,
        operator_text=trusted,
        started_by=who,
    )
    apart = {name: _apart(function) for name, function in parts.functions.items()}
    principal_of = principals_of(agent.platform, agent.name, agent.environment)
    return Sessions(replace(parts, functions=apart), terms, logged_in(agent.platform), principal_of=principal_of)


def _apart(function: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Awaitable[Any]]:
    """A function that blocks, done in a thread, so that the loop goes on."""

    async def work(arguments: Mapping[str, Any]) -> Any:
        return await in_thread(partial(function, arguments))

    return work
