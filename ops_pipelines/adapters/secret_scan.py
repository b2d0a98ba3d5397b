"""Secrets in a text, found by detect-secrets: the line and the kind of each, and never the secret itself.

Its detectors for keys of known shapes and for `password = ...` see each line as it is. Its detector of random letters only
looks into quotes, and prose has few, so each long word with a digit is shown to it in quotes. Hexadecimal words are left
out: in this project they are digests. A line with `pragma: allowlist secret`, its own mark, is not looked at. A very long
line is looked at in pieces that overlap: its detectors take time by the square of a line's length.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

_QUIET = frozenset({"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"})
_LONG_WORD = re.compile(r"(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}")
_PIECE, _OVERLAP = 1_000, 300
_HEX = re.compile(r"[0-9a-f-]+", re.IGNORECASE)


def find_secrets(text: str) -> tuple[tuple[int, str], ...]:
    """The line (from 1) and the kind of everything in a text that looks like a secret; empty for none."""
    lines = enumerate(text.split("\n"), start=1)
    return tuple((number, kind) for number, line in lines for kind in sorted(set(_kinds(line, number))))


def _kinds(line: str, number: int) -> Iterator[str]:
    if "pragma: allowlist" in line:
        return
    for piece in _pieces(line):
        yield from _kinds_in(piece, number)


def _pieces(line: str) -> Iterator[str]:
    for begin in range(0, max(len(line) - _OVERLAP, 1), _PIECE - _OVERLAP):
        yield line[begin : begin + _PIECE]


def _kinds_in(line: str, number: int) -> Iterator[str]:
    named, random = _detectors()
    for detector in named:
        yield from (found.type for found in detector.analyze_line("text", line, number))
    for word in _LONG_WORD.findall(line):
        if not _HEX.fullmatch(word):
            yield from (found.type for found in random.analyze_line("text", f'"{word}"', number))


@cache
def _detectors() -> tuple[tuple[Any, ...], Any]:
    """The detectors of known shapes, and the one of random letters."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    classes = {kind.__name__: kind for kind in get_mapping_from_secret_type_to_class().values()}
    named = tuple(classes[name]() for name in sorted(classes) if name not in _QUIET)
    return named, classes["Base64HighEntropyString"](limit=4.0)
