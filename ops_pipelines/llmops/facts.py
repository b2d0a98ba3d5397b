"""What a sentence states that is right or wrong by a single token: its numbers, dates and names, and what it denies.

Numbers are compared by their value (`1,000` is `1000`, `three` is `3`) and by their unit where both sides have one. A date is
its year, its month and its day, however it is written. A name is a capitalised word inside a sentence, or a token that only a
name has: `flight_delay`, `p95`, `ops.toml`, `--dry-run`. A span is `a minute`, `each hour`. Code is what stands in backticks.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from ops_pipelines.llmops.sentences import STOP_WORDS, stem

NUMBER, DATE, NAME, SPAN, CODE = "number", "date", "name", "span", "code"

_TOKEN = re.compile(r"(?:(?<![\w-])--)?[^\W_]+(?:(?:[.,:/'-]|_+)[^\W_]+)*")
_PLAIN_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?")
_WITH_UNIT = re.compile(r"(\d+(?:[.,]\d+)*)-?([a-z]+)")
_ISO_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})")
_PARTS = re.compile(r"[._,:/'-]+")
_ORDINAL = re.compile(r"(\d+)(?:st|nd|rd|th)")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?")
_FROM_ZERO = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_TENS = "thirty forty fifty sixty seventy eighty ninety"
_ORDINALS = "third fourth fifth sixth seventh eighth ninth tenth"
_NUMBER_WORDS = {
    **{word: number for number, word in enumerate(_FROM_ZERO.split()) if word != "one"},
    **dict(zip(_TENS.split(), range(30, 100, 10), strict=True)),
    **{word: number for number, word in enumerate(_ORDINALS.split(), 3)},
}
"""`one` is mostly a pronoun, `first` and `second` mostly no numbers."""
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_CALENDAR = {
    **{name: f"month {number}" for number, name in enumerate(_MONTHS, 1)},
    **{name[:3]: f"month {number}" for number, name in enumerate(_MONTHS, 1)},
    **{name: name for name in _DAYS},
}
_UNSURE = frozenset({"may", "march", "mar", "jan", "dec", "sun", "jun", "sep"})
"""Words that are a date only with a capital, or beside a number."""
_SPELLINGS = """
    ms millisecond milliseconds, s sec secs second seconds, min mins minute minutes, h hr hrs hour hours, d day days,
    w week weeks, month months, yr yrs year years, % percent, kb kib kilobyte kilobytes, mb mib megabyte megabytes,
    gb gib gigabyte gigabytes, tb tib terabyte terabytes, hundred, thousand, million, billion, dozen, usd dollar dollars,
    eur euro euros, gbp pounds, metre metres meter meters, km kilometre kilometres kilometer kilometers, mile miles,
    kg kilogram kilograms, row rows, token tokens, point points
"""
_UNITS = {word: spelled.split()[0] for spelled in _SPELLINGS.split(",") for word in spelled.split()}
"""Each spelling of a unit with the first one of its list."""
_TIMES = frozenset({"second", "minute", "hour", "day", "week", "month", "year"})
_EACH = frozenset({"a", "an", "each", "every", "per"})
_BACKTICKS = re.compile(r"`([^`\n]{1,300})`")
_SIGNS = {"$": "usd", "€": "eur", "£": "gbp"}


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a text: as it stands, in lower case, where it begins, and whether a sentence begins with it."""

    text: str
    word: str
    at: int
    leads: bool


@dataclass(frozen=True, slots=True)
class Fact:
    """A number, a part of a date, or a name. `value` is what is compared, `shown` how it is written."""

    kind: str
    value: str
    shown: str
    unit: str = ""
    place: int = 0

    def agrees_with(self, other: "Fact") -> bool:
        """Whether both state the same; two units are compared only where both are there."""
        same = (self.kind, self.value) == (other.kind, other.value)
        return same and not (self.unit and other.unit and self.unit != other.unit)


def tokens(text: str) -> tuple[Token, ...]:
    """The tokens of a text in their order."""
    found, end = [], 0
    for match in _TOKEN.finditer(text):
        between = text[end : match.start()]
        leads = end == 0 or any(mark in between for mark in '.!?:\n"“|')
        found.append(Token(match[0], _without_possessive(match[0].lower()), match.start(), leads))
        end = match.end()
    return tuple(found)


def facts_of(text: str) -> tuple[Fact, ...]:
    """The facts of a text in the order of their tokens; `place` counts tokens."""
    found = tokens(text)
    shouted = sum(token.text.isupper() and len(token.text) > 1 for token in found) * 2 > len(found)
    each = (fact for place in range(len(found)) for fact in _facts_at(text, found, place, names=not shouted))
    return (*each, *_code(text))


def _code(text: str) -> Iterator[Fact]:
    for match in _BACKTICKS.finditer(text):
        written = " ".join(token.word for token in tokens(match[1]))
        if " " in written:
            yield Fact(CODE, written, match[1], place=-2)


def _facts_at(text: str, found: Sequence[Token], place: int, *, names: bool) -> Iterator[Fact]:
    token = found[place]
    numbers = tuple(_numbers(token))
    if numbers:
        for kind, value, unit in numbers:
            beside = unit or _unit_beside(text, found, place)
            yield Fact(kind, value, token.text, beside if kind == NUMBER else "", place)
    elif token.word in _CALENDAR and _is_date(found, place):
        yield Fact(DATE, _CALENDAR[token.word], token.text, place=place)
    elif token.word in _TIMES and place and found[place - 1].word in _EACH:
        yield Fact(SPAN, _UNITS[token.word], f"{found[place - 1].text} {token.text}", place=place)
    elif names and _is_name(token):
        yield Fact(NAME, token.word, token.text, place=place)


def _numbers(token: Token) -> Iterator[tuple[str, str, str]]:
    """Kind, value and unit of each number in a token: a date has three, a range has two."""
    word = token.word
    iso = _ISO_DATE.fullmatch(word)
    if iso:
        yield from _date_parts(*map(int, iso.groups()))
    elif _CLOCK.fullmatch(word):
        yield NUMBER, word, ""
    elif _PLAIN_NUMBER.fullmatch(word):
        yield NUMBER, _value(word), ""
    elif (counted := _WITH_UNIT.fullmatch(word)) and (
        counted[2] in _UNITS or counted[2] in ("s", "st", "nd", "rd", "th")
    ):
        is_decade = counted[2] == "s" and len(counted[1]) == 4
        yield NUMBER, _value(counted[1]), "" if is_decade else _UNITS.get(counted[2], "")
    else:
        yield from _numbers_in_parts(word)


def _numbers_in_parts(word: str) -> Iterator[tuple[str, str, str]]:
    """The numbers of `ten-minute`, `twenty-five`, `1914-15`, `mid-19th` and `3/4`."""
    parts = re.split(r"[-/,]", word)
    values = [_value_of(part) for part in parts]
    if len(parts) == 2 and all(part in _NUMBER_WORDS for part in parts) and int(values[0]) >= 20 > int(values[1]):
        yield NUMBER, str(int(values[0]) + int(values[1])), ""
        return
    for value, after in zip(values, (*parts[1:], ""), strict=True):
        if value:
            yield NUMBER, value, _UNITS.get(after, "")


def _value_of(part: str) -> str:
    ordinal = _ORDINAL.fullmatch(part)
    return number_word(part) or _value(ordinal[1] if ordinal else part)


def _date_parts(year: int, month: int, day: int) -> Iterator[tuple[str, str, str]]:
    try:
        date(year, month, day)
    except ValueError:
        return
    yield from ((NUMBER, str(year), ""), (DATE, f"month {month}", ""), (NUMBER, str(day), ""))


def _value(digits: str) -> str:
    """A number without separators, leading and trailing noughts; empty for what is none."""
    if not _PLAIN_NUMBER.fullmatch(digits):
        return ""
    whole, point, part = digits.replace(",", "").partition(".")
    part = part.rstrip("0")
    return (whole.lstrip("0") or "0") + (point + part if part else "")


def _unit_beside(text: str, found: Sequence[Token], place: int) -> str:
    token = found[place]
    end = token.at + len(token.text)
    if text[end : end + 2].lstrip().startswith("%"):
        return "%"
    if place + 1 < len(found) and found[place + 1].at - end <= 2 and found[place + 1].word in _UNITS:
        return _UNITS[found[place + 1].word]
    return _SIGNS.get(text[token.at - 1 : token.at], "") if token.at else ""


def _is_date(found: Sequence[Token], place: int) -> bool:
    token = found[place]
    if token.word not in _UNSURE:
        return len(token.word) > 3 or token.text[0].isupper()
    beside = (*found[max(place - 1, 0) : place], *found[place + 1 : place + 2])
    return any(one.text[:1].isdigit() for one in beside) or (token.text.istitle() and not token.leads)


def _is_name(token: Token) -> bool:
    if (
        token.text.startswith("--")
        or any(mark in token.text for mark in "_./")
        or any(one.isdigit() for one in token.text)
    ):
        return any(one.isalpha() for one in token.text)
    if token.word in STOP_WORDS or len(token.word) < 2 or token.word in _NUMBER_WORDS:
        return False
    inner = any(one.isupper() for one in token.text[1:])
    return inner or (token.text[0].isupper() and not token.leads)


def _without_possessive(word: str) -> str:
    return word.removesuffix("'s").removesuffix("'")


def number_word(word: str) -> str:
    """The digits of a number in letters, empty for another word."""
    return str(_NUMBER_WORDS.get(word, ""))


def is_held(name: str, words: Collection[str]) -> bool:
    """Whether a name stands among words: as it is, without its ending, or in all its parts."""
    parts = [part for part in _PARTS.split(name) if part]
    return name in words or stem(name) in words or (len(parts) > 1 and all(is_held(part, words) for part in parts))


def spellings(word: str) -> frozenset[str]:
    """The forms under which a word can be asked for: itself and its parts, each with and without its ending."""
    parts = [part for part in _PARTS.split(word) if part]
    return frozenset((word, stem(word), *parts, *map(stem, parts)))
