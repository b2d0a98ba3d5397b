"""Where two JSON values are not the same, by their paths."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

NOTHING = object()
"""Stands for what only the other value has."""


def differences(one: Any, other: Any, at: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Each place at which two values differ, with what either has there, or NOTHING.

    >>> list(differences({"live": "a", "moves": [1, 2]}, {"live": "a", "moves": [1, 3]}))
    [('moves.1', 2, 3)]
    """
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*one, *other)):
            yield from differences(one.get(name, NOTHING), other.get(name, NOTHING), _under(at, name))
    elif isinstance(one, list) and isinstance(other, list):
        for number, pair in enumerate(zip_longest(one, other, fillvalue=NOTHING)):
            yield from differences(*pair, _under(at, number))
    elif one != other:
        yield at, one, other


def _under(at: str, name: object) -> str:
    return f"{at}.{name}" if at else str(name)
