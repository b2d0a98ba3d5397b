"""What one run of an agent remembers, by a memory store: read with where each thing is from, and written once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.memory import Change, MemoryScope, MemoryStore, remember, version_name
from ops_pipelines.agentops.payload import plain
from ops_pipelines.agentops.provenance import OPERATOR, USER
from ops_pipelines.agentops.recording import Outcome
from ops_pipelines.agentops.redaction import Redactor
from ops_pipelines.core.errors import ConfigError

OF_TENANT, OF_AGENT, OF_RUN = "tenant", "agent", "run"
"""Whose memory: that of all agents of the tenant, the agent's own, or this run's."""
NO_TENANT = "local"
"""Whose memory it is where an agent works for nobody in particular."""
_AFTER, _OWN_WORDS = " after reading ", " in the agent's words"


@dataclass(frozen=True, slots=True)
class RunMemory:
    """The memory of a run; `now` is the wall clock."""

    store: MemoryStore
    tenant: str
    agent: str
    run: str
    redactor: Redactor
    now: Callable[[], datetime]

    def scope(self, of: str) -> MemoryScope:
        """The scope of a tenant's, an agent's or a run's memory; ConfigError for another word."""
        tenant = self.tenant or NO_TENANT
        found = {
            OF_TENANT: MemoryScope(tenant),
            OF_AGENT: MemoryScope(tenant, self.agent),
            OF_RUN: MemoryScope(tenant, self.agent, self.run),
        }
        if of not in found:
            raise ConfigError(
                f"There is no memory of {of!r}", expected=f"one of {', '.join(found)}", action="Say whose memory"
            )
        return found[of]

    def recalled(self, of: str) -> Outcome:
        """What is held, the narrower scope winning, as `{key: {"value": ..., "source": ...}}`, and the versions read."""
        found: dict[str, Any] = {}
        versions = []
        for scope in self.scope(of).line:
            changes = self.store.changes(scope)
            versions.append(version_name(scope, len(changes)))
            last = {change.key: change for change in changes}
            found |= {
                key: {"value": change.value, "source": change.source}
                for key, change in last.items()
                if change.value is not None
            }
        return Outcome(found, memory_version=",".join(versions))

    def remembered(self, of: str, change: Change, *, again: bool) -> Outcome:
        """The version after a change; `again` where the run may have made it already, before it was cut off."""
        scope = self.scope(of)
        for version, one in enumerate(self.store.changes(scope) if again else (), start=1):
            if (one.run, one.step) == (change.run, change.step):
                return Outcome(version, memory_version=version_name(scope, version))
        return remember(self.store, scope, [change], redactor=self.redactor)

    def change(self, key: str, value: Any, *, source: str, step: str) -> Change:
        """What is to be remembered now, in a step."""
        return Change(key, plain(value), self.agent, source, self.now(), self.run, step)


def source_said(source: str, tainted_by: Iterable[str], *, is_own: bool) -> str:
    """A source as it is remembered: a run that had read what strangers wrote says so, and its word is no user's any more.

    Nor is a word that is the agent's own, whatever it says of its source.
    """
    read = ", ".join(tainted_by)
    worded = f"{source}{_OWN_WORDS}" if is_own else source
    return f"{worded}{_AFTER}{read}" if read else worded


def is_trusted(source: str, trusts: Callable[[str], bool]) -> bool:
    """Whether what was remembered from a source is as good as the user's word; `trusts` says it of a tool."""
    return source in (USER, OPERATOR) or (source.startswith("tool:") and trusts(source.removeprefix("tool:")))


def values_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What was recalled, without where it is from."""
    return {key: one["value"] for key, one in found.items()}
