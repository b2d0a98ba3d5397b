"""What a call's arguments claim: the ids, destinations and amounts that an agent has from somewhere, or made up.

A tool says what an argument is with `x-kind` in its schema (`Annotated[str, DESTINATION]` in Python). Where it says
nothing the form of the value does: an address of mail or web is a destination wherever it stands, and a single word with
a digit in it is an id, as is whatever is called `id` or `..._id`. Dates, times and short numbers are none, since people
write them in many ways; so are formulas, and values that the schema lists, which nobody can make up. A key that the
schema leaves open is a destination by its form too, or what `propertyNames` says with `x-kind`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

ID, TARGET, SECRET_VALUE, MONEY_AMOUNT, CENTS, FREE = "id", "destination", "secret", "amount", "amount_cents", "text"
KINDS = (ID, TARGET, SECRET_VALUE, MONEY_AMOUNT, CENTS, FREE)
"""What an argument can be: an amount is in whole units of money, `amount_cents` an integer; text claims nothing. A secret
is what opens something once it is set, such as a new password: whoever chose it holds what it opens."""
KEYWORD = "x-kind"

IDENTIFIER = Field(json_schema_extra={KEYWORD: ID})
DESTINATION = Field(json_schema_extra={KEYWORD: TARGET})
SECRET = Field(json_schema_extra={KEYWORD: SECRET_VALUE})
AMOUNT = Field(json_schema_extra={KEYWORD: MONEY_AMOUNT})
AMOUNT_CENTS = Field(json_schema_extra={KEYWORD: CENTS})
TEXT = Field(json_schema_extra={KEYWORD: FREE})
"""For annotations of a tool's function."""

_ADDRESS = re.compile(
    r"(?:https?|ftp)://[^\s\"'<>)\]]+|www\.[^\s\"'<>)\]]+|(?<![\w.+%-])[\w.+%-]+@[\w-]+(?:\.[\w-]+)+",
    re.IGNORECASE,
)
_BARE_HOST = re.compile(r"(?:(?:[a-z0-9-]+\.)+[a-z]{2,}|(?:\d{1,3}\.){3}\d{1,3})(?:[:/]\S*)?", re.IGNORECASE)
_DATE = re.compile(r"[\d.:/TZ+-]+", re.IGNORECASE)
_LONG_NUMBER = re.compile(r"\d{5,}")
_ID_NAME = re.compile(r"(?:^|_)ids?$|[a-z]Ids?$|^ID$")
_FORMULA = re.compile(r"[*^()]")
_ACCOUNT = re.compile(r"[A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?)")
_ENDS = ".,;:!?"
_REFERENCE, _PUT_TOGETHER = "$ref", ("allOf", "anyOf", "oneOf")
_OF_SEVERAL = frozenset((_REFERENCE, *_PUT_TOGETHER))
_Options = tuple[Mapping[str, Any], ...]
"""A schema with those that it is put together from: what one of them says of a value counts."""
_UNSAID: _Options = ({},)


@dataclass(frozen=True, slots=True)
class Claim:
    """One value that was not made up, if it occurred somewhere: where it stands in the arguments, its kind and itself."""

    where: str
    kind: str
    value: str | int | float


def claims_of(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> tuple[Claim, ...]:
    """What some arguments of a schema claim, in the order in which they stand.

    >>> claims_of({}, {"to": "eve@evil.example", "order_id": "Z7GOZK", "rows": 5, "on": "2013-01-01", "note": "hello"})
    (Claim(where='to', kind='destination', value='eve@evil.example'), Claim(where='order_id', kind='id', value='Z7GOZK'))
    """
    return tuple(_claims(schema, _options(schema, schema), "", "", arguments))


def looks_made_up(word: str) -> bool:
    """Whether a word has the form of something that an agent must have from somewhere: an address, or an id."""
    return bool(_ADDRESS.search(word) or _BARE_HOST.fullmatch(word)) or _looks_like_id(word)


def _claims(root: Mapping[str, Any], options: _Options, where: str, name: str, value: Any) -> Iterator[Claim]:
    """What a value claims whose schema is one of the options, or all of them."""
    if isinstance(value, Mapping):
        for key, part in value.items():
            inner, at = _of_property(root, options, key), f"{where}.{key}" if where else key
            yield from _of_key(root, options, at, key)
            yield from _claims(root, inner, at, key, part)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        items = _one_of(root, options, "items")
        for number, part in enumerate(value):
            yield from _claims(root, items, f"{where}[{number}]", name, part)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield from _of_value(options, where, name, value)


def _of_key(root: Mapping[str, Any], options: _Options, where: str, key: str) -> Iterator[Claim]:
    """What a key claims that the schema does not name: who is paid may stand there, and not in a value."""
    if any(key in option.get("properties", ()) for option in options):
        return
    names = _one_of(root, options, "propertyNames")
    found = _of_value(names, where, "", key)
    yield from (claim for claim in found if claim.kind == TARGET or names != _UNSAID)


def _of_value(options: _Options, where: str, name: str, value: str | int | float) -> Iterator[Claim]:
    """What one value claims: as its schema says, or as its name and form do."""
    kinds = [str(option[KEYWORD]) for option in options if KEYWORD in option]
    if kinds:
        if kinds[0] in KINDS[:-1]:
            yield Claim(where, kinds[0], value)
        return
    if any("enum" in option or "const" in option for option in options) or value == "":
        return
    known = value.strip() if isinstance(value, str) else value
    if _ID_NAME.search(name) and not isinstance(known, float) and " " not in str(known):
        yield Claim(where, ID, known)
    elif isinstance(known, str):
        yield from _of_form(where, known)


def _of_form(where: str, text: str) -> Iterator[Claim]:
    addresses = [found.rstrip(_ENDS) for found in _ADDRESS.findall(text)]
    for address in addresses:
        yield Claim(where, TARGET, address)
    if not addresses and _ACCOUNT.fullmatch(text):
        yield Claim(where, TARGET, text)
    elif addresses or any(character.isspace() for character in text):
        return
    elif _BARE_HOST.fullmatch(text):
        yield Claim(where, TARGET, text)
    elif _looks_like_id(text):
        yield Claim(where, ID, text)


def _looks_like_id(word: str) -> bool:
    """Whether a word has letters and digits, or is a number so long that nobody computes it."""
    if len(word) < 4 or not any(character.isdigit() for character in word) or any(map(str.isspace, word)):
        return False
    if _FORMULA.search(word):
        return False
    return bool(_LONG_NUMBER.fullmatch(word)) if _DATE.fullmatch(word) else True


def _of_property(root: Mapping[str, Any], options: _Options, key: str) -> _Options:
    for option in options:
        properties = option.get("properties")
        if isinstance(properties, Mapping) and isinstance(properties.get(key), Mapping):
            return _options(root, properties[key])
    return _one_of(root, options, "additionalProperties")


def _one_of(root: Mapping[str, Any], options: _Options, keyword: str) -> _Options:
    return next((_options(root, one[keyword]) for one in options if isinstance(one.get(keyword), Mapping)), _UNSAID)


def _options(root: Mapping[str, Any], schema: Mapping[str, Any]) -> _Options:
    """The schema, and those that it is put together from."""
    return (schema,) if _OF_SEVERAL.isdisjoint(schema) else tuple(_all_of(root, schema, 0))


def _all_of(root: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > 8:  # a schema may refer to itself
        return
    yield schema
    reference = schema.get(_REFERENCE)
    parts = [_referred(root, reference)] if isinstance(reference, str) else []
    for keyword in _PUT_TOGETHER:
        parts.extend(part for part in schema.get(keyword, ()) if isinstance(part, Mapping))
    for part in parts:
        yield from _all_of(root, part, depth + 1)


def _referred(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
