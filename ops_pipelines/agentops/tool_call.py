"""What comes of a call through the gate: it was done, it waits for a person, or it was denied and why.

All three are data that an agent can read. A denial says what was wrong, what is expected and what to do next, and whether
trying again can help.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VALIDATE, PROVENANCE, POLICY, BUDGET, LOOP, APPROVE, EXECUTE, RECORD = (
    "validate",
    "provenance",
    "policy",
    "budget",
    "loop",
    "approve",
    "execute",
    "record",
)
"""The stages of the gate, any of which can deny."""


@dataclass(frozen=True, slots=True)
class Done:
    """The tool was run: its result as plain JSON. `repeated` where it was done before, and this is what came of it then.

    `truncated` where the result was too long: then it holds its beginning, its length and its digest.
    """

    result: Any
    repeated: bool = False
    truncated: bool = False

    def to_json(self) -> dict[str, Any]:
        """What the agent is given."""
        marks = {name: True for name in ("repeated", "truncated") if getattr(self, name)}
        return {"status": "done", "result": self.result, **marks}


@dataclass(frozen=True, slots=True)
class Waiting:
    """The call waits for a person: once `approval` is granted, the same call is made again with it."""

    approval: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """What the agent is given."""
        todo = "Wait until a person has answered, then make exactly this call again with this approval"
        return {"status": "waiting", "approval": self.approval, "reason": self.reason, "do": todo}


@dataclass(frozen=True, slots=True)
class Denied:
    """The call was not done, or nobody knows whether it was (`is_unknown`). `stage` is where the gate said no.

    `quotes` where the reason holds words of the tool, which strangers may have written.
    """

    stage: str
    reason: str
    do: str
    can_retry: bool = False
    is_unknown: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    quotes: bool = False

    def to_json(self) -> dict[str, Any]:
        """What the agent is given."""
        status = "unknown" if self.is_unknown else "denied"
        told = {"stage": self.stage, "reason": self.reason, "do": self.do, "can_retry": self.can_retry}
        more = {"facts": dict(self.facts), "quotes": self.quotes}
        return {"status": status, **told, **{name: value for name, value in more.items() if value}}


Answer = Done | Waiting | Denied


_DENIAL = frozenset({"stage", "reason", "do"})
_KEPT: Mapping[str, frozenset[str]] = {"done": frozenset({"result"}), "denied": _DENIAL, "unknown": _DENIAL}
"""What an answer holds at least that a step keeps, by its status."""


def is_answer(value: Any) -> bool:
    """Whether a step's plain value is what a gate said, and not a bare result that happens to tell a status."""
    return isinstance(value, Mapping) and _KEPT.get(str(value.get("status")), frozenset({None})) <= value.keys()


def answer_from_json(record: Mapping[str, Any]) -> Answer:
    """The answer that `to_json` wrote."""
    said = {name: value for name, value in record.items() if name not in ("status", "do")}
    if record["status"] == "done":
        return Done(**said)
    if record["status"] == "waiting":
        return Waiting(**said)
    return Denied(**said, do=record["do"], is_unknown=record["status"] == "unknown")


class EffectNotDone(Exception):
    """Raised by a tool with an effect that knows that nothing has happened: every other error leaves it unknown."""
