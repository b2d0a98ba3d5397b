"""What another policy would have said to the calls that were decided: before it ships, and without doing anything.

Each logged decision holds what its policy was asked. A tool that is no longer registered, and a call that was refused before
it came to the policy, cannot be judged again and are counted apart. So is one from whose arguments a secret was taken out,
where either policy asks about arguments.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops_pipelines.agentops.decision_log import Logged
from ops_pipelines.agentops.policy import Decision, Policy, Situation
from ops_pipelines.agentops.tool_registry import ToolRegistry

TOOL_GONE, NOT_ASKED = "its tool is gone", "it was refused before any policy was asked"
SECRET_OUT = "a secret was taken out of it, and a policy asks about arguments"
"""Why a decision cannot be judged again."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A call of which two policies say something else: `before` and `after` with their reasons."""

    logged: Logged
    before: Decision
    after: Decision


@dataclass(frozen=True, slots=True)
class Backtest:
    """How many calls were judged again, those that change, and why others could not be judged, by their ids."""

    judged: int
    changed: tuple[Changed, ...]
    not_judged: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The result as plain JSON, each change with who says what."""
        changes = [
            {
                "id": one.logged.id,
                "run": one.logged.run,
                "tool": one.logged.tool,
                "before": one.before.to_json(),
                "after": one.after.to_json(),
            }
            for one in self.changed
        ]
        return {"judged": self.judged, "changed": changes, "not_judged": dict(self.not_judged)}


def backtest(
    decisions: Iterable[Logged],
    registry: ToolRegistry,
    *,
    before: Policy,
    after: Policy,
    registry_before: ToolRegistry | None = None,
) -> Backtest:
    """Which decisions would change if `after` took the place of `before`.

    Both are asked anew, as if nobody had approved yet, so that a decision of long ago is not held against the new policy.
    `registry` holds the tools that `after` judges, and `registry_before` those of `before` where they are others: a tool
    that is called a read by now is judged as what it was.
    """
    judged, changed, not_judged = 0, [], {}
    asks = before.asks_about_arguments or after.asks_about_arguments
    for logged in decisions:
        tool, tool_before = registry.get(logged.tool), (registry_before or registry).get(logged.tool)
        if tool is None or tool_before is None or not logged.situation or (logged.redacted and asks):
            not_judged[logged.id] = _why_not(logged, is_known=tool is not None and tool_before is not None)
            continue
        judged += 1
        situation = situation_from(logged.agent, logged.situation)
        was, would_be = before.decide(tool_before, situation), after.decide(tool, situation)
        if was.outcome != would_be.outcome:
            changed.append(Changed(logged, was, would_be))
    return Backtest(judged, tuple(changed), not_judged)


def _why_not(logged: Logged, *, is_known: bool) -> str:
    if not is_known:
        return TOOL_GONE
    return SECRET_OUT if logged.situation else NOT_ASKED


def decisions_of(
    decisions: Iterable[Logged], agent: str, releases: Collection[str], since: datetime | None = None
) -> list[Logged]:
    """Those of an agent, and those of whom its releases handed work on to: one policy judges both."""
    own = (one for one in decisions if one.release in releases or one.agent == agent)
    return [one for one in own if since is None or one.at >= since]


def situation_from(agent: str, context: Mapping[str, Any]) -> Situation:
    """The situation that a logged context was made of."""
    made: dict[str, Any] = {name: tuple(context[name]) for name in ("arguments", "unseen", "tainted", "freezes")}
    made |= {name: context[name] for name in ("tenant", "environment", "depth", "run_is_tainted")}
    return Situation(agent, amount_cents=context["amount_cents"] if context["has_amount"] else None, **made)
