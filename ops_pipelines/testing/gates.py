"""A gate in memory for tests: its stores forget with the process, its clock is set by hand, and any store can be broken."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from ops_pipelines.agentops.breaker import Breaker, LoopRule
from ops_pipelines.agentops.gate_parts import Parts, Run
from ops_pipelines.agentops.gated import Gated, tools_of
from ops_pipelines.agentops.policy import Policy
from ops_pipelines.agentops.spend import Purse
from ops_pipelines.agentops.tool_function import ToolFunction
from ops_pipelines.agentops.tool_gate import Gate
from ops_pipelines.core.errors import DataError
from ops_pipelines.testing.approval_store import MemoryApprovalStore
from ops_pipelines.testing.budget_store import MemoryBudgetStore
from ops_pipelines.testing.decision_log import MemoryDecisionLog
from ops_pipelines.testing.effect_journal import MemoryEffectJournal

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
POLICY = """
@id("all but what destroys") permit(principal, action, resource) when { resource.effect != "destructive" };
@id("destruction is approved")
permit(principal, action, resource) when { resource.effect == "destructive" && context.approved };
@id("money is approved")
forbid(principal, action, resource) when { resource.effect == "money" } unless { context.approved };
@id("destinations are named")
forbid(principal, action, resource)
when { context.unseen.contains("destination") || context.tainted.contains("destination") };
@id("nothing changes in a freeze")
forbid(principal, action, resource) when { context.frozen && resource.effect != "read" };
"""
"""What a careful team starts from."""


class ClockByHand:
    """Tells the instant that it was set to."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, time: timedelta) -> None:
        """Let some time pass."""
        self.at += time


class Broken:
    """A store of any kind that is down: whatever it is asked for, it raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self._error = error or DataError("The store is down", expected="one that is up", action="Mend it")

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> Any:
            raise self._error

        return fail


def parts_of(*functions: Gated | ToolFunction, policy: Policy | None = None, **others: Any) -> Parts:
    """The parts of a gate for some functions; `others` are parts that take the place of those in memory."""
    registry, does = tools_of(functions)
    ids = count(1)
    made: dict[str, Any] = {
        "registry": registry,
        "functions": does,
        "policy": policy or Policy({"policy.cedar": POLICY}),
        "approvals": MemoryApprovalStore(),
        "journal": MemoryEffectJournal(),
        "log": MemoryDecisionLog(),
        "budgets": MemoryBudgetStore(),
        "now": ClockByHand(),
        "new_id": lambda: f"call-{next(ids)}",
    }
    return Parts(**{**made, **others})


def gate_of(
    parts: Parts, *, run: str = "run-1", rule: LoopRule | None = None, limit_usd: str = "1", **who: Any
) -> Gate:
    """A gate of some parts for a run of the agent `oncall`; `who` are further fields of the run."""
    caller = Run(run, **{"agent": "oncall", "release": "b" * 64, **who})
    return Gate(parts, caller, breaker=Breaker(rule or LoopRule(), parts.now()), purse=Purse(run, Decimal(limit_usd)))
