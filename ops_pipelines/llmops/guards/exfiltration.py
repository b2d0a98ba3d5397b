"""Addresses in an answer by which something could leave: what a page loads by itself, and what a reader may click.

A page that shows an answer asks for its pictures at once, and an address can carry anything that the model had read. So a
picture may only come from a host that the policy names. A link may also be one that stands, letter for letter, in the
question or in a passage: then nothing was written into it. Everything else is refused, whatever it looks like.
"""

import html
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ops_pipelines.llmops.as_read import as_read

_SLASHES = r"[/\\]"
_ADDRESS = r"[^\s<>\"'`|{}^]"
_LOADED = (
    re.compile(r"!\[[^\[\]]{0,500}\]\(\s{0,9}<?(?P<address>[^)>\s]{1,4000})"),
    re.compile(r"^[ \t>]{0,9}\[[^\[\]\n]{1,200}\]:\s{0,9}<?(?P<address>\S{1,4000}?)>?(?=\s|$)", re.MULTILINE),
    re.compile(
        r"\b(?:src|srcset|poster|background|data|action|formaction|xlink:href|ping|lowsrc|dynsrc)\s{0,9}=\s{0,9}"
        r"[\"']?(?P<address>[^\"'\s>]{1,4000})",
        re.IGNORECASE,
    ),
    re.compile(
        r"<(?:link|base|image)\b[^>]{0,500}?\bhref\s{0,9}=\s{0,9}[\"']?(?P<address>[^\"'\s>]{1,4000})", re.IGNORECASE
    ),
    re.compile(r"\b(?:url|image-set|@import)\s{0,9}\(\s{0,9}[\"']?(?P<address>[^\"')\s]{1,4000})", re.IGNORECASE),
    re.compile(r"@import\s{1,9}[\"'](?P<address>[^\"'\s]{1,4000})", re.IGNORECASE),
)
"""Where an address stands that a page asks for by itself. A reference may be that of a picture."""
_LINKED = (
    re.compile(r"(?<!!)\[[^\[\]]{0,500}\]\(\s{0,9}<?(?P<address>[^)>\s]{1,4000})"),
    re.compile(r"\bhref\s{0,9}=\s{0,9}[\"']?(?P<address>[^\"'\s>]{1,4000})", re.IGNORECASE),
    re.compile(rf"(?P<address>\b[a-z][a-z0-9+.-]{{1,20}}:{_SLASHES}{{1,9}}{_ADDRESS}{{1,4000}})", re.IGNORECASE),
    re.compile(rf"(?P<address>(?<![\w:/\\]){_SLASHES}{{2}}[\w-]{{1,63}}\.{_ADDRESS}{{1,4000}})"),
    re.compile(rf"(?P<address>\bwww\.{_ADDRESS}{{1,4000}})", re.IGNORECASE),
    re.compile(rf"(?P<address>\b(?:mailto|javascript|data|vbscript|tel|sms):{_ADDRESS}{{1,4000}})", re.IGNORECASE),
)
_ENDS = ".,;:!?)]}'\"*"
_RUNS = re.compile(r"\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)
"""What a click runs, wherever it was quoted from."""
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,30}):", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An address in a text, whether a page loads it by itself, and its host: "" for none, None where nobody can tell."""

    address: str
    loaded: bool
    host: str | None


def find_outgoing(text: str) -> tuple[Outgoing, ...]:
    """Every address in a text that leads out of it, those that are loaded first; one within the page is none."""
    found: dict[str, Outgoing] = {}
    for pattern, loaded in (*((one, True) for one in _LOADED), *((one, False) for one in _LINKED)):
        for form in _forms(text):
            for match in pattern.finditer(form):
                address = match["address"] if loaded else _trimmed(match["address"])
                host = host_of(address)
                if host != "":
                    found.setdefault(address, Outgoing(address, loaded, host))
    return tuple(found.values())


def unexplained(text: str, *, allow: Sequence[str], quoted: Collection[str]) -> tuple[Outgoing, ...]:
    """The addresses that are of no host on the list, and, of those that only a click opens, stand in no quoted text."""
    held = "\n".join(quoted)
    return tuple(
        one for one in find_outgoing(text) if not _is_allowed(one, allow) and (one.loaded or not _quotes(held, one))
    )


def host_of(address: str) -> str | None:
    """The host that an address leads to: "" where it stays in its page, None for what a browser may read in its own way.

    >>> [host_of(one) for one in ("https://Docs.example/a", "runbooks/a.md#1", "javascript:alert(1)", "//x.example/")]
    ['docs.example', '', None, 'x.example']
    """
    plain = re.sub(r"[\t\r\n]", "", unescaped(address)).strip().replace("\\", "/")
    scheme = _SCHEME.match(plain)
    if plain.lower().startswith("www."):
        plain = f"https://{plain}"
    elif scheme and scheme[1].lower() in ("http", "https"):
        # A browser takes any number of slashes, and none, for two.
        plain = f"{scheme[1]}://{plain[scheme.end() :].lstrip('/')}"
    elif scheme or (plain.startswith("/") and plain.lstrip("/") != plain[1:] and not plain.startswith("//")):
        return None
    try:
        split = urlsplit(plain)
        split.port  # noqa: B018  (it is read when it is asked for)
    except ValueError:
        return None
    if not split.netloc:
        return "" if not plain.startswith("//") else None
    return None if "@" in split.netloc or not split.hostname else split.hostname.rstrip(".")


def unescaped(address: str) -> str:
    """An address without the escapes of HTML."""
    return html.unescape(address)


def _forms(text: str) -> tuple[str, ...]:
    """The text as it is written and as it is read, where that differs: a full-width `http` is one to many readers."""
    return tuple(dict.fromkeys((text, as_read(html.unescape(text)))))


def _trimmed(address: str) -> str:
    """An address without the marks of the sentence that it ends; a bracket belongs to it where it was opened in it."""
    while address and address[-1] in _ENDS:
        if address[-1] == ")" and address.count("(") >= address.count(")"):
            break
        address = address[:-1]
    return address


def _is_allowed(one: Outgoing, allow: Sequence[str]) -> bool:
    """Whether the host is on the list; `.example.org` on it stands for every host below, too."""
    host = one.host
    return host is not None and any(
        host == each.lstrip(".").lower() or (each.startswith(".") and host.endswith(each.lower())) for each in allow
    )


def _quotes(held: str, one: Outgoing) -> bool:
    """Whether an address stands in a text as a whole, and not only as the beginning of a longer one."""
    if _RUNS.match(one.address):
        return False
    return re.search(rf"{re.escape(one.address)}(?![\w/?&=#%+-]|[.,:;](?=\w))", held) is not None
