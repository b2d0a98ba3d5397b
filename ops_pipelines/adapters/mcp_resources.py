"""Resources of an MCP server, each as a tool that takes nothing and reads: so it is judged, counted and recorded like any.

    resources:
      runbook: {uri: "file:///runbook.md", description: What to do when it drifts.}

What a resource holds was written by a server, or by whoever writes where it reads: it is never trusted. Which there are is
the operator's word, and so is what they are for.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from ops_pipelines.agentops.tool_registry import READ, Tool
from ops_pipelines.core.errors import ConfigError, near_miss

_NO_ARGUMENTS = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class DeclaredResource:
    """A resource that is offered: its address as its server lists it, and what a model is told of it."""

    uri: str
    description: str = ""

    @classmethod
    def from_json(cls, name: str, record: Any) -> "DeclaredResource":
        """The declaration that plain JSON or YAML tells; ConfigError for one that says something else."""
        known = [one.name for one in fields(cls)]
        if not isinstance(record, Mapping) or not record.get("uri"):
            raise _wrong(name, f"{record!r} says no uri"[:200], "a mapping of uri and description")
        for key in record:
            if key not in known:
                raise _wrong(
                    name, f"{key!r} is no fact of a resource. {near_miss(str(key), known)}", "uri, description"
                )
        return cls(**{key: str(value) for key, value in record.items()})


def resources_listed(
    listed: Collection[str], declared: Mapping[str, DeclaredResource], *, prefix: str = ""
) -> tuple[Tool, ...]:
    """The declared resources as tools, each name with the prefix; ConfigError for one that its server does not list."""
    for name, one in declared.items():
        if one.uri not in listed:
            raise _wrong(
                name, f"its server lists no {one.uri!r}. {near_miss(one.uri, listed)}", "a resource of its server"
            )
    return tuple(
        Tool(prefix + name, _NO_ARGUMENTS, READ, version=one.uri, description=one.description)
        for name, one in declared.items()
    )


def content_of(contents: Iterable[Any]) -> list[dict[str, Any]]:
    """What a resource holds, as the content of a tool's result: its texts, and what is no text with its address."""
    plain = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in contents]
    return [
        {"type": "text", "text": part["text"]} if "text" in part else {"type": "resource", "resource": part}
        for part in plain
    ]


def _wrong(name: str, why: str, expected: str) -> ConfigError:
    action = "Correct the declaration of the resource: until then it is not offered"
    return ConfigError(f"The resource {name!r} cannot be declared so: {why}", expected=expected, action=action)
