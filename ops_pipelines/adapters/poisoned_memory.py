"""Poisoned memories of a tenant: found in all its scopes, with what runs wrote that had read them, and rolled back.

A rollback is told of in the audit log before it is kept; nothing is taken out of a history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.memory import (
    Change,
    MemoryScope,
    Suspect,
    find_poisoned,
    roll_back,
    runs_that_read,
    spread_of,
    version_name,
)
from ops_pipelines.agentops.run_log import MEMORY_READ, RunFilter, Step
from ops_pipelines.agentops.run_named import ALWAYS
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.principal import APPROVE, EVERY

ROLLS_BACK = "rolls back a memory"
"""What the audit log says of it."""
_ALL_RUNS = 1_000_000


@dataclass(frozen=True, slots=True)
class Poisoned:
    """What is suspected in one scope: its changes, the versions that poisoned ones made, and the runs that read those."""

    scope: MemoryScope
    changes: Sequence[Change]
    versions: tuple[int, ...]
    readers: tuple[str, ...]


def find_in_tenant(platform: Platform, tenant: str, suspect: Suspect, *, spread: bool) -> tuple[Poisoned, ...]:
    """The poisoned scopes of a tenant; with `spread` also what was written by runs that had read a poisoned entry."""
    histories = {scope: platform.memory.changes(scope) for scope in platform.memory.scopes(tenant)}
    reads = _reads(platform)
    found: Mapping[MemoryScope, set[int]] = (
        spread_of(histories, reads, suspect)
        if spread
        else {scope: set(find_poisoned(changes, suspect)) for scope, changes in histories.items()}
    )
    return tuple(
        Poisoned(
            scope,
            histories[scope],
            tuple(sorted(bad)),
            tuple(sorted(runs_that_read(reads, scope, histories[scope], bad))),
        )
        for scope, bad in sorted(found.items())
        if bad
    )


def undone(platform: Platform, one: Poisoned, *, by: str, reason: str) -> tuple[Change, ...]:
    """The changes that a rollback of a scope would make; empty where no poisoned value stands any more."""
    return roll_back(one.changes, one.versions, writer=by, at=platform.clock.wall(), reason=reason)


def who_may_roll_back(platform: Platform, scope: MemoryScope, *, otherwise: str) -> str:
    """Who rolls a memory back; NotAllowed where the token may not approve for its agent, or for all of a tenant's."""
    return platform.access.whoever_may(APPROVE, scope.agent or EVERY, PRODUCTION, otherwise=otherwise)


def roll_scope_back(platform: Platform, one: Poisoned, *, otherwise: str, reason: str) -> tuple[Change, ...]:
    """Give each key whose value is poisoned its last good one; LostRace where somebody changed the scope meanwhile."""
    who = who_may_roll_back(platform, one.scope, otherwise=otherwise)
    changes = undone(platform, one, by=who, reason=reason)
    if changes:
        facts = {"memory": version_name(one.scope, len(one.changes)), "keys": [change.key for change in changes]}
        at = platform.clock.wall()
        told = {**facts, "reason": reason}
        platform.audit.append(at=at, actor=who, action=ROLLS_BACK, subject=one.scope.name, facts=told)
        platform.memory.append(one.scope, changes, expected=len(one.changes))
    return changes


def _reads(platform: Platform) -> tuple[Step, ...]:
    """Every step in which a run read a memory."""
    runs = platform.runs.runs(ALWAYS, RunFilter(kind=MEMORY_READ), limit=_ALL_RUNS)
    return tuple(step for one in runs for step in platform.runs.steps(one.run) if step.kind == MEMORY_READ)
