"""What was done to the world, written down before it is done: at most once for each intent, and UNKNOWN where nobody knows.

An intent is one thing to be done, with a key that is the same when the agent is resumed. Its entry goes from `started` to
`done`, or to `not done` where the tool itself says that nothing happened. A process that dies in between leaves `started`
behind: the effect may have happened. Once the time is over in which the tool could have answered, that is UNKNOWN. It waits
for a person and is never tried again by itself.

So a crash can lose an effect, which is found and told, and never doubles one. What an EffectJournal guarantees is checked
by `ops_pipelines.testing.effect_journal`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_bytes, short
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

STARTED, DONE, NOT_DONE, UNKNOWN = "started", "done", "not done", "unknown"
"""What has become of an intent; `started` is one whose tool may still answer."""
_FINAL = (DONE, NOT_DONE)


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing to be done. The key names it, and is the same for the same step of the same run when that is resumed.

    `tool` is the name, `arguments` their canonical JSON, `approval` the one that was used for it, empty for none. Where a
    secret was taken out of the arguments before they were kept, `exact` is the digest of what they were.
    """

    key: str
    tool: str
    arguments: str
    run: str
    release: str
    approval: str = ""
    exact: str = ""

    @property
    def digest(self) -> str:
        """The digest of the exact arguments."""
        return self.exact or digest_bytes(self.arguments.encode())

    @property
    def digits(self) -> str:
        """Twelve digits by which people name it, since a key is long."""
        return short(digest_bytes(self.key.encode()))

    def is_as(self, other: "Intent") -> bool:
        """Whether two intents are the same thing to be done."""
        return (self.tool, self.digest) == (other.tool, other.digest)

    def with_arguments(self, kept: str) -> "Intent":
        """The same intent with arguments from which something was taken out."""
        return replace(self, arguments=kept, exact=self.digest)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an intent: done, not done or unknown; `result` is JSON or a sentence, `by` a person who found it out."""

    state: str
    result: str = ""
    by: str = ""

    def __post_init__(self) -> None:
        if self.state not in (*_FINAL, UNKNOWN):
            raise ConfigError(
                f"An effect cannot end as {self.state!r}",
                expected=f"one of {', '.join((*_FINAL, UNKNOWN))}",
                action="Say what came of it",
            )


@dataclass(frozen=True, slots=True)
class Entry:
    """An intent with what has become of it. Until `until` its tool may still answer."""

    intent: Intent
    started_at: datetime
    until: datetime
    outcome: Outcome | None = None
    ended_at: datetime | None = None

    def state(self, at: datetime) -> str:
        """Started, done, not done or unknown, at an instant of the wall clock."""
        if self.outcome is not None:
            return self.outcome.state
        return UNKNOWN if utc(at) >= utc(self.until) else STARTED

    def ended(self, outcome: Outcome, at: datetime) -> "Entry":
        """The entry with an outcome that was judged before."""
        return replace(self, outcome=outcome, ended_at=at)

    def to_json(self, at: datetime) -> dict[str, Any]:
        """The entry as plain JSON for people, with its state at an instant."""
        outcome = self.outcome or Outcome(UNKNOWN)
        plain = {
            name: getattr(self.intent, name) for name in ("key", "tool", "arguments", "run", "release", "approval")
        }
        told = {"result": outcome.result, "by": outcome.by, "started_at": self.started_at.isoformat()}
        return plain | told | {"state": self.state(at)}


class EffectJournal(Protocol):
    """Where intents are written down. Looking at one and changing it is one step, also among processes."""

    def start(self, intent: Intent, *, at: datetime, until: datetime) -> Entry | None:
        """None where this very call has written the intent down as started, durably: its caller alone may do it now.

        Otherwise the entry that is there, and nothing is to be done.
        """

    def end(self, key: str, outcome: Outcome, *, at: datetime) -> Verdict:
        """Keep an outcome where `judge_outcome` passes it, durably, and return that verdict."""

    def entries(self, key: str | None = None) -> tuple[Entry, ...]:
        """The entry with a key, or all in the order in which they were started; empty for none."""


def judge_outcome(entry: Entry | None, outcome: Outcome) -> Verdict:
    """Whether an outcome may be kept: what is done or not done stays so, and what is unknown can still be found out."""
    if entry is None:
        return Blocked(("there is no such intent",))
    known = entry.outcome
    if known is None or (known.state == UNKNOWN and outcome.state != UNKNOWN):
        return Passed({"state": outcome.state})
    return Blocked((f"the intent {entry.intent.key} is {known.state}",))


def waiting_for_a_person(journal: EffectJournal, at: datetime) -> tuple[Entry, ...]:
    """The entries of which nobody knows what came of them."""
    return tuple(entry for entry in journal.entries() if entry.state(at) == UNKNOWN)
