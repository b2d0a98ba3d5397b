"""A Python function as a tool: its signature is the schema, and its docstring what the model reads.

    def refund(order_id: str, amount_cents: Annotated[int, AMOUNT_CENTS], note: str = "") -> str: ...

    tool_of(refund, effect=MONEY, owner="payments")

What the agent says is judged against the schema first, and only then read as the annotated types: a `date` is made of
its text, and no text becomes a number.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

from ops_pipelines.agentops.tool_registry import Tool
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json

if TYPE_CHECKING:
    from pydantic import TypeAdapter


class DoesTool(Protocol):
    """A tool with what does it, given plain JSON that the tool's schema has let through."""

    @property
    def tool(self) -> Tool:
        """The tool, for a registry."""

    def __call__(self, arguments: Mapping[str, Any], /) -> Any:
        """What comes of a call; EffectNotDone where it knows that nothing was done."""


@dataclass(frozen=True, slots=True)
class ToolFunction:
    """A tool with the function that does it. `run` is given plain JSON that the tool's schema has let through."""

    tool: Tool
    function: Callable[..., Any]
    readers: Mapping[str, "TypeAdapter[Any]"]

    def read(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the types of the signature; ValueError for what only the types refuse."""
        return {
            name: self.readers[name].validate_json(canonical_json(value), strict=True)
            for name, value in arguments.items()
        }

    def __call__(self, arguments: Mapping[str, Any]) -> Any:
        """What the function returns for some arguments."""
        return self.function(**self.read(arguments))


def tool_of(function: Callable[..., Any], *, effect: str, name: str = "", **facts: Any) -> ToolFunction:
    """The tool of a function; `facts` are further fields of Tool. ConfigError for a signature that says too little.

    >>> def look(week: str, rows: int = 10) -> str:
    ...     "What happened in a week."
    >>> made = tool_of(look, effect="read").tool
    >>> made.name, made.problems({"week": "2013-01-01", "rows": "5"})
    ('look', ('/rows: "5" is not of type "integer"',))
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    name = name or function.__name__
    parameters = _parameters(function, name)
    try:
        whole: TypeAdapter[Any] = TypeAdapter(cast(Any, function))
        schema = whole.json_schema()
        readers = {parameter: TypeAdapter(annotation) for parameter, annotation in parameters.items()}
    except (PydanticUserError, NameError) as error:
        raise _unreadable(name, str(error).splitlines()[0]) from error
    facts.setdefault("description", inspect.getdoc(function) or "")
    return ToolFunction(Tool(name, schema, effect, **facts), function, readers)


def _parameters(function: Callable[..., Any], name: str) -> dict[str, Any]:
    """Its parameters with their annotations, all of which can be given by name."""
    from typing import get_type_hints

    hints = get_type_hints(function, include_extras=True)
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind not in by_name:
            raise _unreadable(name, f"{parameter} cannot be given by name")
        if parameter.name not in hints:
            raise _unreadable(name, f"{parameter.name!r} has no annotation")
    return {parameter.name: hints[parameter.name] for parameter in parameters}


def _unreadable(name: str, why: str) -> ConfigError:
    return ConfigError(
        f"The function {name!r} cannot be a tool: {why}",
        expected="parameters that are given by name, each annotated with a type that JSON can hold",
        action="Annotate it, and take no *args, **kwargs or positional-only parameters",
        tool=name,
    )
