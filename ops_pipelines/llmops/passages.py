"""How retrieved text stands in a conversation, so that its reader can cite it and it cannot pass for anything else.

A passage is a line with its citation, `[document#chunk]`, and its text, indented:

    [docs/rollback.md#2]
        To roll back, run `ops rollback SYSTEM`.

Since every line of the text is indented, no document can begin a passage of its own, end one, or stand where instructions
stand. `read_passages` also accepts text that begins on the citation's line or is not indented, which prompts of
other makers have; there a blank line ends the passage.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_CITATION = re.compile(r"\[([^\[\]\n#]+)#([^\[\]\n#]+)\]")
_INDENT = "    "
_MARKS = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "%[]#\r\n"})


@dataclass(frozen=True, slots=True)
class Passage:
    """Some text of a document, and where in it the text stands."""

    document: str
    chunk: str
    text: str

    @property
    def citation(self) -> str:
        """How an answer names it. What would end a citation early is written as in an address, `%23` for `#`."""
        return f"[{self.document.translate(_MARKS)}#{self.chunk.translate(_MARKS)}]"


def render_passages(passages: Iterable[Passage]) -> str:
    """Passages as the text of a prompt, which `read_passages` reads back.

    >>> print(render_passages([Passage("a.md", "1", "One line.")]))
    [a.md#1]
        One line.
    """
    return "\n".join(f"{passage.citation}\n{_indented(passage.text)}" for passage in passages)


def read_passages(text: str) -> tuple[tuple[Passage, ...], str]:
    r"""The passages of a text in their order, and what is left of the text without them.

    >>> read_passages("Use this.\n[a.md#1] It is so.\n\nWhy is it so?")
    ((Passage(document='a.md', chunk='1', text='It is so.'),), 'Use this.\nWhy is it so?')
    """
    found: list[tuple[str, str, list[str]]] = []
    rest: list[str] = []
    inside, indented = False, False
    for line in text.splitlines():
        marker = _CITATION.match(line)
        if marker:
            found.append((unquote(marker[1]), unquote(marker[2]), [line[marker.end() :].strip()]))
            inside, indented = True, False
        elif inside and _belongs(line, indented):
            indented = indented or line.startswith((" ", "\t"))
            found[-1][2].append(line.strip())
        elif inside and not line.strip():
            inside = False
        else:
            inside = False
            rest.append(line)
    passages = tuple(Passage(document, chunk, "\n".join(lines).strip()) for document, chunk, lines in found)
    return passages, "\n".join(rest)


def cited(text: str) -> tuple[str, ...]:
    """The citations of an answer, each once, in their order.

    >>> cited("It is so [a.md#1]. And so [b.md#2] [a.md#1].")
    ('[a.md#1]', '[b.md#2]')
    """
    return tuple(dict.fromkeys(match[0] for match in _CITATION.finditer(text)))


def _belongs(line: str, indented: bool) -> bool:
    """Whether a line goes on with the passage: where its text is indented, the indented and blank ones do."""
    if indented:
        return line.startswith((" ", "\t")) or not line.strip()
    return bool(line.strip())


def _indented(text: str) -> str:
    """The text with every line indented; `splitlines` ends lines where `read_passages` does."""
    return "\n".join(f"{_INDENT}{line.strip()}" for line in text.strip().splitlines())
