"""A gateway as a process: over standard input and output, or over HTTP on loopback."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ops_pipelines.adapters.mcp_upstream import Upstream
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.policy_files import policy_in
from ops_pipelines.agentops.gate_parts import Parts
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.apps.tool_gateway.admission import DoorRule
from ops_pipelines.apps.tool_gateway.config import GatewayConfig
from ops_pipelines.apps.tool_gateway.gateway import Offered, gateway
from ops_pipelines.apps.tool_gateway.principals import principals_of
from ops_pipelines.apps.tool_gateway.sessions import Sessions, Terms
from ops_pipelines.apps.tool_gateway.stores import logged_in
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.principal import PROPOSE

if TYPE_CHECKING:
    from mcp.server import Server

LOOPBACK, READY = "127.0.0.1", "/health/ready"
_SPARE = 64
"""Connections for those who only list, look whether it is ready, or are refused."""


async def serve(
    opened: "AbstractAsyncContextManager[Server[Any]]",
    *,
    port: int | None = None,
    tell: Callable[[str], None],
    door: DoorRule | None = None,
) -> None:
    """Serve until the client goes, or the process is told to end; `tell` is told where, once it listens.

    Over standard input and output without a port; whatever the server raises when it is opened. `door` says how many
    sessions may be open over HTTP.
    """
    async with opened as server:
        await (_over_stdio(server) if port is None else _over_http(server, port, tell, door or DoorRule()))


def configured(config: GatewayConfig, platform: Platform) -> "AbstractAsyncContextManager[Server[Any]]":
    """The gateway of a file; ConfigError for a policy that cannot be used, and when it is opened as `gateway`."""
    judge = partial(sessions_of, config, policy_in(config.policy), platform)
    upstreams = [Upstream(server.name, server.address.client, server.offer) for server in config.servers]
    return gateway(upstreams, judge, name=f"gate of {config.agent}")


def sessions_of(config: GatewayConfig, policy: Policy, platform: Platform, offered: Offered) -> Sessions:
    """The gates of a configured gateway, whose stores are those of a home.

    NotAllowed where the token may not let its agent propose.
    """
    who = platform.access.whoever_may(PROPOSE, config.agent, config.environment, otherwise=config.agent)
    parts = Parts(
        registry=offered.registry,
        functions=offered.functions,
        policy=policy,
        approvals=platform.approvals,
        journal=platform.effects,
        log=platform.decisions,
        budgets=platform.budgets,
        now=platform.clock.wall,
        new_id=lambda: uuid4().hex,
        prices=offered.prices,
        limits=config.limits,
    )
    terms = Terms(
        agent=config.agent,
        release=release_of(config, policy, offered),
        rule=config.loops,
        run_usd=config.run_usd,
        all_usd=config.all_usd,
        tenant=config.tenant,
        environment=config.environment,
        operator_text=config.operator_text,
        hears_user=config.hears_user,
        started_by="" if who == config.agent else who,
        door=config.door,
    )
    principal_of = principals_of(platform, config.agent, config.environment)
    return Sessions(parts, terms, logged_in(platform), principal_of=principal_of)


def release_of(config: GatewayConfig, policy: Policy, offered: Offered) -> str:
    """The digest of what decides what goes through: another policy, tool or limit is another release of the gateway."""
    prices = {name: str(usd) for name, usd in offered.prices.items()}
    limits = [config.limits.tool_seconds, config.limits.result_bytes, config.limits.argument_bytes]
    said = [
        config.agent,
        config.tenant,
        config.environment,
        config.operator_text,
        config.hears_user,
        config.door.unnamed,
    ]
    far = [_usd(config.run_usd), _usd(config.all_usd), config.loops.to_json(), limits, prices]
    return digest_json({"said": said, "far": far, "tools": offered.registry.digest, "policy": policy.digest})


def _usd(amount: Decimal) -> str:
    return f"{amount:f}"


async def _over_stdio(server: "Server[Any]") -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _over_http(server: "Server[Any]", port: int, tell: Callable[[str], None], door: DoorRule) -> None:
    import uvicorn
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def ready(_: Any) -> JSONResponse:
        return JSONResponse({"ready": True})

    # It answers requests for loopback's own names alone.
    app = server.streamable_http_app(
        host=LOOPBACK,
        custom_starlette_routes=[Route(READY, ready)],
        max_sessions=door.sessions,
        session_idle_timeout=door.session_idle_seconds,
    )
    # A session has a connection on which it listens, and each call one of its own. More than that is told 503.
    most = door.sessions + 2 * (door.at_once + door.waiting) + _SPARE
    settings = uvicorn.Config(app, host=LOOPBACK, port=port, log_level="warning", limit_concurrency=most)
    listening = uvicorn.Server(settings)
    tell(f"http://{LOOPBACK}:{port}/mcp")
    try:
        await listening.serve()
    except asyncio.CancelledError:  # it closes what it has opened where a signal ends it, and not here
        if listening.started:
            listening.force_exit = True
            await listening.shutdown()
        raise
