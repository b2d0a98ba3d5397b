"""The one place through which a step goes to disk: secrets and what tells who somebody is are taken out of all its texts.

Known shapes are cut out where they stand. What `find` says of a line (`adapters.secret_scan` for choice) takes out the
line. A value under a name such as `password` is taken out whatever it looks like. A mark stands where something was, and
with a `key` it also tells two of them apart, so that a replay takes the turns that the run took.

With `secrets_only` personal data stays where it is. To redact the rest of it afterwards gives what redacting at once gives.

A value under a name such as `tool_call_id` is random letters by
its nature, and is not searched by `find`.

What it cannot know: the name of a person, a secret in words, and a key that was encoded or cut into pieces before.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from ops_pipelines.core.fingerprint import canonical_json

Find = Callable[[str], Iterable[tuple[int, str]]]
"""The line (from 1) and the kind of everything in a text that looks like a secret."""

_NAMED = re.compile(
    r"pass(?:word|wd|phrase|code)?|pwd|(?:\w*[_-])?(?:secret|credentials?|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|auth(?:orization)?|cookie|set-cookie)(?:[_-]\w+)?|(?:\w*[_-])?(?:password|passwd|token)|ssn|cvv|cvc|iban|pin",
    re.IGNORECASE,
)
"""Names of arguments whose values are taken out; `tokens`, which are counted, are none of them."""
_TELLS = re.compile(r"[@\d]")
_OF_PERSONS = re.compile(r"ssn|iban", re.IGNORECASE)
"""Those of them whose values are no secret, and tell who somebody is."""
_Shapes = tuple[tuple[str, re.Pattern[str], tuple[str, ...], int], ...]
_SHAPES: _Shapes = tuple(
    (kind, re.compile(pattern), letters, digits)
    for kind, pattern, letters, digits in (
        (
            "private key",
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
            ("-----begin ",),
            0,
        ),
        ("token", r"(?<![\w-])(?>[\w-]*?\beyJ)[\w-]{8,}+\.[\w-]{8,}+\.[\w-]*", ("eyj",), 0),
        ("key", r"\b(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z0-9]{16}\b", ("akia", "asia", "agpa", "aroa", "aida"), 0),
        ("key", r"\b(?:sk|pk|rk)[-_](?:[a-z]+[-_])*[\w-]{16,}", ("k-", "k_"), 0),
        (
            "key",
            r"\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|hf_|npm_|pypi-|dop_v1_|shpat_|SG\.)[\w.-]{16,}",
            ("gh", "glpat-", "xox", "hf_", "npm_", "pypi-", "dop_v1_", "shpat_", "sg."),
            0,
        ),
        ("key", r"\bAIza[\w-]{30,}", ("aiza",), 0),
        ("credentials", r"(?<=://)[^\s/:@\"']{1,200}:[^\s/@\"']{1,200}(?=@)", ("://",), 0),
        (
            "token",
            r"(?i)(?<=\bbearer )[\w.~+/=-]{8,}|(?<=\bbasic )[A-Za-z0-9+/]{12,}={0,2}",
            ("bearer ", "basic "),
            0,
        ),
        (
            "secret",
            r"(?i)(?<![\w-])(?:[\w-]{0,40}(?:password|passwd|secret|api[_-]?key|access[_-]?key|token))[\"']?\s{0,3}[:=]"
            r"\s{0,3}[\"']?(?!\[redacted)[^\s\"',;}&]{3,}",
            ("passw", "secret", "key", "token"),
            0,
        ),
        ("email", r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}\b", ("@",), 0),
        ("card", r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])", (), 13),
        ("IBAN", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", (), 2),
        ("social security number", r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])", ("-",), 9),
        ("phone", r"(?<![\w+])\+\d{1,3}[ -.]?(?:\(\d{1,4}\)[ -.]?)?\d(?:[ -.]?\d){6,11}(?!\w)", ("+",), 8),
        ("phone", r"(?<![\w-])(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}(?![\w-])", ("-", "."), 10),
    )
)
"""What is taken out of any text, and what a text in ASCII has at the least that has it: one of these letters, so many digits.

They spare a step most of its searches, and change none of what is found. A shape without a longest length begins at the
start of a word only, so that no text takes the square of its length.
"""
_PERSONAL = frozenset(("email", "card", "IBAN", "social security number", "phone"))
_SECRET_SHAPES: _Shapes = tuple(shape for shape in _SHAPES if shape[0] not in _PERSONAL)
_PERSONAL_SHAPES: _Shapes = tuple(shape for shape in _SHAPES if shape[0] in _PERSONAL)
_DIGITS, _LETTER = re.compile(r"\d+"), re.compile(r"[A-Za-z]")
_SHORTEST = 5
"""Letters of the shortest thing that any shape knows."""
_SHORT = 18
_PLAIN = re.compile(rf"[A-Za-z_]{{0,{_SHORT}}}|[A-Za-z_ ]{{0,14}}")
"""What no shape is made of; most names are, and to try all shapes on them takes longer than the rest of a step."""
_MARK = re.compile(r"\[redacted [^\]\n]{1,80}\]")
_WORDS = ("pass", "pwd", "secret", "key", "token", "auth", "cred", "://")
_ANY_WORD = re.compile("|".join(_WORDS), re.IGNORECASE)
_LONG_WORD = re.compile(r"(?<![\w+/=-])[\w+/=-]{20,}+")
_DIGEST = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What a line has that a search by `find`, a quarter of a millisecond, may find something in; the word has a digit, too,
and is no digest or id, of which a run is full."""
_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7]|6[05]|64|35)\d{14}|3[47]\d{13}|3[068]\d{12}|62\d{14,17}"
)
_CAMEL, _PATH = re.compile(r"(?<=[a-z0-9])(?=[A-Z])"), re.compile(r"[./:]")
"""Where another word begins in a name that is written in one, and what stands between the names of a path."""
_ID = re.compile(r"(?:\w*_)?(?:id|ids|digest|traceparent)", re.IGNORECASE)
_BLOB = re.compile(r"([\w+/=-]{200})[\w+/=-]{200,}")
"""A word too long for any key; a search that looks ahead would take its square."""


def _nothing(text: str) -> Iterable[tuple[int, str]]:  # noqa: ARG001  (the shape of a Find)
    return ()


_HINTS = (
    *("pass", "pwd", "secret", "key", "token", "auth", "cred", "cookie", "://", 'pin":', 'cvv":', 'cvc":'),
    *("-----begin ", "eyj", "akia", "asia", "agpa", "aroa", "aida", "aiza", "bearer ", "basic "),
    *("sk-", "pk-", "rk-", "sk_", "pk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("glpat-", "xox", "hf_", "npm_", "pypi-", "dop_v1_", "shpat_", "sg."),
)
"""One of these, or a long word, is in all that has a secret in it: in a shape, in a name, or for `find` to look at."""


def may_hold_secret(text: str) -> bool:
    """Whether it is worth to look for secrets in a text, or in JSON without spaces: never False where one would be found.

    It takes some microseconds, and reads no JSON.

    >>> may_hold_secret('{"order":"A17","note":"to ada@example.org"}'), may_hold_secret('{"apiKey":"a"}')
    (False, True)
    """
    lower = text.lower()
    if any(hint in lower for hint in _HINTS) or _has_long_word(text):
        return True
    return not text.isascii() and any(
        one in text for one in "\u017f\u0130\u0131\u212a"
    )  # they match an s, an i and a k


class _Seen:
    """What a text has at all. Beyond ASCII it may have anything: there a letter has more cases than two."""

    __slots__ = ("_digits", "_lower")

    def __init__(self, text: str) -> None:
        self._lower = text.lower() if text.isascii() else None
        self._digits = sum(map(len, _DIGITS.findall(text)))

    def may_have(self, letters: tuple[str, ...], digits: int) -> bool:
        if self._lower is None:
            return True
        return self._digits >= digits and (not letters or any(one in self._lower for one in letters))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes secrets and personal data out of texts and values, or secrets only; doing it twice changes nothing more.

    `key` marks what was taken out by a keyed digest, the same for the same thing: keep it from whoever reads the log.
    """

    find: Find = _nothing
    key: bytes = b""
    secrets_only: bool = False

    def text(self, text: str) -> str:
        """The text with a mark for each thing that was taken out."""
        return self._marked(text, self.secrets_only)

    def value(self, value: Any) -> Any:
        """A plain value with marks in all its texts, the names of its mappings included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(one) for one in value]
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > 10**11:
            shown = str(value)
            return value if self.text(shown) == shown else self.text(shown)
        return value

    def json(self, text: str) -> str:
        """A text of JSON with marks in it, as canonical JSON; any other text as `text`."""
        try:
            return canonical_json(self.value(json.loads(text))).decode()
        except ValueError:
            return self.text(text)

    def _mapping(self, values: dict[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for name, value in values.items():
            marked = self.text(name)
            # A name without a sign or a digit tells nobody, and most are searched once.
            known = self._marked(name, False) if self.secrets_only and _TELLS.search(name) else marked
            while marked in kept:
                marked = f"{marked}'"
            kept[marked] = self._named(known, value)
        return kept

    def _named(self, name: str, value: Any) -> Any:
        is_id, is_secret, is_of_person = _told_by(name)
        if is_id and isinstance(value, str):
            return self._cut_out(value, _SECRET_SHAPES if self.secrets_only else _SHAPES)
        if not is_secret or value is None or value == "" or isinstance(value, bool):
            return self.value(value)
        if isinstance(value, str) and _MARK.fullmatch(value):
            return value
        if self.secrets_only and is_of_person and self.value(value) == value:
            return value
        return self._mark("value", repr(value))

    def _marked(self, text: str, secrets_only: bool) -> str:
        if len(text) <= _SHORT and _says_nothing(text):
            return text
        text = self._cut_out(text, _SECRET_SHAPES if secrets_only else _SHAPES)
        if not _is_worth_a_look(text):
            return text
        whole = self._cut_out(text, _PERSONAL_SHAPES) if secrets_only else text
        return self._searched(text, whole) if whole is text or _is_worth_a_look(whole) else text

    def _cut_out(self, text: str, shapes: _Shapes) -> str:
        if len(text) < _SHORTEST:
            return text
        seen = _Seen(text)
        for kind, shape, letters, digits in shapes:
            if seen.may_have(letters, digits):
                text, found = shape.subn(partial(self._judged, kind), text)
                seen = _Seen(text) if found else seen
        return text

    def _searched(self, text: str, whole: str) -> str:
        """The text without the lines in which `find` finds something when their marks are left out.

        `whole` is the text with all its marks: by it a line is searched, and what stands for it is the same either way.
        """
        kept, lines = text.split("\n"), whole.split("\n")
        unmarked = "\n".join(_BLOB.sub(r"\1", _MARK.sub("", line)) for line in lines)
        for number, kind in self.find(unmarked):
            if 0 < number <= len(lines) and not _MARK.fullmatch(lines[number - 1]):
                kept[number - 1] = lines[number - 1] = self._mark(kind.lower(), lines[number - 1])
        return "\n".join(kept)

    def _judged(self, kind: str, found: re.Match[str]) -> str:
        holds = {"card": _is_card, "IBAN": _is_iban}.get(kind)
        return self._mark(kind, found[0]) if holds is None or holds(found[0]) else found[0]

    def _mark(self, kind: str, found: str) -> str:
        if not self.key:
            return f"[redacted {kind}]"
        tag = hmac.new(self.key, found.encode(errors="replace"), hashlib.sha256).hexdigest()[:8]
        return f"[redacted {kind} {tag}]"


def named_secrets(value: Any, *, is_secret: bool = False) -> Iterator[str]:
    """The texts and numbers in a plain value that stand under a name such as `password`, as they are.

    >>> list(named_secrets({"to": "bob", "login": [{"pin": 1234, "password": {"old": "hunter"}}]}))
    ['1234', 'hunter']
    """
    if isinstance(value, dict):
        for name, part in value.items():
            yield from named_secrets(part, is_secret=is_secret or _told_by(name)[1])
    elif isinstance(value, list):
        for part in value:
            yield from named_secrets(part, is_secret=is_secret)
    elif is_secret and value is not None and value != "" and not isinstance(value, bool):
        yield str(value)


def is_marked(value: Any) -> bool:
    """Whether something was taken out of a plain value.

    >>> is_marked({"to": ["[redacted email 0a1b2c3d]"]}), is_marked({"to": "redacted"})
    (True, False)
    """
    if isinstance(value, str):
        return bool(_MARK.search(value))
    if isinstance(value, dict):
        return any(map(is_marked, (*value, *value.values())))
    return isinstance(value, list | tuple) and any(map(is_marked, value))


@lru_cache(maxsize=4096)
def _says_nothing(text: str) -> bool:
    """Whether there is nothing to look for in a short text, such as the names that come in every step."""
    return bool(_PLAIN.fullmatch(text)) and not _is_worth_a_look(text)


@lru_cache(maxsize=4096)
def _told_by(name: str) -> tuple[bool, bool, bool]:
    """Whether a name says that its value is an id, that it is to be taken out, and that it only tells who somebody is.

    >>> [_told_by(name)[1] for name in ("accessToken", "http.request.header.x-api-key", "maxTokens")]
    [True, True, False]
    """
    last = _PATH.split(_CAMEL.sub("_", name))[-1]
    is_of_person = bool(_OF_PERSONS.fullmatch(name) or _OF_PERSONS.fullmatch(last))
    return bool(_ID.fullmatch(name)), bool(_NAMED.fullmatch(name) or _NAMED.fullmatch(last)), is_of_person


def _is_card(text: str) -> bool:
    """Whether a number is of an issuer of cards and its check digit is right; an instant in any unit is none."""
    digits = [int(one) for one in text if one.isdigit()]
    if not _ISSUERS.fullmatch("".join(map(str, digits))):
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits of a bank account's number are right."""
    plain = text.replace(" ", "")
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _is_worth_a_look(text: str) -> bool:
    lower = text.lower() if text.isascii() else ""
    if any(word in lower for word in _WORDS) or (not lower and _ANY_WORD.search(text)):
        return True
    return _has_long_word(text)


def _has_long_word(text: str) -> bool:
    long = (word for word in _LONG_WORD.findall(text) if _DIGITS.search(word) and _LETTER.search(word))
    return not all(map(_DIGEST.fullmatch, long))
