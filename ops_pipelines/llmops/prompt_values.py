"""What may be placed in a prompt: each value is declared by name and kind, and is plain data."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from ops_pipelines.core.errors import near_miss
from ops_pipelines.llmops.template import RenderError

MAX_VALUE_CHARS = 1_000_000
"""The longest value, all of its texts together."""


def check_values(prompt: str, declared: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Raises RenderError for the first value that is missing, not declared, of another kind, or too long."""
    for name in declared:
        if name not in values:
            raise _missing(prompt, name, [given for given in values if given not in declared])
    for name, value in values.items():
        if name not in declared:
            raise _extra(prompt, name, declared)
        if not KINDS[declared[name]](value):
            raise _of_another_kind(prompt, name, declared[name], value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_VALUE_CHARS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and abs(value) < 1e18


def _is_scalar(value: Any) -> bool:
    return _is_text(value) or _is_number(value) or isinstance(value, bool)


def _is_item(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_scalar(inner) for key, inner in value.items())
    return _is_scalar(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_item, value)) and _length(value) <= MAX_VALUE_CHARS


def _length(items: Any) -> int:
    parts = [part for item in items for part in (item.values() if isinstance(item, Mapping) else [item])]
    return sum(len(part) for part in parts if isinstance(part, str))


KINDS: Mapping[str, Callable[[Any], bool]] = {
    "text": _is_text,
    "number": _is_number,
    "flag": lambda value: isinstance(value, bool),
    "list": _is_list,
}
"""The kinds that a variable can be declared as, and what a value of each is."""
_WORDS = {
    "text": f"a text of at most {MAX_VALUE_CHARS:,} characters",
    "number": "a finite number below 1e18",
    "flag": "true or false",
    "list": f"a list of texts, numbers or mappings of them, of at most {MAX_VALUE_CHARS:,} characters in all",
}


def _missing(prompt: str, name: str, strange: list[str]) -> RenderError:
    near = near_miss(name, strange)
    return RenderError(
        f"The prompt {prompt!r} is given no {name!r}",
        expected="a value for each declared variable",
        action=f"{near} It takes no such value" if near.endswith("?") else f"Pass {name!r}",
        prompt=prompt,
        variable=name,
    )


def _extra(prompt: str, name: str, declared: Mapping[str, str]) -> RenderError:
    return RenderError(
        f"The prompt {prompt!r} takes no {name!r}",
        expected="values for its declared variables and no others",
        action=near_miss(name, declared),
        prompt=prompt,
        variable=name,
    )


def _of_another_kind(prompt: str, name: str, kind: str, value: Any) -> RenderError:
    return RenderError(
        f"The value of {name!r} for the prompt {prompt!r} is {type(value).__name__} and no {kind} that can be placed",
        expected=_WORDS[kind],
        action="Convert it, or declare the variable as another kind",
        prompt=prompt,
        variable=name,
    )
