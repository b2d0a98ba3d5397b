"""The sentences of a text, and the words by which two of them are compared.

Lines that were wrapped are one paragraph again; a heading, an item of a list, a row of a table and a line of code each
stand alone. A heading is no sentence: it says what those below it are about.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"\s*#{1,6}\s+(.+)")
_ALONE = re.compile(r"\s*(?:[-*+•]|\d+[.)])\s+|\s*\||\s*(?:\$|>>>)\s")
_FENCE = re.compile(r"\s*(?:```|~~~)")
_END = re.compile(r"(?<=[.!?])(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\betc\.)(?<!\bvs\.)[\"')\]”]*\s+(?=[A-Z0-9`\"'(\[“])")
_WORD = re.compile(r"[^\W_]+(?:[._-][^\W_]+)*")
_PART = re.compile(r"[._-]")
_STOP_WORDS = """
    a about after all also am an and any are as at be because been before being both but by can could did do
    does doing done for from get had has have having he her here him his how i if in into is it its just may me
    might more most must my no nor not now of on one only or other our out over please shall she should so some
    such tell than that the their them then there these they this those through to under until up us was we were
    what when where which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing of what a sentence is about. `not` and `no` are among them: a reader selects, and never judges."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as it stands in its text, and the heading above it."""

    text: str
    heading: str = ""


def split_sentences(text: str) -> tuple[Sentence, ...]:
    r"""The sentences of a text in their order.

    >>> [each.text for each in split_sentences("# Going back\nRun it. It takes\na second.\n- One item")]
    ['Run it.', 'It takes a second.', 'One item']
    """
    found: list[Sentence] = []
    for heading, block in _blocks(text):
        for part in _END.split(block):
            # What follows a colon is what its sentence announces: `run:` without the command would say nothing.
            if found and found[-1].text.endswith(":") and found[-1].heading == heading:
                found[-1] = Sentence(f"{found[-1].text} {part.strip()}", heading)
            elif part.strip():
                found.append(Sentence(part.strip(), heading))
    return tuple(found)


def words(text: str) -> list[str]:
    """The words of a text in lower case and without their common endings; a name with parts gives its parts, too.

    >>> words("Roll flight_delay back: promoted releases")
    ['roll', 'flight_delay', 'flight', 'delay', 'back', 'promot', 'releas']
    """
    found = []
    for match in _WORD.finditer(text.lower()):
        parts = _PART.split(match[0])
        found += [match[0], *map(stem, parts)] if len(parts) > 1 else [stem(match[0])]
    return found


def content_words(text: str) -> list[str]:
    """The words that say what a text is about."""
    return [word for word in words(_without_stop_words(text)) if len(word) > 1 or word.isdigit()]


def stem(word: str) -> str:
    """A word without the commonest English endings, so that `releases` and `released` are one; never under three letters.

    >>> [stem(word) for word in ("policies", "running", "stopped", "class", "uses", "is")]
    ['policy', 'run', 'stop', 'class', 'us', 'is']
    """
    for ending, becomes in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= (4 if ending in ("ing", "ed") else 2):
            if ending == "s" and word.endswith(("ss", "us", "is")):
                return word
            short = word.removesuffix(ending) + becomes
            doubled = ending in ("ing", "ed") and short[-1] == short[-2] and short[-1] not in "lsz"
            return short[:-1] if doubled else short
    return word


def _without_stop_words(text: str) -> str:
    return " ".join(match[0] for match in _WORD.finditer(text) if match[0].lower() not in STOP_WORDS)


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """What stands together, each with the heading above it."""
    heading, in_code = "", False
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        titled = None if in_code else _HEADING.match(line)
        fence, alone = _FENCE.match(line), in_code or _ALONE.match(line)
        if paragraph and (titled or fence or alone or not line.strip()):
            yield heading, " ".join(paragraph)
            paragraph = []
        if fence:
            in_code = not in_code
        elif titled:
            heading = titled[1].strip("# ")
        elif line.strip():
            paragraph.append(_item(line))
        if in_code and paragraph:
            yield heading, paragraph.pop()


def _item(line: str) -> str:
    """A line without the mark of its list."""
    return re.sub(r"^\s*(?:[-*+•]|\d+[.)])\s+", "", line).strip()
