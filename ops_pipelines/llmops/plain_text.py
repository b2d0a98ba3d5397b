"""The text of a file: Markdown and plain text as they are, HTML without its markup, front matter as metadata."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

MARKDOWN, TEXT, HTML = "markdown", "text", "html"
FORMATS = {".md": MARKDOWN, ".markdown": MARKDOWN, ".txt": TEXT, ".rst": TEXT, ".html": HTML, ".htm": HTML}
"""What a file is, by the end of its name."""
_UNSEEN = frozenset(("script", "style", "template", "noscript"))
_BLOCKS = re.compile(
    r"address|article|aside|blockquote|br|d[dlt]|div|figcaption|footer|form|h[1-6]|header|hr|li|main|nav|[ou]l|p|pre|section"
    r"|table|t[dhr]|title"
)
_APART = re.compile(r"p|h\d|title|table|ul|ol|pre")
_FRONT = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.DOTALL)
_FIELD = re.compile(r"^(\w+):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_TITLE = re.compile(r"^# +(.+?) *#*$", re.MULTILINE)


class NotText(ValueError):
    """Bytes that are no UTF-8 text, and where they cease to be."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A text, and what its file says about it: the fields of its front matter, and its title."""

    text: str
    metadata: dict[str, Any] = field(default_factory=dict)


def plain_text(content: bytes, form: str) -> Plain:
    """The text of some bytes of one of `FORMATS`; NotText where they are not UTF-8 or hold a NUL character."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(f"byte {error.start} is not UTF-8") from error
    if "\0" in text:
        raise NotText(f"character {text.index(chr(0))} is NUL")
    text = text.replace("\r\n", "\n")
    if form == HTML:
        return _from_html(text)
    return _from_markdown(text) if form == MARKDOWN else Plain(text)


def _from_markdown(text: str) -> Plain:
    front = _FRONT.match(text)
    metadata: dict[str, Any] = dict(_FIELD.findall(front[1])) if front else {}
    body = text[front.end() :] if front else text
    title = _TITLE.search(body)
    return Plain(body, {**({"title": title[1]} if title else {}), **metadata})


def _from_html(text: str) -> Plain:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    lines = (re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reader.parts).splitlines())
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    title = " ".join("".join(reader.title).split())
    return Plain(body, {"title": title} if title else {})


class _Reader(HTMLParser):
    """Collects what a reader of the page, or a model, gets to read.

    Text that a style hides is kept, since it is what a poisoned page hides from its reader and not from a model; the address
    of a picture is kept as Markdown, for the same reason.
    """

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.title: list[str] = []
        self._unseen = 0
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in _UNSEEN
        self._in_title = tag == "title"
        self._break(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.parts.append("#" * int(tag[1]) + " ")
        source = dict(attrs).get("src") if tag == "img" else None
        if source:
            self.parts.append(f"![{dict(attrs).get('alt') or ''}]({source})")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        self._in_title = False
        self._break(tag)

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title.append(data)
        if not self._unseen:
            self.parts.append(data)

    def _break(self, tag: str) -> None:
        if _BLOCKS.fullmatch(tag):
            self.parts.append("\n\n" if _APART.fullmatch(tag) else "\n")
