"""When a value is what was expected: every part that was named is there, and equal."""

from collections.abc import Iterator, Mapping
from typing import Any

ABSENT = object()
"""What stands at a path that a value does not have."""


def is_within(expected: Any, value: Any) -> bool:
    """Whether a value has all that is expected. A mapping may have more keys; a list has to have as many items.

    >>> is_within({"to": "r7"}, {"to": "r7", "why": "drift"})
    True
    >>> is_within([1], [1, 2]), is_within(1, True)
    (False, False)
    """
    if isinstance(expected, Mapping):
        return isinstance(value, Mapping) and all(
            key in value and is_within(one, value[key]) for key, one in expected.items()
        )
    if isinstance(expected, list | tuple):
        return isinstance(value, list | tuple) and len(value) == len(expected) and all(map(is_within, expected, value))
    return is_same(expected, value)


def is_same(one: Any, other: Any) -> bool:
    """Whether two plain values are equal; true is not 1, and 1 is 1.0."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def value_at(path: str, value: Any) -> Any:
    """What stands at a path such as `releases.0.digest`; ABSENT where nothing does."""
    for key in path.split(".") if path else ():
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return ABSENT
    return value


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each plain value within a value, with its path."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for at, one in enumerate(value):
            yield from leaves(one, f"{path}.{at}".lstrip("."))
    else:
        yield path, value


def differing(expected: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Where a value is not what was expected: each path, with what was expected there and what is there."""
    if isinstance(expected, Mapping) and isinstance(value, Mapping):
        for key, one in expected.items():
            yield from _under(str(key), one, value.get(key, ABSENT))
    elif isinstance(expected, list | tuple) and isinstance(value, list | tuple) and len(expected) == len(value):
        for at, (one, other) in enumerate(zip(expected, value, strict=True)):
            yield from _under(str(at), one, other)
    elif not is_within(expected, value):
        yield "", expected, value


def _under(key: str, expected: Any, value: Any) -> Iterator[tuple[str, Any, Any]]:
    for path, one, other in differing(expected, value):
        yield f"{key}.{path}".rstrip("."), one, other
