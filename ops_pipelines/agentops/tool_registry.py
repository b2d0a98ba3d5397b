"""Which tools an agent has, what each may be called with, and what a call does to the world.

The registry's digest is part of the agent's release: a tool that was added, renamed, given another schema or another
effect makes another release. What a tool is called with is judged as it stands: nothing is converted, and a key that the
schema does not name is refused (`strict_schema`).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ops_pipelines.agentops.strict_schema import StrictSchema
from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.fingerprint import digest_json

READ, WRITE, EGRESS, MONEY, DESTRUCTIVE = "read", "write", "egress", "money", "destructive"
EFFECTS = (READ, WRITE, EGRESS, MONEY, DESTRUCTIVE)
"""What a call does, from looking at what is ours to what cannot be taken back. Fetching a page is egress: its address
leaves, and what comes back was written by strangers."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as its owner declares it. `schema` is the JSON schema of its arguments, an object.

    `idempotent` says that a call that is done twice has the effect of one. `trusted` says that nobody outside can write
    into what it returns, so that an id found there is as good as the operator's word; what an egress tool returns is not.
    """

    name: str
    schema: Mapping[str, Any]
    effect: str
    version: str = "1"
    description: str = ""
    idempotent: bool = False
    owner: str = ""
    trusted: bool = False
    _compiled: StrictSchema = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name or self.effect not in EFFECTS:
            raise ConfigError(
                f"The effect of the tool {self.name!r} is {self.effect!r}",
                expected=f"a name, and an effect among {', '.join(EFFECTS)}",
                action=f"Declare what a call does. {near_miss(self.effect, EFFECTS)}",
                tool=self.name,
            )
        if self.trusted and self.effect == EGRESS:
            raise ConfigError(
                f"The tool {self.name!r} fetches from outside, and what it returns is declared as trusted",
                expected="that what strangers wrote is not trusted",
                action="Declare trusted=False, or another effect where it reads what is ours",
                tool=self.name,
            )
        object.__setattr__(self, "_compiled", StrictSchema(self.name, self.schema))

    @property
    def has_effect(self) -> bool:
        """Whether a call changes something, or lets something out."""
        return self.effect != READ

    def problems(self, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Why it cannot be called with these arguments; empty where it can."""
        return self._compiled.problems(arguments)

    def to_json(self) -> dict[str, Any]:
        """What decides how the tool is used, as plain JSON."""
        names = ("name", "version", "effect", "description", "idempotent", "owner", "trusted")
        return {name: getattr(self, name) for name in names} | {"schema": dict(self.schema)}

    @property
    def digest(self) -> str:
        """The tool's identity."""
        return digest_json(self.to_json())


class ToolRegistry:
    """The tools of one agent by name; ConfigError where two have the same.

    >>> look = Tool("look", {"type": "object", "properties": {"week": {"type": "string"}}}, READ)
    >>> ToolRegistry([look]).problems("lok", {})
    ("there is no tool 'lok'. Did you mean 'look'?",)
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise ConfigError(
                    f"Two tools are called {tool.name!r}",
                    expected="one tool of each name",
                    action="Rename one of them",
                    tool=tool.name,
                )
            self._tools[tool.name] = tool
        self.digest = digest_json({name: tool.digest for name, tool in self._tools.items()})

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def get(self, name: str) -> Tool | None:
        """The tool of exactly this name; None where there is none."""
        return self._tools.get(name)

    def problems(self, name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Why a call cannot be made: no such tool, or arguments that are none of its; empty where it can."""
        tool = self._tools.get(name)
        if tool is None:
            return (f"there is no tool {name!r}. {near_miss(name, self._tools)}",)
        return tool.problems(arguments)
