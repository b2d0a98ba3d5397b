"""What the gate said of each call, written down before anything is done.

A decision that cannot be written down is not acted upon. It holds what a policy was asked, so that another policy can be
asked the same afterwards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Logged:
    """One call's decision. `what` is allowed, denied or waiting, `stage` who said so; `situation` is what Cedar was given.

    `arguments` are canonical JSON, or empty where the call was no JSON. `redacted` where a secret was taken out before it was
    kept: then what the policy was asked is known but for that.
    """

    id: str
    run: str
    agent: str
    release: str
    policy: str
    tool: str
    arguments: str
    what: str
    stage: str
    reason: str
    at: datetime
    situation: Mapping[str, Any] = field(default_factory=dict)
    redacted: bool = False

    def to_json(self) -> dict[str, Any]:
        """The decision as plain JSON."""
        names = ("id", "run", "agent", "release", "policy", "tool", "arguments", "what", "stage", "reason")
        plain = {name: getattr(self, name) for name in names}
        marks = {"redacted": True} if self.redacted else {}
        return plain | {"at": self.at.isoformat(), "situation": dict(self.situation)} | marks

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Logged":
        """The decision that `to_json` wrote."""
        return cls(**{**record, "at": datetime.fromisoformat(record["at"])})


class DecisionLog(Protocol):
    """Where decisions are kept. `ops_pipelines.testing.decision_log` checks an implementation."""

    def keep(self, decision: Logged, *, durable: bool) -> None:
        """Append a decision; with `durable` it survives a power cut, and without it the death of this process."""

    def decisions(self, run: str | None = None) -> tuple[Logged, ...]:
        """Those of a run, or all, in the order in which they were kept; empty for none."""
