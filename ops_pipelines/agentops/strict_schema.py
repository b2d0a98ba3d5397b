"""A tool's JSON schema, read strictly: no key that it does not name, no number that is nearly an integer, nothing converted.

A schema that says nothing of further keys lets all through, and a model that invents one would be believed. So objects
that name their properties are closed; one that says itself what further keys may be keeps what it says.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ops_pipelines.agentops.redaction import named_secrets
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

_EXACT = "x-ops-exact-integer"
_CONTENT = ("const", "enum", "default", "examples", "example")
"""Keywords that hold values and no schemas."""
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords that hold schemas by name."""
_PARTS = ("allOf", "if", "then", "else", "dependentSchemas", "$ref")
"""Keywords through which an object's properties are named in several places, which are closed as a whole."""
_SHOWN = 5


class StrictSchema:
    """A compiled schema of a tool's arguments; ConfigError for one that cannot judge, or that looks outside itself.

    >>> schema = StrictSchema("add", {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})
    >>> [schema.problems({"a": a}) for a in (5, "5")]
    [(), ('/a: "5" is not of type "integer"',)]
    >>> schema.problems({"a": 5, "b": 1})
    ("Additional properties are not allowed ('b' was unexpected)",)
    """

    def __init__(self, tool: str, schema: Mapping[str, Any]) -> None:
        from jsonschema_rs import ValidationError

        try:
            self._validator = _compiled(schema)
        except (ValidationError, ValueError, TypeError, RecursionError) as error:
            raise ConfigError(
                f"The schema of the tool {tool!r} cannot judge: {str(error).splitlines()[0]}",
                expected="a JSON schema of draft 2020-12 of an object, which refers to nothing outside itself",
                action="Correct the schema where the tool is declared",
                tool=tool,
            ) from error

    def problems(self, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """Why some arguments are none of this tool's, each with where; empty for good ones. They must be plain JSON.

        What stands under a name such as `password` is not told.
        """
        if self._validator.is_valid(arguments):
            return ()
        found = sorted(self._validator.iter_errors(arguments), key=lambda error: list(map(str, error.instance_path)))
        secrets = sorted(named_secrets(arguments), key=len, reverse=True)
        return tuple(_told(error.instance_path, _without(error.message, secrets)) for error in found[:_SHOWN])


def closed(schema: Mapping[str, Any]) -> Any:
    """The schema with every object closed that names its properties and does not say what else it may hold.

    An object within that names none may hold anything; a tool that names none takes none.
    """
    whole = _closed(schema, is_part=False)
    return {"additionalProperties": False, **whole} if schema.get("properties") == {} else whole


class _Exact:
    """5.0 is an integer to JSON Schema, and another thing to the function that gets it."""

    def __init__(self, *_: Any) -> None:
        pass

    def validate(self, value: Any) -> None:
        """ValueError for a float."""
        if isinstance(value, float):
            raise ValueError(f'{value} is not of type "integer"')


def _compiled(schema: Mapping[str, Any]) -> "Draft202012Validator":
    from jsonschema_rs import Draft202012Validator

    if schema.get("type") != "object":
        raise ValueError(f"its type is {schema.get('type')!r}")
    keywords: dict[str, Any] = {_EXACT: _Exact}
    return Draft202012Validator(closed(schema), keywords=keywords, validate_formats=True, offline=True)


def _closed(schema: Any, *, is_part: bool) -> Any:
    if isinstance(schema, list):
        return [_closed(part, is_part=is_part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    made = {key: _under(key, value) for key, value in schema.items()}
    if _is_integer(schema.get("type")):
        made[_EXACT] = True
    if schema.get("properties") and not is_part:
        has_parts = any(key in schema for key in (*_PARTS, "anyOf", "oneOf"))
        made.setdefault("unevaluatedProperties" if has_parts else "additionalProperties", False)
        if has_parts and "additionalProperties" in schema:
            del made["unevaluatedProperties"]
    return made


def _under(key: str, value: Any) -> Any:
    if key in _CONTENT:
        return value
    if key in _NAMED and isinstance(value, Mapping):
        is_part = key == "dependentSchemas"
        return {name: _closed(schema, is_part=is_part) for name, schema in value.items()}
    return _closed(value, is_part=key in ("allOf", "if", "then", "else"))


def _is_integer(kind: Any) -> bool:
    """Whether a type lets integers through and no other numbers."""
    kinds = kind if isinstance(kind, list) else [kind]
    return "integer" in kinds and "number" not in kinds


def _without(message: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        message = message.replace(json.dumps(secret, ensure_ascii=False)[1:-1], "***")
    return message


def _told(path: list[Any], message: str) -> str:
    where = "".join(f"/{part}" for part in path)
    return f"{where}: {message}"[:300] if where else message[:300]
