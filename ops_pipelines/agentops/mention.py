"""Whether a value is mentioned in a text: as it is, or as people write it.

An id may be said in another form: "my card ending in 7334" is where `card_7334` comes from, since all its parts stand in
one sentence, in their order. Whether there is such a card is for the tool to say. A destination has to be said as it is. A
short number is only found where it is no date, time, measure or number of a list: "June 13" does not name the file 13.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence, Set
from decimal import Decimal, InvalidOperation

from ops_pipelines.agentops.claims import CENTS, ID, MONEY_AMOUNT, TARGET, Claim
from ops_pipelines.agentops.payload import names_and_values

_NUMBER = re.compile(r"(?<![\w.])\d[\d,']*(?:\.\d+)?(?!\w)")
_JOINS = "-._@+%:/"
"""What may join two words into one longer address."""
_PARTS = re.compile(r"[_-]+")
_SENTENCE = re.compile(r"[.!?;]\s|\n")
_NEAR = 100
"""In so many characters the whole of an id is told, where it is told in other words."""
_SHORT_NUMBER = re.compile(r"\d{1,4}")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_MEASURED_BEFORE = re.compile(rf"(?:\b{_MONTH}\.?\s+(?:the\s+)?|[$€£¥]\s?|\d[.,:/])$")
_MEASURED_AFTER = re.compile(
    rf"[.,:/]\d|\s?[%$€£¥°]|\.?\s+(?:of\s+)?{_MONTH}\b"
    r"|[\s-]?(?:am|pm|eur|usd|euros?|dollars?|cents?|seconds?|minutes?|mins?|hours?|days?|weeks?|months?|years?|times)\b"
)
_LISTED_BEFORE, _LISTED_AFTER = re.compile(r"(?:^|[.:;!?]\s+|\n\s*)$"), re.compile(r"[.)]\s")
_BESIDE = 16
"""So many characters beside a number show what it is."""


def numbers_in(text: str) -> set[Decimal]:
    """The numbers that stand in a text."""
    return {Decimal(number.replace(",", "").replace("'", "")) for number in _NUMBER.findall(text)}


def occurs(claim: Claim, text: str, numbers: Callable[[str], Set[Decimal]] = numbers_in) -> bool:
    """Whether what is claimed stands in a text, which is read in small letters; `numbers` finds those in it."""
    if claim.kind in (MONEY_AMOUNT, CENTS):
        return bool(_amounts(claim) & numbers(text))
    value = str(claim.value).casefold()
    if claim.kind == TARGET:
        value = re.sub(r"^(?:https?|ftp)://", "", value).rstrip("/")
        return next(_alone(text, value, _JOINS), -1) >= 0
    if claim.kind == ID and _SHORT_NUMBER.fullmatch(value):
        return any(not _counts(text, at, at + len(value)) for at in _alone(text, value, "-"))
    return next(_alone(text, value, "-"), -1) >= 0 or (claim.kind == ID and _is_put_together(text, value))


def _counts(text: str, start: int, end: int) -> bool:
    """Whether the number from start to end is part of a date, a time or a measure, or counts a list, and so is no id."""
    before, after = text[max(start - _BESIDE, 0) : start], text[end : end + _BESIDE]
    if _MEASURED_BEFORE.search(before) or _MEASURED_AFTER.match(after):
        return True
    return bool(_LISTED_BEFORE.search(before) and _LISTED_AFTER.match(after))


def _is_put_together(text: str, value: str) -> bool:
    """Whether the parts of an id stand in one sentence, in their order and near each other."""
    parts = _PARTS.split(value)
    if len(parts) < 2 or not all(part and part in text for part in parts):
        return False
    return any(_go_on(_SENTENCE.split(text[at : at + _NEAR])[0], parts) for at in _alone(text, parts[0], "-"))


def _go_on(sentence: str, parts: Sequence[str]) -> bool:
    """Whether words stand in a sentence in this order; each is found as early as can be, so that no text is slow to read."""
    at = 0
    for part in parts:
        found = next(_alone(sentence, part, "-", at), -1)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _alone(text: str, value: str, joins: str, start: int = 0) -> Iterator[int]:
    """Where a value stands in a text as no part of a longer word."""
    return (at for at in _places(text, value, start) if _stands_alone(text, at, at + len(value), joins))


def _places(text: str, value: str, start: int = 0) -> Iterator[int]:
    at = text.find(value, start) if value else -1
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _stands_alone(text: str, start: int, end: int, joins: str) -> bool:
    """Whether the text from start to end is no part of a longer word: `evil.com` does not occur in `notevil.com`."""
    before, after = text[max(start - 2, 0) : start][::-1], text[end : end + 2]
    if before[:1] == "/" and text[max(start - 3, 0) : start] == "://":
        before = ""  # an address with its scheme is the same address
    return not _goes_on(before, joins) and not _goes_on(after, joins)


def _goes_on(beside: str, joins: str) -> bool:
    """Whether a word goes on beside a place, nearest character first."""
    if not beside:
        return False
    return _is_word(beside[0]) or (beside[0] in joins and len(beside) > 1 and _is_word(beside[1]))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _amounts(claim: Claim) -> set[Decimal]:
    """How an amount may stand in a text: cents may be told as cents, or as money."""
    try:
        amount = Decimal(str(claim.value).replace(",", ""))
    except InvalidOperation:
        return set()
    return {amount, amount / 100} if claim.kind == CENTS else {amount}


def readable(text: str) -> str:
    """A text as its reader sees it: in JSON, a line that ends is two signs, the second a letter."""
    if "\\" not in text or text[:1] not in ('"', "{", "["):
        return text
    try:
        return "\n".join(map(str, names_and_values(json.loads(text))))
    except (ValueError, RecursionError):
        return text
