"""Personal data in a text: addresses and numbers that identify a person or an account, each proved as far as it can be.

A row of digits alone proves nothing: a card has to pass Luhn's check, an IBAN its remainder of 97, an American social
security number has to be one that is issued, an IP address has to be of the internet and not of a network at home. A finding
says the kind and the place and never the value.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

EMAIL, PHONE, IBAN, CARD, SSN, IP = "e-mail", "phone", "iban", "card", "ssn", "ip"

_LOCAL = r"[A-Za-z0-9._%+-]{1,64}"
_SHAPES = {
    EMAIL: re.compile(rf"(?<![A-Za-z0-9._%+-]){_LOCAL}@(?:[A-Za-z0-9-]{{1,63}}\.){{1,8}}[A-Za-z]{{2,24}}\b"),
    IBAN: re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){2,8}\b"),
    CARD: re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])"),
    SSN: re.compile(r"(?<![\d-])(\d{3})[- ](\d{2})[- ](\d{4})(?![\d-])"),
    IP: re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"),
    PHONE: re.compile(
        r"(?<![\w./+-])(?:\+\d{1,3}[ ./-]?)?(?:\(\d{1,4}\)[ ./-]?)?\d{1,4}(?:[ ./-]?\d{2,4}){1,4}(?![\w/]|[.-]\d)"
    ),
}
_EXAMPLES = re.compile(
    r"@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|[\w-]+\.(?:example|invalid|test)|example|localhost)$", re.I
)
"""Domains that are kept for examples (RFC 2606) and belong to nobody."""
_CALLED = re.compile(
    r"(?:phone|tel|reach|telephone|mobile|cell|call|fax|whatsapp|sms|ring|dial|number is)\W{0,12}(?:\w+\W{1,3}){0,3}$",
    re.I,
)
_ISO_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")


@dataclass(frozen=True, slots=True)
class Personal:
    """Something personal in a text: its kind, its span, and its value for comparing (letters and digits alone)."""

    kind: str
    start: int
    end: int
    value: str


def find_personal(text: str, kinds: Sequence[str]) -> tuple[Personal, ...]:
    """What a text holds of some kinds, in their order; what is one kind is not found as another one, too."""
    found: list[Personal] = []
    for kind in (kind for kind in _SHAPES if kind in kinds):
        for one in _of_kind(text, kind):
            if not any(one.start < other.end and other.start < one.end for other in found):
                found.append(one)
    return tuple(sorted(found, key=lambda one: one.start))


def _of_kind(text: str, kind: str) -> Iterator[Personal]:
    for match in _SHAPES[kind].finditer(text):
        if _VALID[kind](match[0], text[max(match.start() - 40, 0) : match.start()]):
            yield Personal(kind, match.start(), match.end(), plain_value(match[0]))


def plain_value(text: str) -> str:
    """The letters and digits of a value in lower case, by which two ways to write it are compared."""
    return "".join(one for one in text.lower() if one.isalnum())


def is_card(digits: str) -> bool:
    """Whether a row of digits passes Luhn's check and begins as cards do.

    >>> is_card("4111111111111111"), is_card("4111111111111112")
    (True, False)
    """
    each = [int(digit) for digit in digits]
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(reversed(each))]
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """Whether an account number leaves 1 when its rearranged value is divided by 97 (ISO 13616).

    >>> is_iban("GB82 WEST 1234 5698 7654 32"), is_iban("GB82 WEST 1234 5698 7654 33")
    (True, False)
    """
    plain = text.replace(" ", "").upper()
    turned = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(one, 36)) for one in turned)) % 97 == 1


def _is_email(text: str, _: str) -> bool:
    return _EXAMPLES.search(text) is None


def _is_ssn(text: str, before: str) -> bool:
    """With hyphens, or where it is called so."""
    area, group, serial = re.split("[- ]", text)
    named = text.count("-") == 2 or re.search(r"\b(?:ssn|social security)\b", before, re.I)
    return bool(named) and area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _is_ip(text: str, _: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False


def _is_phone(text: str, before: str) -> bool:
    """A country's code, or brackets round an area's; a plain row of digits only after a word such as `call`."""
    digits = [one for one in text if one.isdigit()]
    if not 7 <= len(digits) <= 15 or _ISO_DATE.fullmatch(text):
        return False
    grouped = re.fullmatch(r"\d{3}[ .-]\d{3}[ .-]\d{4}", text) is not None
    return text.startswith("+") or "(" in text or grouped or _CALLED.search(before) is not None


_VALID: Mapping[str, Callable[[str, str], bool]] = {
    EMAIL: _is_email,
    IBAN: lambda text, _: is_iban(text),
    CARD: lambda text, _: is_card(re.sub(r"\D", "", text)),
    SSN: _is_ssn,
    IP: _is_ip,
    PHONE: _is_phone,
}
KINDS = tuple(_VALID)
"""All kinds, those first whose proof is the better one."""
