"""Who may hand what to whom, and how deep: a task that one agent gives to another is judged before it is given.

What no rule allows is refused, and names match exactly. An agent hands on no more than it was handed: the tools that a
task may use are at most those of the agent that gives it. A task never comes back to an agent that is waiting for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

ANYTHING = "*"
"""In a rule's tasks: whatever task."""


@dataclass(frozen=True, slots=True)
class HandoffRule:
    """That `sender` may hand these tasks to `receiver`, with at most these tools."""

    sender: str
    receiver: str
    tasks: frozenset[str] = frozenset({ANYTHING})
    tools: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DelegationPolicy:
    """The rules, and how many agents may stand in one line at most, the first included."""

    rules: tuple[HandoffRule, ...]
    deepest: int = 3

    def __post_init__(self) -> None:
        if self.deepest < 1:
            raise ConfigError(
                f"At most {self.deepest} agents in a line leave none to begin",
                expected="1 or more",
                action="Set `deepest`; 1 allows no handing on",
            )


@dataclass(frozen=True, slots=True)
class Handoff:
    """A task for another agent. `line` are the agents that wait for it, the first asked first and the sender last.

    `granted` are the tools that the sender may use itself, `tools` those that the receiver is to have.
    """

    line: tuple[str, ...]
    receiver: str
    task: str
    tools: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    tenant: str = ""
    receiver_tenant: str = ""

    @property
    def sender(self) -> str:
        """The agent that hands the task on; empty where nobody stands in line."""
        return self.line[-1] if self.line else ""


def judge_handoff(policy: DelegationPolicy, handoff: Handoff) -> Verdict:
    """Whether a task may be handed on, or all reasons against it."""
    rules = [rule for rule in policy.rules if (rule.sender, rule.receiver) == (handoff.sender, handoff.receiver)]
    reasons = [*_against_line(policy, handoff), *_against_tools(handoff), *_against_rules(policy, rules, handoff)]
    if reasons:
        return Blocked(tuple(reasons))
    return Passed({"sender": handoff.sender, "receiver": handoff.receiver, "tools": sorted(handoff.tools)})


def _against_line(policy: DelegationPolicy, handoff: Handoff) -> list[str]:
    reasons = []
    if handoff.receiver in handoff.line:
        reasons.append(f"{handoff.receiver!r} waits for this task itself: {' -> '.join(handoff.line)}")
    if len(handoff.line) >= policy.deepest:
        reasons.append(f"{len(handoff.line)} agents stand in line already, and at most {policy.deepest} may")
    if handoff.tenant != handoff.receiver_tenant:
        reasons.append(
            f"the task is for tenant {handoff.tenant!r}, and the receiver works for {handoff.receiver_tenant!r}"
        )
    return reasons


def _against_tools(handoff: Handoff) -> list[str]:
    beyond = sorted(handoff.tools - handoff.granted)
    return [f"{handoff.sender!r} may not use {', '.join(beyond)} itself, and so cannot hand it on"] if beyond else []


def _against_rules(policy: DelegationPolicy, rules: Sequence[HandoffRule], handoff: Handoff) -> list[str]:
    if not rules:
        receivers = [rule.receiver for rule in policy.rules if rule.sender == handoff.sender]
        return [
            f"no rule lets {handoff.sender!r} hand anything to {handoff.receiver!r}. {near_miss(handoff.receiver, receivers)}"
        ]
    of_task = [rule for rule in rules if rule.tasks & {ANYTHING, handoff.task}]
    if not of_task:
        tasks = sorted(task for rule in rules for task in rule.tasks)
        return [
            f"{handoff.sender!r} may not hand {handoff.task!r} to {handoff.receiver!r}. {near_miss(handoff.task, tasks)}"
        ]
    if any(handoff.tools <= rule.tools for rule in of_task):
        return []
    most = sorted(handoff.tools - max((rule.tools for rule in of_task), key=len))
    return [f"no rule lets {handoff.receiver!r} have {', '.join(most)} for {handoff.task!r}"]
