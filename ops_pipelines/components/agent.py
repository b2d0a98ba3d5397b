"""The Agent component: a program with its tools and its policy becomes a release that is gated before it acts."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.project import Project
from ops_pipelines.components.agent_assets import AgentAssets
from ops_pipelines.components.agent_runs import AgentDays, agent_days
from ops_pipelines.components.agent_settings import AgentBudgets, Backtest, Evaluation, Replays
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import scheduled
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.scaffolding import AgentScaffolder


@dg.scaffold_with(AgentScaffolder)
class Agent(OpsComponent):
    """An agent. `program` is a function `(session) -> result`, `toolset` one that makes its tools, `(bench) -> tools`.

    `policy` is a folder of Cedar files from the project's root; without it evals/agents/<name>/policy. What it `uses` is
    pinned to what is live when the candidate is put together; what it `operates` is acted upon by name. `settings` are
    given to the program. `tenant` is on whose behalf it works. `schedule` is a cron expression in UTC.
    """

    name: str
    program: str
    toolset: str
    policy: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    tenant: str = ""
    uses: list[str] = Field(default_factory=list)
    operates: list[str] = Field(default_factory=list)
    budgets: AgentBudgets = Field(default_factory=AgentBudgets)
    evaluation: Evaluation = Field(default_factory=Evaluation)
    backtest: Backtest = Field(default_factory=Backtest)
    replays: Replays = Field(default_factory=Replays)
    days: AgentDays = Field(default_factory=AgentDays)
    schedule: str | None = None
    description: str | None = None
    owners: list[str] = Field(default_factory=list)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:  # noqa: ARG002
        """All that stands between its files and its going live, the days of its runs, and the jobs of both."""
        self._check()
        wired = AgentAssets(self)
        assets = [wired.candidate(), wired.evaluation(), wired.backtest(), wired.replays()]
        assets += [wired.comparison(), wired.release()]
        job = dg.define_asset_job(f"evaluate_{self.name}", dg.AssetSelection.assets(*assets))
        gate = dg.Definitions(
            assets=assets, jobs=[job, *pointer_jobs(self.name)], schedules=scheduled(job, self.schedule)
        )
        return dg.Definitions.merge(gate, agent_days(self.name, self.days, owners=self.owners))

    def _check(self) -> None:
        """Refuses what cannot be where the YAML is loaded."""
        self.budgets.budgets()
        self.evaluation.floor_rule()
        self.evaluation.compare_rule()
        self.backtest.rule()
        self.replays.rule()

    def to_json(self) -> dict[str, Any]:
        """What its YAML says as plain JSON, for what the code version is over."""
        return self.model_dump(mode="json")

    def policy_folder(self, project: Project) -> Path:
        """Where its policy lies."""
        return project.policy_folder(self.name, self.policy)
