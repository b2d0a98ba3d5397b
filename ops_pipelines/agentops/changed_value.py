"""A JSON value with some of its parts replaced, each by its path: what a person edits in a recorded request."""

import copy
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ops_pipelines.core.errors import ConfigError


def changed(value: Any, changes: Mapping[str, Any]) -> Any:
    """A copy of a JSON value with other parts at some paths: names and numbers from 0, with dots between them.

    The last name of a path may be new. ConfigError for a path that leads nowhere, with what is there instead.

    >>> changed({"messages": [{"content": "Judge."}]}, {"messages.0.content": "Judge kindly.", "temperature": 1})
    {'messages': [{'content': 'Judge kindly.'}], 'temperature': 1}
    """
    made = copy.deepcopy(value)
    for path, new in changes.items():
        *above, last = path.split(".")
        holder = made
        for number, part in enumerate(above):
            holder = holder[_key(holder, part, path=path, at=above[:number])]
        if not isinstance(holder, dict):
            last = _key(holder, last, path=path, at=above)
        holder[last] = copy.deepcopy(new)
    return made


def _key(holder: Any, part: str, *, path: str, at: list[str]) -> Any:
    """The key or the number that a part of a path is where it stands."""
    if isinstance(holder, dict) and part in holder:
        return part
    if isinstance(holder, list) and part.isdecimal() and int(part) < len(holder):
        return int(part)
    where = ".".join(at) or "the request"
    near = get_close_matches(part, holder, n=1) if isinstance(holder, dict) else ()
    raise ConfigError(
        f"The path {path!r} leads nowhere: {where} has no {part!r}",
        expected=_what_is_there(holder),
        action=f"Did you mean {near[0]!r}?" if near else "`ops agent step RUN` shows what each step was asked",
        path=path,
    )


def _what_is_there(holder: Any) -> str:
    if isinstance(holder, dict):
        return f"one of {', '.join(sorted(map(str, holder))) or 'nothing: it is empty'}"
    if isinstance(holder, list):
        return f"a number from 0 to {len(holder) - 1}" if holder else "nothing: the list is empty"
    return f"the end of the path: a {type(holder).__name__} has no parts"
