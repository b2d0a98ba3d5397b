"""What an MCP tool returns as plain JSON for a gate, and back: what is said twice in it is kept once.

A server that returns structured content says the same again as text, for clients that read no other. To judge, to record
and to search it twice would only take longer.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ops_pipelines.core.fingerprint import canonical_json

CONTENT, STRUCTURED, META = "content", "structuredContent", "_meta"
_KEYS = {CONTENT, STRUCTURED, META}
_WRAPPED = {"result"}
"""How a result that is no object is wrapped into one."""


def kept_once(
    content: Sequence[Mapping[str, Any]], structured: Any, meta: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """A result as plain JSON; without its text where that only repeats what is structured."""
    whole = _kept_once(content, structured)
    return {**whole, META: dict(meta)} if meta else whole


def _kept_once(content: Sequence[Mapping[str, Any]], structured: Any) -> dict[str, Any]:
    if structured is None:
        return {CONTENT: list(content)}
    if len(content) == 1 and content[0].keys() == {"type", "text"} and _repeats(content[0]["text"], structured):
        return {STRUCTURED: structured}
    return {CONTENT: list(content), STRUCTURED: structured}


def is_result(value: Any) -> bool:
    """Whether a value is what `kept_once` makes."""
    return isinstance(value, Mapping) and bool(value.keys() & {CONTENT, STRUCTURED}) and value.keys() <= _KEYS


def told_twice(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result as a client is given it, its text put back."""
    if CONTENT in result:
        return dict(result)
    structured = result[STRUCTURED]
    inner = structured["result"] if structured.keys() == _WRAPPED else structured
    text = inner if isinstance(inner, str) else canonical_json(inner).decode()
    return {**result, CONTENT: [{"type": "text", "text": text}]}


def _repeats(text: str, structured: Any) -> bool:
    if not isinstance(structured, Mapping):
        return False
    inner = structured["result"] if structured.keys() == _WRAPPED else structured
    if text == inner:
        return True
    try:
        return bool(json.loads(text) == inner)
    except ValueError:
        return False
