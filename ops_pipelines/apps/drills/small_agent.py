"""A gate whose stores are files in a drill's folder, for an agent of a few functions."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from ops_pipelines.agentops.gate_parts import Parts


def parts_in(folder: Path, *tools: Any, now: Callable[[], datetime], **others: Any) -> "Parts":
    """The parts of a gate with the policy that a careful team starts from, kept in SQLite; `others` as in `parts_of`."""
    from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
    from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
    from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
    from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
    from ops_pipelines.testing.gates import parts_of

    return parts_of(
        *tools,
        now=now,
        new_id=lambda: uuid4().hex,  # several processes of one drill write to the same files
        approvals=SQLiteApprovalStore(folder / "approvals.db"),
        journal=SQLiteEffectJournal(folder / "effects.db"),
        log=SQLiteDecisionLog(folder / "decisions.db"),
        budgets=SQLiteBudgetStore(folder / "budgets.db"),
        **others,
    )
