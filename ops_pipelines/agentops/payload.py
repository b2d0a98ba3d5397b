"""What went into a step and what came out of it, as bytes under their digest. What is too big is shortened, never dropped.

A payload is plain JSON. The agent is given what JSON can hold of a result, so that it sees the same thing live and in a
replay.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, short

LIMIT_BYTES = 1 << 20
"""How many bytes of a payload are kept unless somebody says otherwise."""
_DEEPEST = 64
_LONGEST_INTEGER_BITS = 4096
_WORD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Payload:
    """Some bytes of JSON under a digest; `size` is how many there were, and `content` holds fewer where they were too many.

    The digest is of `content` where that is whole, and of all that there was where it was shortened: two big results
    that differ at their ends are told apart.
    """

    digest: str
    size: int
    content: bytes

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return digest_bytes(self.content) == self.digest

    def value(self) -> Any:
        """The value, a fresh one each time; DataError where it was shortened."""
        if not self.is_whole:
            raise DataError(
                f"The payload {short(self.digest)} was shortened from {self.size:,} bytes to {len(self.content):,}",
                expected="a whole one, where it is to be given to an agent again",
                action="Raise the limit of the recorder, or have the tool answer with less",
                digest=self.digest,
            )
        return json.loads(self.content)

    def shown(self) -> Any:
        """The value as far as it was kept, for people."""
        return json.loads(self.content)


def payload_of(value: Any) -> Payload:
    """A plain value as a whole payload."""
    content = canonical_json(value)
    return Payload(digest_bytes(content), len(content), content)


def plain(value: Any, *, depth: int = 0) -> Any:
    """What JSON can hold of any value. It never raises: what JSON cannot hold becomes text.

    >>> plain({"when": float("nan"), 1: (b"raw", {"b"})})
    {'when': 'nan', '1': ["b'raw'", ['b']]}
    """
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float):
        return _number(value)
    if isinstance(value, dict | list) or _is_nested(value):  # to look for abstract kinds takes ten times as long
        return _nested(value, depth + 1) if depth < _DEEPEST else f"nested deeper than {_DEEPEST}"
    return _shown(value)


def names_and_values(value: Any) -> Iterator[Any]:
    """The names of mappings and the plain values in a plain value, in the order in which they stand."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield name
            yield from names_and_values(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from names_and_values(one)
    else:
        yield value


def shortened(value: Any, limit_bytes: int) -> Any:
    """As much of a plain value, from its start, as fits into about so many bytes, and what was left out said in it.

    A text ends before a word that would be cut: half a key of some service would be known as one by nobody.
    """
    return _within(value, [limit_bytes])


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping | Set | Sequence) and not isinstance(value, bytes | bytearray | memoryview)


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, dict | Mapping):
        return {_name(name): plain(one, depth=depth) for name, one in value.items()}
    ordered = sorted(value, key=_shown) if not isinstance(value, list) and isinstance(value, Set) else value
    return [plain(one, depth=depth) for one in ordered]


def _within(value: Any, left: list[int]) -> Any:
    if isinstance(value, str):
        return _cut(value, left)
    if isinstance(value, dict):
        return _cut_mapping(value, left)
    if isinstance(value, list):
        return _cut_list(value, left)
    left[0] -= 8
    return value


def _cut(text: str, left: list[int]) -> str:
    encoded = text.encode()
    if len(encoded) <= left[0]:
        left[0] -= len(encoded) + 2
        return text
    room, left[0] = max(left[0], 0), 0
    kept = encoded[:room].decode(errors="ignore")
    words = kept.rsplit(None, 1)
    whole = words[0] if len(words) == 2 and len(words[1]) <= _WORD_BYTES else kept[:-_WORD_BYTES]
    return f"{whole} [{len(encoded) - len(whole.encode()):,} bytes more]"


def _cut_list(values: list[Any], left: list[int]) -> list[Any]:
    kept: list[Any] = []
    for value in values:
        if left[0] <= 0:
            return [*kept, f"[{len(values) - len(kept):,} items more]"]
        kept.append(_within(value, left))
    return kept


def _cut_mapping(values: dict[str, Any], left: list[int]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in values.items():
        if left[0] <= 0:
            return {**kept, "[more]": f"[{len(values) - len(kept):,} keys more]"}
        kept[_cut(name, left)] = _within(value, left)
    return kept


def _text(text: str) -> str:
    """The text itself, or with the halves of characters that UTF-8 cannot hold written out."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


def _name(key: object) -> str:
    return _text(key) if isinstance(key, str) else _shown(key)


def _number(value: float | None) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return int(value) if value.bit_length() <= _LONGEST_INTEGER_BITS else hex(value)


def _shown(value: object) -> str:
    try:
        return _text(repr(value))
    except Exception:  # a result that cannot even be shown must not lose the step
        return f"a {type(value).__name__} that cannot be shown"
