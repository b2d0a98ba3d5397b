"""Documents cut into the pieces that are retrieved, each with the place that it was cut from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ops_pipelines.core.errors import check_settings
from ops_pipelines.llmops.corpus import Chunk, Document, chunk_of

_HEADING = re.compile(r"^#{1,6} ", re.MULTILINE)
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?;]) "), re.compile(r" "))
"""Where a text may be cut, the best place first."""
_VERSION = "passages-1"


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts at headings, then at paragraphs, lines, sentences and words, into pieces of at most `max_chars`.

    Pieces do not overlap: each character that is not blank is in one of them, and `text[position:]` begins with it.
    """

    max_chars: int = 1200

    def __post_init__(self) -> None:
        check_settings(self, "chunker", max_chars=(self.max_chars >= 40, "at least 40 characters"))

    @property
    def id(self) -> str:
        """What the pin of an index says of how its texts were cut."""
        return f"{_VERSION}/{self.max_chars}"

    def chunks(self, document: Document) -> tuple[Chunk, ...]:
        """The pieces of a document in their order; none of a blank one."""
        return tuple(chunk_of(document.id, start, text) for start, text in _pieces(document.text, self.max_chars))


def _pieces(text: str, limit: int) -> Iterator[tuple[int, str]]:
    heads = [found.start() for found in _HEADING.finditer(text)]
    for start, end in pairwise(sorted({0, len(text), *heads})):
        at = start
        while at < end:
            cut = end if end - at <= limit else at + _best_cut(text[at : at + limit])
            piece = text[at:cut]
            if piece.strip():
                yield at + len(piece) - len(piece.lstrip()), piece.strip()
            at = cut


def _best_cut(window: str) -> int:
    """Where to cut a piece that is too long: behind the last break of the best kind in its second half."""
    for kind in _BREAKS:
        ends = [found.end() for found in kind.finditer(window) if found.end() > len(window) // 2]
        if ends:
            return ends[-1]
    return len(window)
