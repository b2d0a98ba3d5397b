"""What a gate is made of, and whose calls go through it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ops_pipelines.agentops.approval import ApprovalStore
from ops_pipelines.agentops.decision_log import DecisionLog
from ops_pipelines.agentops.effects import EffectJournal
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.tool_registry import ToolRegistry
from ops_pipelines.core.errors import check_settings
from ops_pipelines.llmops.budget import BudgetStore


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a tool may take, how much it may return and be given, and how long a person's yes counts."""

    tool_seconds: float = 60.0
    result_bytes: int = 200_000
    argument_bytes: int = 1_000_000
    approval: timedelta = timedelta(hours=1)

    def __post_init__(self) -> None:
        check_settings(
            self,
            "limits",
            tool_seconds=(0 < self.tool_seconds < float("inf"), "more than 0 seconds"),
            result_bytes=(self.result_bytes >= 1, "at least 1"),
            argument_bytes=(self.argument_bytes >= 1, "at least 1"),
            approval=(self.approval > timedelta(0), "more than no time"),
        )


@dataclass(frozen=True, slots=True)
class Parts:
    """What a gate is made of. `functions` do the tools of the registry by name, given plain JSON.

    `prices` are the most dollars that a call of a tool can cost; one that is not named costs nothing. `now` is the wall
    clock, `new_id` makes an id.
    """

    registry: ToolRegistry
    functions: Mapping[str, Callable[[Mapping[str, Any]], Any]]
    policy: Policy
    approvals: ApprovalStore
    journal: EffectJournal
    log: DecisionLog
    budgets: BudgetStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Run:
    """Who calls: the run, the agent's principal, its release, and on behalf of whom. `depth` counts who handed it on.

    `started_by` is the principal who had the agent start, where that is another than the agent's: what it asks for, that one
    cannot approve.
    """

    id: str
    agent: str
    release: str
    tenant: str = ""
    environment: str = "production"
    depth: int = 0
    started_by: str = ""
