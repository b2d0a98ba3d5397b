"""A gateway as its operator writes it down: whose calls go through, by which policy, how far, and to which servers.

agent: oncall
policy: policies                 # a folder of *.cedar, beside this file
operator_text: Refunds go to the address of the order.
budget: {run_usd: 1, all_usd: 10}
breaker: {errors: 3}
limits: {tool_seconds: 30}
door: {at_once: 64, each_at_once: 16}
servers:
desk:
command: [python, desk.py]   # or url: http://127.0.0.1:9000/mcp
tools:
look: {effect: read, trusted: true}
refund: {effect: money, owner: payments, arguments: {to: destination, amount_cents: amount_cents}}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from ops_pipelines.adapters.mcp_resources import DeclaredResource
from ops_pipelines.adapters.mcp_servers import ServerAddress
from ops_pipelines.adapters.mcp_tools import REFUSED, UNDECLARED, Declared
from ops_pipelines.adapters.mcp_upstream import Offer
from ops_pipelines.agentops.breaker import LoopRule
from ops_pipelines.agentops.gate_parts import Limits
from ops_pipelines.apps.tool_gateway.admission import DoorRule
from ops_pipelines.core.errors import ConfigError, near_miss

_ADDRESS = ("command", "url", "env", "headers", "message_bytes")
_SERVER = (*_ADDRESS, "prefix", "undeclared", "relist_seconds", "connect_seconds", "agents", "tools", "resources")

_LEAST_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Server:
    """A server with what is offered of it."""

    name: str
    address: ServerAddress
    offer: Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """What a gateway is made of besides its stores; `policy` is a folder."""

    agent: str
    policy: Path
    servers: tuple[Server, ...]
    tenant: str = ""
    environment: str = "production"
    operator_text: str = ""
    hears_user: bool = False
    run_usd: Decimal = Decimal(1)
    all_usd: Decimal = Decimal(10)
    loops: LoopRule = field(default_factory=LoopRule)
    limits: Limits = field(default_factory=Limits)
    door: DoorRule = field(default_factory=DoorRule)


def read_config(file: Path) -> GatewayConfig:
    """The configuration in a YAML file; ConfigError for what it does not say, or says in another way."""
    import yaml

    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _wrong(file, str(error).splitlines()[0]) from error
    try:
        return _config(file, _checked(read, _TOP, "the file"))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise _wrong(file, str(error)) from error


_TEXTS = ("agent", "tenant", "environment", "operator_text")
_TOP = (*_TEXTS, "policy", "hears_user", "budget", "breaker", "limits", "door", "servers")


def _config(file: Path, said: Mapping[str, Any]) -> GatewayConfig:
    for name in ("agent", "policy", "servers"):
        if not said.get(name):
            raise ValueError(f"it names no {name}")
    budget = _checked(said.get("budget"), ("run_usd", "all_usd"), "budget")
    hears_user = said.get("hears_user", False)
    if not isinstance(hears_user, bool):
        raise ValueError(f"hears_user is {hears_user!r}, and not true or false")
    return GatewayConfig(
        **{name: str(said[name]) for name in _TEXTS if name in said},
        policy=file.parent / str(said["policy"]),
        servers=tuple(_server(file, name, one) for name, one in _checked(said["servers"], None, "servers").items()),
        hears_user=hears_user,
        **{name: Decimal(str(usd)) for name, usd in budget.items()},
        loops=_timed(LoopRule, said.get("breaker"), "breaker", wall="wall_seconds"),
        limits=_timed(Limits, said.get("limits"), "limits", approval="approval_seconds"),
        door=_timed(DoorRule, said.get("door"), "door"),
    )


def _server(file: Path, name: str, read: Any) -> Server:
    said = _checked(read, _SERVER, f"the server {name}")
    undeclared = said.get("undeclared", REFUSED)
    if undeclared not in UNDECLARED:
        raise ValueError(f"the server {name}: undeclared is {undeclared!r}. {near_miss(str(undeclared), UNDECLARED)}")
    if int(said.get("message_bytes", _LEAST_BYTES)) < _LEAST_BYTES:
        raise ValueError(f"the server {name}: message_bytes has to be at least {_LEAST_BYTES} bytes")
    if not 0 < float(said.get("connect_seconds", 1)) < float("inf"):
        raise ValueError(f"the server {name}: connect_seconds is no number of more than 0 seconds")
    tools = _checked(said.get("tools"), None, f"the tools of {name}")
    resources = _checked(said.get("resources"), None, f"the resources of {name}")
    offer = Offer(
        declared={tool: Declared.from_json(tool, one) for tool, one in tools.items()},
        undeclared=undeclared,
        prefix=str(said.get("prefix", "")),
        relist_seconds=float(said.get("relist_seconds", 30.0)),
        connect_seconds=float(said.get("connect_seconds", 30.0)),
        agents=said.get("agents") is True,
        resources={one: DeclaredResource.from_json(one, record) for one, record in resources.items()},
    )
    where = {key: said[key] for key in _ADDRESS if key in said}
    return Server(name, ServerAddress.from_json(name, where, folder=file.parent), offer)


def _timed(kind: Any, read: Any, what: str, **seconds: str) -> Any:
    """A dataclass of settings, spans of time in which are written as seconds."""
    names = [seconds.get(one.name, one.name) for one in fields(kind)]
    said = dict(_checked(read, names, what))
    spans = {name: timedelta(seconds=float(said.pop(key))) for name, key in seconds.items() if key in said}
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return kind(**{**said, **lists, **spans})


def _checked(read: Any, known: Any, what: str) -> Mapping[str, Any]:
    """A mapping with known keys alone; `known` None lets any pass."""
    if read is None:
        return {}
    if not isinstance(read, dict):
        raise ValueError(f"{what} is no mapping: {read!r}"[:200])
    for name in read if known is not None else ():
        if name not in known:
            raise ValueError(f"{what} has a key {name!r}. {near_miss(str(name), known)}")
    return {str(name): value for name, value in read.items()}


def _wrong(file: Path, why: str) -> ConfigError:
    return ConfigError(
        f"The gateway's configuration {file} cannot be used: {why}",
        expected="agent, policy and servers, as docs/mcp.md tells",
        action="Correct it: until then nothing is served",
        file=str(file),
    )
