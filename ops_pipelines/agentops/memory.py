"""What agents remember between steps and runs: each change kept, with who wrote it, when, and from which source.

A scope holds what one tenant, one agent of a tenant, or one run of it remembers, and no tenant sees another's. Version n
of a scope is what its first n changes come to. A run names the version that it read, so that what was poisoned can be
followed: which entries came from a source, which runs read them, what those wrote. It is rolled back by further changes:
nothing is taken out of the history. What a MemoryStore guarantees is checked by `ops_pipelines.testing.memory_store`.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.agentops.payload import names_and_values, plain
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.agentops.run_log import MEMORY_READ, Step
from ops_pipelines.core.errors import ConfigError, LostRace

_SEPARATORS = re.compile(r"[/@,]")


@dataclass(frozen=True, slots=True, order=True)
class MemoryScope:
    """Whose memory it is: a tenant's, an agent's for that tenant, or that of one run of that agent."""

    tenant: str
    agent: str = ""
    run: str = ""

    def __post_init__(self) -> None:
        parts = (self.tenant, self.agent, self.run)
        if not self.tenant or (self.run and not self.agent) or any(map(_SEPARATORS.search, parts)):
            raise ConfigError(
                f"{parts} is no scope of a memory",
                expected="a tenant, for an agent's also the agent, for a run's all three, without '/', '@' and ','",
                action="Name the tenant, and what is above the run",
            )

    @property
    def name(self) -> str:
        """The scope in one word.

        >>> MemoryScope("acme", "oncall").name
        'acme/oncall'
        """
        return "/".join(part for part in (self.tenant, self.agent, self.run) if part)

    @property
    def line(self) -> tuple["MemoryScope", ...]:
        """The scopes that are read for this one, the widest first."""
        above = [MemoryScope(self.tenant), MemoryScope(self.tenant, self.agent), self]
        return tuple(dict.fromkeys(above))


@dataclass(frozen=True, slots=True)
class Change:
    """One key's new value (plain JSON), or None where it is forgotten.

    `writer` is the agent or person, `source` where the content comes from (`user`, `tool:get_webpage`, an address), and
    `run` and `step` those in which it was written.
    """

    key: str
    value: Any
    writer: str
    source: str
    at: datetime
    run: str = ""
    step: str = ""
    reason: str = ""


class MemoryStore(Protocol):
    """Where changes are kept."""

    def append(self, scope: MemoryScope, changes: Sequence[Change], *, expected: int | None = None) -> int:
        """Keep changes, all or none, durably; the scope's version after them.

        With `expected`, LostRace where that is not the version before them.
        """

    def changes(self, scope: MemoryScope, upto: int | None = None) -> tuple[Change, ...]:
        """The changes of one scope in order: all, or those that make a version."""

    def scopes(self, tenant: str = "") -> tuple[MemoryScope, ...]:
        """The scopes that hold a change, sorted: those of a tenant, or all where none is named."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """By what poisoned changes are known: their source, writer or run, or a text in their value; empty is any."""

    source: str = ""
    writer: str = ""
    runs: frozenset[str] = frozenset()
    text: str = ""

    def __post_init__(self) -> None:
        if not (self.source or self.writer or self.runs or self.text):
            raise ConfigError(
                "Nothing is suspected: every change would be poisoned",
                expected="a source, a writer, runs or a text",
                action="Say by what the poisoned entries are known",
            )

    def matches(self, change: Change) -> bool:
        """Whether a change is one of those."""
        same = all(
            asked in ("", found) for asked, found in ((self.source, change.source), (self.writer, change.writer))
        )
        return same and (not self.runs or change.run in self.runs) and self.text in _text(change.value)


def version_name(scope: MemoryScope, version: int) -> str:
    """A version as steps name it.

    >>> version_name(MemoryScope("acme", "oncall"), 3)
    'acme/oncall@3'
    """
    return f"{scope.name}@{version}"


def held(changes: Iterable[Change]) -> dict[str, Any]:
    """What some changes come to: each key's last value; forgotten ones are not there."""
    values = {change.key: change.value for change in changes}
    return {key: value for key, value in values.items() if value is not None}


def remember(store: MemoryStore, scope: MemoryScope, changes: Sequence[Change], *, redactor: Redactor) -> Outcome:
    """The version after some changes, which are redacted before they are kept."""
    kept = [
        replace(
            change,
            key=redactor.text(change.key),
            value=redactor.value(plain(change.value)),
            source=redactor.text(change.source),
        )
        for change in changes
    ]
    version = store.append(scope, kept)
    return Outcome(version, memory_version=version_name(scope, version))


def find_poisoned(changes: Sequence[Change], suspect: Suspect) -> tuple[int, ...]:
    """The versions that poisoned changes made, from 1, also where they were overwritten since."""
    return tuple(version for version, change in enumerate(changes, start=1) if suspect.matches(change))


def runs_that_read(
    steps: Iterable[Step], scope: MemoryScope, changes: Sequence[Change], bad: Collection[int]
) -> set[str]:
    """The runs that read a version of the scope in which a poisoned change was what its key held."""
    poisoned = {version for version in range(1, len(changes) + 1) if _standing(changes[:version], bad)}
    names = {version_name(scope, version) for version in poisoned}
    reads = (step for step in steps if step.kind == MEMORY_READ)
    return {step.run for step in reads if names.intersection(step.memory_version.split(","))}


def spread_of(
    histories: Mapping[MemoryScope, Sequence[Change]], steps: Sequence[Step], suspect: Suspect
) -> dict[MemoryScope, set[int]]:
    """The poisoned versions by scope, with those that runs wrote which had read a poisoned one, and so on.

    It is an upper bound: a run that read a poisoned entry may not have used it.
    """
    found = {scope: set(find_poisoned(changes, suspect)) for scope, changes in histories.items()}
    while True:
        runs: set[str] = set()
        for scope, changes in histories.items():
            runs |= runs_that_read(steps, scope, changes, found[scope])
        by_runs = Suspect(runs=frozenset(runs)) if runs else None
        wider = {
            scope: found[scope] | set(find_poisoned(changes, by_runs) if by_runs else ())
            for scope, changes in histories.items()
        }
        if wider == found:
            return {scope: versions for scope, versions in found.items() if versions}
        found = wider


def roll_back(
    changes: Sequence[Change], bad: Collection[int], *, writer: str, at: datetime, reason: str
) -> tuple[Change, ...]:
    """The changes that give each key whose value is poisoned the last good one it had, or forget it; empty for none.

    Keep them with `expected` as the version that was looked at, so that nothing that came meanwhile is lost.
    """
    good = [change for version, change in enumerate(changes, start=1) if version not in bad]
    before = {change.key: change for change in good}
    now, undone = held(changes), []
    for key in _standing(changes, bad):
        last = before.get(key)
        value, source = (last.value, last.source) if last else (None, "")
        if key in now or value is not None:
            undone.append(Change(key, value, writer, source, at, reason=reason))
    return tuple(undone)


def lost_race(scope: MemoryScope, expected: int, found: int) -> LostRace:
    """The error where somebody else changed a memory first."""
    return LostRace(
        f"The memory {scope.name} is at version {found} by now, not {expected}",
        expected="the version that was looked at",
        action="Read it again, and decide anew",
        scope=scope.name,
        version=found,
    )


def _standing(changes: Sequence[Change], bad: Collection[int]) -> tuple[str, ...]:
    """The keys whose value, or whose absence, is one of the bad changes'."""
    last = {change.key: version for version, change in enumerate(changes, start=1)}
    return tuple(key for key, version in last.items() if version in bad)


def _text(value: Any) -> str:
    """All names and values of a value in one text."""
    return "\n".join(map(str, names_and_values(value)))
