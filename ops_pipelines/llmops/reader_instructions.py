"""The instructions that the extractive reader understands, which are few: how long, whether to cite, how to refuse.

It reads them in the conversation and never in a passage: a document cannot instruct it. Whatever else it is told
changes nothing.
"""

import re
from dataclasses import dataclass

REFUSAL = "The context does not answer this."
"""What the reader says where no sentence supports an answer and no instruction says what to say then."""
UNDERSTOOD = (
    "at most N sentences (or: in one sentence)",
    "at most N words",
    "without citations (or: do not cite)",
    'if the context does not answer, say "..."',
)
"""The instructions, as they may be written in a prompt."""
MOST_SENTENCES = 3
_COUNTED = "zero one two three four five six seven eight nine ten"
_NUMBERS = {word: number for number, word in enumerate(_COUNTED.split())}
_NUMBER = rf"(\d+|{'|'.join(_NUMBERS)})"
_TOLD = r"(?:(?:please\s+)?(?:answer|reply|respond)\s+)?"
_LIMIT = r"(?:at most|no more than|not more than|up to|maximum(?: of)?|within|in|with|under|use|using)"
_COUNT = {unit: re.compile(rf"\b{_LIMIT}\s+{_NUMBER}\s+(?:short\s+)?{unit}s?\b") for unit in ("sentence", "word")}
_NO_CITING = re.compile(
    r"\b(?:without|no|omit|(?:do not|don't|never)\s+(?:give|add|include|use|write))\s+(?:any\s+)?citations?\b"
)
_NO_CITE = re.compile(
    r"\b(?:do not|don't|never)\s+cite\b(?!\s+(?:anything|what|sources?\s+(?:that|which)|documents?\s+(?:that|which)))"
)
_SAY = re.compile(
    r"\b(?:if|when|where|unless)\b[^\n.]*?\b(?:say|answer|reply|respond|write)\b[^\"“\n.]*[\"“]([^\"”\n]+)[\"”]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Instructions:
    """What the reader was told. `most_words` is None for no limit; `refusal` is what it says instead of an answer."""

    most_sentences: int = MOST_SENTENCES
    most_words: int | None = None
    cites: bool = True
    refusal: str = REFUSAL


def read_instructions(text: str) -> Instructions:
    """The instructions in a conversation's text without its passages; of two about one matter the later one holds.

    >>> read_instructions('Answer in two sentences. If it is not there, say "I do not know".')
    Instructions(most_sentences=2, most_words=None, cites=True, refusal='I do not know')
    """
    lowered = text.lower()
    refusals = _SAY.findall(text)
    return Instructions(
        most_sentences=_limit("sentence", lowered) or MOST_SENTENCES,
        most_words=_limit("word", lowered),
        cites=not (_NO_CITING.search(lowered) or _NO_CITE.search(lowered)),
        refusal=refusals[-1].strip() if refusals else REFUSAL,
    )


def without_instructions(question: str) -> str:
    """A question without the instructions in it, whose words say nothing of what is asked.

    >>> without_instructions("Answer in one sentence: what is live?")
    'what is live?'
    """
    for pattern in (_SAY.pattern, *(_TOLD + each.pattern for each in (*_COUNT.values(), _NO_CITING, _NO_CITE))):
        question = re.sub(pattern, " ", question, flags=re.IGNORECASE)
    return question.strip(" \n\t:,.;")


def _limit(unit: str, lowered: str) -> int | None:
    found = _COUNT[unit].findall(lowered)
    if not found:
        return None
    number = _NUMBERS.get(found[-1])
    return number if number is not None else int(found[-1])
