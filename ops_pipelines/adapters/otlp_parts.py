"""How many parts an export request names, told from its bytes before they are read: small bytes may name millions."""

from collections.abc import Mapping

from ops_pipelines.core.errors import DataError

MOST_PARTS = 500_000
"""How many parts (objects, lists, fields) a request may have: fifty for each of ten thousand spans."""
_BELOW: Mapping[str, Mapping[int, str]] = {
    "request": {1: "resource spans"},
    "resource spans": {1: "resource", 2: "scope spans"},
    "resource": {1: "pair"},
    "scope spans": {1: "scope", 2: "span"},
    "scope": {3: "pair"},
    "span": {9: "pair", 11: "event", 13: "link"},
    "event": {3: "pair"},
    "link": {4: "pair"},
    "pair": {2: "value"},
    "value": {5: "values", 6: "pairs"},
    "values": {1: "value"},
    "pairs": {1: "pair"},
}
"""The messages below each message, by their field numbers in opentelemetry.proto."""
_FIXED = {1: 8, 5: 4}
"""The bytes of a value of a fixed length, by its wire type."""


class TooManyParts(DataError):
    """A request that names more parts than one may hold."""


def check_json(content: bytes, most: int = MOST_PARTS) -> None:
    """TooManyParts where a text of JSON may name more; signs inside strings count, too."""
    _check(sum(content.count(sign) for sign in (b"{", b"[", b",")), most)


def _check(parts: int, most: int) -> None:
    if parts > most:
        raise TooManyParts(
            f"The body names more than {most:,} parts",
            expected="fewer spans and attributes in one request",
            action="Send smaller batches: max_export_batch_size of a BatchSpanProcessor",
        )


def check_protobuf(content: bytes, most: int = MOST_PARTS) -> None:
    """TooManyParts where a message has more fields, those below it included; what is no message is left to its reader."""
    waiting, parts = [("request", 0, len(content))], 0
    while waiting:
        kind, at, end = waiting.pop()
        below = _BELOW[kind]
        while 0 <= at < end:
            parts += 1
            _check(parts, most)
            key, at = _number(content, at, end)
            start, at = _value_bounds(content, key & 7, at, end)
            if key & 7 == 2 and key >> 3 in below and 0 <= at <= end:
                waiting.append((below[key >> 3], start, at))


def _value_bounds(content: bytes, wire_type: int, at: int, end: int) -> tuple[int, int]:
    """Where a field's value begins and ends; it ends at -1 where the bytes are no message."""
    if at < 0:
        return at, -1
    if wire_type == 2:
        length, start = _number(content, at, end)
        return start, start + length if start >= 0 else -1
    if wire_type == 0:
        return at, _number(content, at, end)[1]
    return at, at + _FIXED[wire_type] if wire_type in _FIXED else -1


def _number(content: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint and where it ends; -1 where it does not."""
    value = shift = 0
    while at < end and shift < 70:
        byte = content[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
    return 0, -1
