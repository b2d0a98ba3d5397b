"""Is what runs here what the release was trained with, package by package?

A model is its coefficients and the libraries that read them: another version of one may bin, impute or encode otherwise
and say nothing. The lock file that a release names by digest says what it was trained with; this compares it with the
lock file in force. What a lock file does not say (a package that was changed by hand) shows in `mlops.golden`.
"""

import re
from dataclasses import dataclass

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

_PIN = re.compile(
    r"(?P<name>[A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:===?|@)\s*(?P<version>[^\s;]+)(?:\s*;\s*(?P<when>.*))?"
)
_HASH = re.compile(r"--hash=(\S+)")
_NAMED = 5
"""So many packages are named in a reason; all of them are in the evidence."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One line of a lock file: a package, its version, where it counts (a marker, often empty), and its files' hashes."""

    name: str
    version: str
    when: str = ""
    hashes: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The version, with the marker where there is one."""
        return f"{self.version} ({self.when})" if self.when else self.version


@dataclass(frozen=True, slots=True)
class Difference:
    """One package that two lock files pin otherwise; None where one of them does not name it."""

    package: str
    trained: str | None
    running: str | None

    def __str__(self) -> str:
        if self.trained == self.running:
            return f"{self.package} {self.trained} with other files"
        return f"{self.package} {self.trained or 'absent'} → {self.running or 'absent'}"


def pins_of(lock: str) -> dict[str, tuple[Pin, ...]]:
    """The pins of a lock file in pip's form, by normalised package name; empty for a text that pins nothing.

    A package that is pinned otherwise on other platforms has several. DataError for a requirement that names no version,
    since such a file does not decide what is installed.
    """
    found: dict[str, list[Pin]] = {}
    for line in lock.replace("\\\n", " ").splitlines():
        required = re.split(r"(?:^|\s)#", line)[0].strip()
        if not required or required.startswith("-"):
            continue
        pin = _pin(required)
        found.setdefault(pin.name, []).append(pin)
    return {name: tuple(sorted(pins, key=lambda pin: (pin.when, pin.version))) for name, pins in sorted(found.items())}


def differences(trained: str, running: str) -> tuple[Difference, ...]:
    """The packages that two lock files pin otherwise, by name; empty where both install the same.

    The order of lines, comments and further hashes of a version do not count; a version none of whose files is the same
    does.
    """
    before, after = pins_of(trained), pins_of(running)
    pairs = {name: (before.get(name, ()), after.get(name, ())) for name in sorted(before.keys() | after.keys())}
    return tuple(
        Difference(name, _labels(one, other), _labels(other, one))
        for name, (one, other) in pairs.items()
        if not _same(one, other)
    )


def judge_environment(trained: bytes, running: bytes) -> Verdict:
    """Passed where both lock files install the same packages; Blocked with those that differ.

    `trained` are the bytes of the release's `environment` part, `running` those of the lock file in force. NotEvaluated
    where either is no lock file that can be read, unless both are the same to the byte.
    """
    digests = {"trained": digest_bytes(trained), "running": digest_bytes(running)}
    if not trained.strip() or not running.strip():
        return NotEvaluated("a lock file is empty, so nobody knows what is installed", digests)
    if trained == running:
        return Passed(digests)
    try:
        found = differences(trained.decode(), running.decode())
    except (DataError, UnicodeDecodeError) as error:
        return NotEvaluated(f"the lock files differ, and one cannot be read: {error}", digests)
    evidence = {**digests, "differences": [str(difference) for difference in found]}
    return Blocked((_reason(found),), evidence) if found else Passed(evidence)


def _reason(found: tuple[Difference, ...]) -> str:
    named = ", ".join(map(str, found[:_NAMED]))
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    packages = "package differs" if len(found) == 1 else "packages differ"
    return f"{len(found)} {packages} from the environment that it was trained in: {named}{more}"


def _pin(required: str) -> Pin:
    pinned = _PIN.fullmatch(_HASH.sub("", required).strip())
    if pinned is None:
        raise DataError(
            f"{required!r} is no pin",
            expected="name==version on each line of a lock file",
            action="Write the lock file with `make lock`",
        )
    name = re.sub(r"[-_.]+", "-", pinned["name"]).lower()
    return Pin(name, pinned["version"], (pinned["when"] or "").strip(), frozenset(_HASH.findall(required)))


def _labels(pins: tuple[Pin, ...], other: tuple[Pin, ...]) -> str | None:
    """The pins in words: those that the other side lacks, or all of them where it lacks none; None for no pin."""
    known = {pin.label for pin in other}
    own = [pin.label for pin in pins if pin.label not in known] or [pin.label for pin in pins]
    return ", ".join(own) or None


def _same(before: tuple[Pin, ...], after: tuple[Pin, ...]) -> bool:
    if [(pin.version, pin.when) for pin in before] != [(pin.version, pin.when) for pin in after]:
        return False
    pairs = zip(before, after, strict=True)
    return not any(one.hashes and other.hashes and one.hashes.isdisjoint(other.hashes) for one, other in pairs)
