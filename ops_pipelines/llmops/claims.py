"""A text as the claims that it makes: its sentences, in the forms in which two of them are compared.

Headings and lines of code make claims as sentences do. A sentence without a word of its own, such as `Yes, it is.`, goes with
the next one, and a very long one falls into pieces, so that comparing two is never much work.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops_pipelines.llmops.facts import Fact, facts_of, number_word, tokens
from ops_pipelines.llmops.polarity import Sayings, sayings_of
from ops_pipelines.llmops.sentences import STOP_WORDS, split_sentences, stem

MOST_WORDS, MOST_CHARS = 60, 1_000
"""The longest claim; what a text says in a longer sentence is several."""
_ANNOUNCES = 100
_SPOKEN = "i me my mine we us our you your"
_CLIPPED = "s t d m ve re ll yes yeah well"
_ASSENT = "absolutely certainly indeed no not ok okay oh right sure"
_SPEAKERS = frozenset(map(stem, _SPOKEN.split()))
FUNCTION_WORDS = frozenset((*STOP_WORDS, *map(stem, STOP_WORDS), *map(stem, _CLIPPED.split()))) - _SPEAKERS
"""Parts that say little of what a claim is about. `I` and `you` are none: of them a passage says nothing."""
EMPTY = FUNCTION_WORDS | _SPEAKERS | frozenset(map(stem, _ASSENT.split()))
"""Parts of which none says what a claim is about."""
_JOINS = re.compile(r"[-/':_]")
_NO = re.compile(r"\s*no\s*[,.;:!-]", re.IGNORECASE)
"""An answer's first word, which denies what was asked and not what comes after it."""
_HEADING = re.compile(r"^[ \t]{0,9}#{1,6}[ \t]+(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence: its words as they stand, in lower case, without endings, and in the parts that are counted.

    `facts` and `sayings` are what it is right or wrong by. `passage` numbers the passage that it stands in.
    """

    text: str
    texts: tuple[str, ...]
    words: tuple[str, ...]
    stems: tuple[str, ...]
    parts: tuple[str, ...]
    facts: tuple[Fact, ...]
    sayings: Sayings
    passage: int = 0


def claims_of(text: str, passage: int = 0) -> list[Claim]:
    """The claims of a text in their order; none where it has no word."""
    plain = _HEADING.sub(r"\n\1\n", text.replace("*", ""))
    pieces = [piece for each in split_sentences(plain) for piece in _pieces(each.text)]
    return [claim for piece in _with_what_they_announce(pieces) if (claim := _claim(piece, passage)).words]


def parts_of(word: str) -> Iterator[str]:
    """The parts of a word in the form in which they are counted: `twelve-bar` is `12` and `bar`."""
    for part in _JOINS.split(word):
        if part:
            yield number_word(part) or stem(part)


def _with_what_they_announce(sentences: Iterable[str]) -> Iterator[str]:
    """The sentences, where one like `Yes, it is.` that holds no word of its own goes with the next."""
    before = ""
    for sentence in sentences:
        said = f"{before} {sentence}".strip()
        before = said if len(said) < _ANNOUNCES and _is_empty(said) else ""
        if not before:
            yield said
    if before:
        yield before


def _is_empty(sentence: str) -> bool:
    return all(part in EMPTY for token in tokens(sentence) for part in parts_of(token.word))


def _claim(text: str, passage: int) -> Claim:
    read = tokens(text)
    found = tuple(token.word for token in read)
    denying = found[1:] if _NO.match(text) else found
    stems = tuple(stem(word) for word in found)
    parts = tuple(part for word in found for part in parts_of(word))
    return Claim(
        text, tuple(token.text for token in read), found, stems, parts, facts_of(text), sayings_of(denying), passage
    )


def _pieces(sentence: str) -> Iterator[str]:
    words = sentence.split()
    for at in range(0, len(words), MOST_WORDS):
        piece = " ".join(words[at : at + MOST_WORDS])
        yield from (piece[begin : begin + MOST_CHARS] for begin in range(0, len(piece), MOST_CHARS))
