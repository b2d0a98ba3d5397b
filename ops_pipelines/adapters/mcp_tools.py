"""Tools of an MCP server as tools of an agent's registry. What a server says of itself is not believed.

A server tells names, descriptions and schemas. What a call does, whose tool it is and what its arguments claim is declared
here, for each tool by name. A tool that is not declared is not offered, or counts as the worst that a tool can be.

    refund: {effect: money, owner: payments, arguments: {order: id, amount_cents: amount_cents}}
    look:   {effect: read, trusted: true}
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal, InvalidOperation
from typing import Any

from ops_pipelines.agentops.claims import KEYWORD, KINDS
from ops_pipelines.agentops.tool_registry import DESTRUCTIVE, Tool
from ops_pipelines.core.errors import ConfigError, near_miss

REFUSED = "refused"
UNDECLARED = (REFUSED, DESTRUCTIVE)
"""What becomes of a tool that nobody declared: it is not offered, or it is as if it destroyed something."""
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords under which names stand, and not keywords."""
_CONTENT = ("const", "enum", "default", "examples", "example")


@dataclass(frozen=True, slots=True)
class Listed:
    """A tool as its server lists it."""

    name: str
    description: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What is known of a tool by its owner and not by its server.

    `arguments` say what an argument claims (see `agentops.claims`), nested ones with dots. `price_usd` is the most that a
    call can cost. `clean_errors` says that a call that ends in an error has done nothing.
    """

    effect: str
    version: str = "1"
    owner: str = ""
    trusted: bool = False
    idempotent: bool = False
    clean_errors: bool = False
    price_usd: Decimal | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, tool: str, record: Any) -> "Declared":
        """The declaration that plain JSON or YAML tells; ConfigError for one that says something else."""
        known = {one.name for one in fields(cls)}
        if not isinstance(record, Mapping) or "effect" not in record:
            raise _wrong(tool, f"{record!r} says no effect", f"a mapping of {', '.join(sorted(known))}")
        for name in sorted(set(record) - known):
            raise _wrong(tool, f"{name!r} is no fact of a tool. {near_miss(name, known)}", "a fact that is known")
        for name in ("trusted", "idempotent", "clean_errors"):
            if not isinstance(record.get(name, False), bool):
                raise _wrong(tool, f"{name} is {record[name]!r}", "true or false")
        return cls(**{**record, "price_usd": _price(tool, record.get("price_usd"))})


UNKNOWN_TOOL = Declared(effect=DESTRUCTIVE)
"""What is assumed of a tool that nobody declared, where such tools are offered."""


def tools_listed(
    listed: Iterable[Listed], declared: Mapping[str, Declared], *, undeclared: str = REFUSED, prefix: str = ""
) -> tuple[Tool, ...]:
    """The tools of a server that are offered, each name with the prefix; ConfigError for a declared one that it lacks."""
    found = {one.name: one for one in listed}
    for name in declared:
        if name not in found:
            raise _wrong(name, f"its server has no such tool. {near_miss(name, found)}", "a tool that its server lists")
    offered = found if undeclared == DESTRUCTIVE else declared
    return tuple(tool_listed(found[name], declared.get(name, UNKNOWN_TOOL), prefix=prefix) for name in offered)


def tool_listed(listed: Listed, declared: Declared, *, prefix: str = "") -> Tool:
    """One tool of a server, with the facts that were declared of it."""
    return Tool(
        name=prefix + listed.name,
        schema=_claiming(listed, declared.arguments),
        effect=declared.effect,
        version=declared.version,
        description=listed.description,
        idempotent=declared.idempotent,
        owner=declared.owner,
        trusted=declared.trusted,
    )


def _claiming(listed: Listed, arguments: Mapping[str, str]) -> dict[str, Any]:
    """The server's schema with our claims in place of whatever it claims itself."""
    schema: dict[str, Any] = _silenced(listed.schema)
    for path, kind in arguments.items():
        if kind not in KINDS:
            raise _wrong(listed.name, f"{path} is {kind!r}. {near_miss(kind, KINDS)}", f"one of {', '.join(KINDS)}")
        part: Any = schema
        for name in path.split("."):
            known = part.get("properties", {})
            if name not in known:
                raise _wrong(
                    listed.name, f"it has no argument {path!r}. {near_miss(name, known)}", "one of its arguments"
                )
            part = known[name]
        part[KEYWORD] = kind
    return schema


def _silenced(schema: Any, *, named: bool = False) -> Any:
    """A copy without the server's word on what its arguments claim: it could call a destination a text."""
    if isinstance(schema, list):
        return [_silenced(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {key: value for key, value in schema.items() if named or key != KEYWORD}
    if named:
        return {key: _silenced(value) for key, value in kept.items()}
    return {k: v if k in _CONTENT else _silenced(v, named=k in _NAMED) for k, v in kept.items()}


def _price(tool: str, price: Any) -> Decimal | None:
    if price is None:
        return None
    try:
        return Decimal(str(price))
    except InvalidOperation as error:
        raise _wrong(tool, f"price_usd is {price!r}", "dollars, as a number") from error


def _wrong(tool: str, why: str, expected: str) -> ConfigError:
    action = "Correct the declaration of the tool: until then it is not offered"
    return ConfigError(f"The tool {tool!r} cannot be declared so: {why}", expected=expected, action=action, tool=tool)
