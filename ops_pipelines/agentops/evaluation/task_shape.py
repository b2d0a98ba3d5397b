"""What may stand where in a file of tasks, and every place where something else does, with its line."""

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any

from ops_pipelines.agentops.evaluation.task import PEOPLE
from ops_pipelines.core.errors import near_miss

ANY = "any"
"""The word for all arguments."""
Mistake = tuple[str, str]
"""Where, as a path, and what is wrong there."""
Check = Callable[[str, Any], Iterator[Mistake]]


def mistakes_in(content: Mapping[str, Any]) -> Iterator[Mistake]:
    """Each mistake of a file's content."""
    yield from _FILE("", content)
    yield from _no_json("", content)


def _no_json(path: str, value: Any) -> Iterator[Mistake]:
    """What YAML makes of a word that was not put in quotes, and JSON cannot hold."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if not isinstance(key, str):
                yield path, f"a name has to be a text, and {key!r} is none: put it in quotes"
            yield from _no_json(f"{path}.{key}".lstrip("."), one)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            yield from _no_json(f"{path}.{at}", one)
    elif not isinstance(value, str | int | float | None) or (isinstance(value, float) and not isfinite(value)):
        yield path, f"{value} is nothing that JSON can hold: put it in quotes"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _text(path: str, value: Any) -> Iterator[Mistake]:
    if not _is_text(value):
        yield path, "this has to be a text that is not blank"


def _anything(_path: str, _value: Any) -> Iterator[Mistake]:
    yield from ()


def _arguments(path: str, value: Any) -> Iterator[Mistake]:
    if value != ANY and not (isinstance(value, dict) and all(map(_is_text, value))):
        yield path, f"arguments are a mapping of names, or the word {ANY}"


def _person(path: str, value: Any) -> Iterator[Mistake]:
    if value not in PEOPLE:
        yield path, f"a person does not {value!r}. {near_miss(str(value), PEOPLE)}"


def _persons(path: str, value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield path, f"a mapping of tools to {', '.join(PEOPLE)}"
        return
    for tool, said in value.items():
        yield from _person(f"{path}.{tool}", said)


def _pair(path: str, value: Any) -> Iterator[Mistake]:
    if not (isinstance(value, list) and len(value) == 2 and all(map(_is_text, value))):
        yield path, "a pair of names of calls, the earlier one first"


def _list_of(check: Check, *, empty: bool = True) -> Check:
    def found(path: str, value: Any) -> Iterator[Mistake]:
        if not isinstance(value, list) or not (value or empty):
            yield path, "this has to be a list" if empty else "this has to be a list with something in it"
            return
        for at, one in enumerate(value):
            yield from check(f"{path}.{at}", one)

    return found


def _mapping(needed: Mapping[str, Check], also: Mapping[str, Check] | None = None) -> Check:
    known = {**needed, **(also or {})}

    def found(path: str, value: Any) -> Iterator[Mistake]:
        if not isinstance(value, dict):
            yield path, f"this has to be a mapping of {', '.join(known)}"
            return
        for key in needed:
            if key not in value:
                yield path, f"there is no {key!r}"
        for key, one in value.items():
            where = f"{path}.{key}".lstrip(".")
            yield from known[key](where, one) if key in known else _unknown(where, str(key), known)

    return found


def _unknown(where: str, key: str, known: Mapping[str, Check]) -> Iterator[Mistake]:
    yield where, f"unknown key {key!r}. {near_miss(key, known)}"


def _answer(path: str, value: Any) -> Iterator[Mistake]:
    if not isinstance(value, dict) or len(value) != 1 or not value.keys() <= {"result", "error"}:
        close = [near_miss(str(key), ("result", "error")) for key in value if isinstance(value, dict)] if value else []
        yield path, " ".join(["an answer has either a 'result' or an 'error'.", *close[:1]])
    elif "error" in value:
        yield from _text(f"{path}.error", value["error"])


_PATTERN = _mapping({"tool": _text}, {"arguments": _arguments})
_ANSWERING = _mapping({"tool": _text, "answers": _list_of(_answer, empty=False)}, {"arguments": _arguments})
_CALL = _mapping({"tool": _text}, {"arguments": _arguments, "name": _text})
_READING = _mapping({"from": _text, "value": _text, "tool": _text, "argument": _text})
_EXPECTED = _mapping(
    {},
    {
        "outcome": _anything,
        "calls": _list_of(_CALL),
        "before": _list_of(_pair),
        "never": _list_of(_PATTERN),
        "reads": _list_of(_READING),
        "may": _list_of(_PATTERN),
    },
)
_TASK = _mapping(
    {"id": _text, "task": _anything, "expected": _EXPECTED},
    {"cluster": _text, "world": _list_of(_ANSWERING), "person": _person, "persons": _persons},
)
_FILE = _mapping({"tasks": _list_of(_TASK, empty=False)})
