"""When two steps of an agent are the same: also where only the ids of the messages themselves differ.

A loop seldom repeats to the byte. Each round has its own request id, time and attempt. A worker on 500 records, too, makes
500 calls that differ in an id, and is no loop. They are told apart by what an id is for:

- what a name says is about the message (`request_id`, `attempt`, `sent_at`, ...) says nothing, whatever its value;
- a `session_id`, and an `id` or `ticket` that was drawn and not counted, say nothing where the call says something else;
- a UUID, a long hexadecimal number or a time of day within a text says nothing either, unless it was listed before: by the
  user, or in a result with several of its kind. What was listed is worked through;
- `record_id`, `rec-0017` and 17 are what the call is about, and so is an id beside which the call says nothing else;
- an id that the step before handed on is part of the round.

In results every id says nothing, since the arguments decide. Progress ("41% done") is no id.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from ops_pipelines.core.fingerprint import digest_json

_ANY = "*"
_MESSAGE_NAME, _EXCHANGE_NAME, _HANDLE_NAME, _SUBJECT_NAME = "message", "exchange", "handle", "subject"
_NOTHING = (_ANY, "", None)
_MESSAGE = re.compile(
    r"(?:request|req|correlation|trace|span|call|idempotency|nonce|attempt|retry|retries|try|timestamp|time|ts|now|sent)"
    r"(?:_?(?:id|key|no|number|count|at))?",
    re.IGNORECASE,
)
_EXCHANGE = re.compile(
    r"(?:message|msg|session|conversation|thread|event|cursor|turn|step|iteration|round|seq|sequence|reply_to|in_reply_to"
    r"|parent|created|updated|run|ref|uid|uuid|guid)(?:_?(?:id|key|no|number|at))?",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"id|handle|ticket|token|key", re.IGNORECASE)
_DRAWN = re.compile(r"(?=[^\d]*\d)(?![A-Za-z]*[-_#]?0*\d{1,5}$)[0-9A-Za-z_-]{6,}")
"""An id that was drawn and not counted: 17, rec-0017 and 000017 are counted."""
_SUBJECT = re.compile(r"(?:.*_ids?|.*[a-z]Ids?)$")
_TIME = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
_FORMED = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9a-z])(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{8,}(?![0-9a-z])"
    r"|(?<![0-9A-Za-z])[0-9A-HJKMNP-TV-Z]{26}(?![0-9A-Za-z])"
    r"|(?<![\d.])\d{10,}(?![\d.])",
    re.IGNORECASE,
)
_TIMES = re.compile(_TIME)
_WORD, _DIGIT = re.compile(r"[0-9A-Za-z.-]{8,}"), re.compile(r"\d")
_COUNTED = re.compile(r"\b[A-Za-z]{1,12}[-_#]?\d+\b|#\d+")
_TOLD = re.compile(r"[0-9A-Za-z_-]{4,}")
_A_LIST, _IN_TEXT = 3, 5
"""So many ids under one name in a result, or in a plain text, are a list to work through; fewer are handles."""


def ids_listed(text: str) -> frozenset[str]:
    """The ids that a result lists: several under the same name, or in a plain text."""
    found: dict[str, set[str]] = {}
    for path, value in _leaves("", _as_json(text)):
        found.setdefault(path, set()).update(ids_told(str(value)))
    # A plain text about one thing may tell a few of its ids.
    return frozenset(one for path, ids in found.items() if len(ids) >= (_A_LIST if path else _IN_TEXT) for one in ids)


def ids_told(text: str) -> frozenset[str]:
    """The ids that a person's words name, or could: every word with a digit in it."""
    words = (word for word in _TOLD.findall(text) if _DIGIT.search(word))
    return frozenset(word.lower() for word in words) | ids_in(text)


def ids_in(text: str) -> frozenset[str]:
    """All ids of a text by their form."""
    words = (word for word in _WORD.findall(text) if _DIGIT.search(word))  # most words are told from ids by a look
    return frozenset(found for word in words for found in _FORMED.findall(word.lower()))


def key_of(
    who: str,
    tool: str,
    arguments: Mapping[str, Any],
    result: str,
    *,
    listed: frozenset[str] | set[str] = frozenset(),
    handed_on: frozenset[str] = frozenset(),
) -> str:
    """A digest that two steps share where they are the same; `handed_on` are the ids of the results just before.

    >>> one, two = ({"q": "late?", "request_id": number} for number in (1, 2))
    >>> key_of("a", "ask", one, "no") == key_of("a", "ask", two, "no")
    True
    >>> key_of("a", "ask", {"record": 1}, "no") == key_of("a", "ask", {"record": 2}, "no")
    False
    """
    said = {name: _without_ids(name, value, listed, handed_on) for name, value in arguments.items()}
    if all(value in _NOTHING for _, value in _leaves("", said)):
        # It is about nothing else: the ids are what it is about, but for those of the message.
        said = {name: _ANY if _MESSAGE.fullmatch(name) else value for name, value in arguments.items()}
    return digest_json([who, tool, said, _result("", _as_json(result))])


def _is_of_the_message(name: str, text: str, listed: frozenset[str] | set[str]) -> bool:
    """Whether a value is about the message itself; a `message` of several words is what it says."""
    kind = _kind_of(name)
    if kind == _MESSAGE_NAME or text.lower() in listed:
        return kind == _MESSAGE_NAME
    if kind == _EXCHANGE_NAME:
        return bool(_DIGIT.search(text)) and " " not in text
    return kind == _HANDLE_NAME and bool(_DRAWN.fullmatch(text))


@lru_cache(maxsize=4096)
def _kind_of(name: str) -> str:
    names = {_MESSAGE_NAME: _MESSAGE, _EXCHANGE_NAME: _EXCHANGE, _HANDLE_NAME: _HANDLE, _SUBJECT_NAME: _SUBJECT}
    return next((kind for kind, form in names.items() if form.fullmatch(name)), "")


def _without_ids(name: str, value: Any, listed: frozenset[str] | set[str], handed_on: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without_ids(key, part, listed, handed_on) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_ids(name, part, listed, handed_on) for part in value]
    text = str(value)
    if _is_of_the_message(name, text, listed):
        return _ANY
    ids = set() if isinstance(value, bool | None) else set(ids_in(text))
    if isinstance(value, str) and _TIMES.search(text) and not _TIMES.fullmatch(text):
        value = _TIMES.sub(_ANY, text)
    may_go = ids - set(listed)
    if ids and _SUBJECT.fullmatch(name):
        may_go &= handed_on
    return _struck(value, may_go)


def _struck(value: Any, ids: set[str]) -> Any:
    if not ids:
        return value
    return _FORMED.sub(lambda found: _ANY if found[0].lower() in ids else found[0], str(value))


def _result(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _result(key, part) for key, part in value.items()}
    if isinstance(value, list):
        return [_result(name, part) for part in value]
    if _kind_of(name) and " " not in str(value):
        return _ANY
    if isinstance(value, str) and _DIGIT.search(value):
        for form in (_TIMES, _FORMED, _COUNTED):
            value = form.sub(_ANY, value)
    return value


@lru_cache(maxsize=4)
def _as_json(text: str) -> Any:
    """A result as JSON, read once for all who look at it, and changed by none of them."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each plain value with its name; the values of a list share one."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(f"{path}.{key}", part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(path or "[]", part)
    else:
        yield path, value
