"""Why a policy says what it says of one call, rule by rule, and what would have to be otherwise for it to be allowed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from ops_pipelines.agentops.policy import ALLOW, Decision, Policy, Situation, judged_by
from ops_pipelines.agentops.policy_rules import Rule, rules_in
from ops_pipelines.agentops.tool_registry import READ, Tool

_TOGETHER = 3
"""How many things are tried otherwise at once."""


@dataclass(frozen=True, slots=True)
class Applied:
    """A rule, whether it applies to a call, and whether it would if a person had approved that."""

    rule: Rule
    applies: bool
    when_approved: bool

    def to_json(self) -> dict[str, Any]:
        """The rule as plain JSON."""
        rule = self.rule
        told = {"id": rule.id, "effect": rule.effect, "place": rule.place}
        return told | {"applies": self.applies, "applies_when_approved": self.when_approved}


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision, each rule's part in it, and the smallest changes by which the call would be allowed.

    `otherwise` holds alternatives, each of which needs all that it names; it is empty for a call that is allowed, and
    where nothing that was tried would do.
    """

    decision: Decision
    rules: tuple[Applied, ...]
    otherwise: tuple[tuple[str, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The explanation as plain JSON."""
        shown = {"decision": self.decision.to_json(), "reason": self.decision.reason}
        return shown | {
            "rules": [one.to_json() for one in self.rules],
            "otherwise": [list(one) for one in self.otherwise],
        }


def explain(policy: Policy, tool: Tool, situation: Situation, *, approved: bool = False) -> Explained:
    """Why the policy says what it says of a call of a tool in a situation."""
    decision = policy.decide(tool, situation, approved=approved)
    rules = tuple(_applied(rule, tool, situation, approved) for rule in rules_in(policy.texts))
    is_allowed = decision.outcome == ALLOW
    return Explained(decision, rules, () if is_allowed else tuple(_otherwise(policy, tool, situation, approved)))


def _applied(rule: Rule, tool: Tool, situation: Situation, approved: bool) -> Applied:
    parsed = rule.parsed()
    first, second = (
        bool(judged_by(parsed, tool, situation, approved=yes).diagnostics.reasons) for yes in (approved, True)
    )
    return Applied(rule, first, second)


def _otherwise(policy: Policy, tool: Tool, situation: Situation, approved: bool) -> Iterator[tuple[str, ...]]:
    """The smallest sets of changes that make the call an allowed one."""
    changes = dict(_changes(tool, situation, approved))
    found: list[frozenset[str]] = []
    for size in range(1, _TOGETHER + 1):
        for names in combinations(changes, size):
            if any(smaller <= set(names) for smaller in found):
                continue
            changed_tool, changed, yes = tool, situation, approved
            for name in names:
                changed_tool, changed, yes = changes[name](changed_tool, changed, yes)
            if policy.decide(changed_tool, changed, approved=yes).outcome == ALLOW:
                found.append(frozenset(names))
                yield names


def _changes(tool: Tool, situation: Situation, approved: bool) -> Iterator[tuple[str, Any]]:
    """What could be otherwise, each with how."""
    if not approved:
        yield "a person approves it", lambda tool, it, yes: (tool, it, True)  # noqa: ARG005  one shape for all
    for name, words in _WORDS.items():
        if value := getattr(situation, name):
            shown = ", ".join(value) if isinstance(value, tuple) else str(value)
            yield words.format(shown), _without(name)
    if tool.effect != READ:
        yield f"{tool.name} only read", lambda tool, it, yes: (replace(tool, effect=READ), it, yes)


_WORDS: Mapping[str, str] = {
    "unseen": "what it names ({}) had occurred in what the agent was told",
    "tainted": "what it names ({}) had come from somebody trusted",
    "run_is_tainted": "the run had read nothing that strangers wrote",
    "freezes": "the freeze {} were over",
    "amount_cents": "it were of no amount, and not of {} cents",
    "depth": "no agent had handed the work on (here {})",
}
_NOTHING: Mapping[str, Any] = {"amount_cents": None, "depth": 0, "run_is_tainted": False}


def _without(name: str) -> Any:
    return lambda tool, it, yes: (tool, replace(it, **{name: _NOTHING.get(name, ())}), yes)
