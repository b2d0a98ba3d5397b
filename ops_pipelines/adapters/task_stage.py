"""What an agent's tasks are run on here: the stores that it has in production, in a folder of their own.

They are made for each run, and nothing of the platform's own is opened.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from ops_pipelines.adapters.sqlite_approvals import SQLiteApprovalStore
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_decisions import SQLiteDecisionLog
from ops_pipelines.adapters.sqlite_effects import SQLiteEffectJournal
from ops_pipelines.adapters.sqlite_runs import SQLiteRunLog
from ops_pipelines.agentops.agent import Agent
from ops_pipelines.agentops.conductor import Acting
from ops_pipelines.agentops.evaluation.live import Stage, Stores


@contextmanager
def task_stage(name: str, release: str, agent: Agent, program: Acting) -> Iterator[Stage]:
    """A stage for the runs of an agent's release; its stores are gone when it is left."""
    with TemporaryDirectory(prefix="ops-tasks-") as folder:
        numbers = count()
        yield Stage(
            name=name,
            release=release,
            agent=agent,
            program=program,
            stores=lambda: stores_in(Path(folder) / str(next(numbers))),
            now=lambda: datetime.now(UTC),
            new_id=lambda: uuid.uuid4().hex,
        )


def stores_in(folder: Path) -> Stores:
    """New stores in a folder, which is made."""
    folder.mkdir(parents=True)
    return Stores(
        approvals=SQLiteApprovalStore(folder / "approvals.db"),
        journal=SQLiteEffectJournal(folder / "effects.db"),
        decisions=SQLiteDecisionLog(folder / "decisions.db"),
        budgets=SQLiteBudgetStore(folder / "budgets.db"),
        runs=SQLiteRunLog(folder / "runs.db"),
    )
