"""The Agent component: a program with its tools and its policy becomes a release that is gated before it acts."""

from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project, automation_is_on, find_project
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.agent_backtest import LOOSENED, make_backtest
from ops_pipelines.components.agent_candidate import make_candidate
from ops_pipelines.components.agent_evaluation import make_evaluation
from ops_pipelines.components.agent_gate import make_comparison
from ops_pipelines.components.agent_replays import AS_RECORDED, make_replays
from ops_pipelines.components.agent_runs import ACTS, AgentDays, agent_days
from ops_pipelines.components.agent_settings import AgentBudgets, Backtest, Evaluation, Replays
from ops_pipelines.components.component import OpsComponent
from ops_pipelines.components.conditions import first_or_changed, gated_eager
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.model_jobs import pointer_jobs
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.components.scaffolding import AgentScaffolder
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_files, digest_json

_CHECKS = {"candidate": "fits", "evaluation": "is_complete", "backtest": "is_backtested", "replays": "is_replayed"}


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
        self.budgets.budgets()  # what cannot be is refused where the YAML is loaded
        wired = _Assets(self)
        assets = [wired.candidate(), wired.evaluation(), wired.backtest(), wired.replays()]
        assets += [wired.comparison(), wired.release()]
        job = dg.define_asset_job(f"evaluate_{self.name}", dg.AssetSelection.assets(*assets))
        gate = dg.Definitions(
            assets=assets, jobs=[job, *pointer_jobs(self.name)], schedules=_schedules(job, self.schedule)
        )
        return dg.Definitions.merge(gate, agent_days(self.name, self.days, owners=self.owners))

    def to_json(self) -> dict[str, Any]:
        """What its YAML says as plain JSON, for what the code version is over."""
        return self.model_dump(mode="json")

    def policy_folder(self, project: Project) -> Path:
        """Where its policy lies."""
        return project.root / self.policy if self.policy else project.evals / "agents" / self.name / "policy"


def _schedules(job: Any, cron: str | None) -> list[dg.ScheduleDefinition]:
    if not cron:
        return []
    status = dg.DefaultScheduleStatus.RUNNING if automation_is_on() else dg.DefaultScheduleStatus.STOPPED
    return [dg.ScheduleDefinition(job=job, cron_schedule=cron, default_status=status)]


class _Assets:
    """The assets of one agent; each reads what the one before it left in the lake."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def candidate(self) -> dg.AssetsDefinition:
        agent = self._agent
        used = [dg.AssetKey([system, "release"]) for system in agent.uses]

        @self._asset(
            "candidate",
            used,
            agent.description or f"All that decides what {agent.name} does now, put together.",
            code_version=_version(agent, find_project()),
            automation_condition=first_or_changed() | gated_eager(),
            tags={ACTS: ""},
        )
        def candidate(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_candidate(agent, platform, run_id=context.run.run_id)
            return publish(context, platform, made, check=_CHECKS["candidate"])

        return candidate

    def evaluation(self) -> dg.AssetsDefinition:
        @self._asset(
            "evaluation", [self._key("candidate")], "The candidate on its tasks, in worlds that touch nothing."
        )
        def evaluation(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_evaluation(self._agent, platform)
            return publish(context, platform, made, check=_CHECKS["evaluation"])

        return evaluation

    def backtest(self) -> dg.AssetsDefinition:
        @self._asset(
            "backtest",
            [self._key("candidate")],
            "The recorded calls that its policy would decide otherwise than what is live.",
            finding=LOOSENED,
        )
        def backtest(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_backtest(self._agent, platform), check=_CHECKS["backtest"])

        return backtest

    def replays(self) -> dg.AssetsDefinition:
        @self._asset(
            "replays",
            [self._key("candidate")],
            "The recorded runs that its code would run otherwise, with where and why.",
            finding=AS_RECORDED,
        )
        def replays(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            return publish(context, platform, make_replays(self._agent, platform), check=_CHECKS["replays"])

        return replays

    def comparison(self) -> dg.AssetsDefinition:
        inputs = [self._key(part) for part in ("evaluation", "backtest", "replays")]

        @self._asset(
            "comparison", inputs, "The candidate beside what is live, by all of these: the gate.", check="gate"
        )
        def comparison(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_comparison(self._agent, platform, run_id=context.run.run_id)
            return publish(context, platform, made, check="gate")

        return comparison

    def release(self) -> dg.AssetsDefinition:
        name, key = self._agent.name, f"{self._agent.name}/comparison"

        @self._asset(
            "release",
            [self._key("comparison")],
            "The candidate, live: the pointer moved to it after its gate passed.",
            check="is_live",
        )
        def release(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
            made = make_live(name, platform, platform.lake.latest(key), key, actor=f"run {context.run.run_id}")
            return publish(context, platform, made, check="is_live")

        return release

    def _key(self, part: str) -> dg.AssetKey:
        return dg.AssetKey([self._agent.name, part])

    def _asset(
        self,
        part: str,
        inputs: list[dg.AssetKey],
        description: str,
        *,
        check: str = "",
        finding: str = "",
        **others: Any,
    ) -> Any:
        key = self._key(part)
        found = [finding_spec(finding, key, None)] if finding else []
        made = {
            "code_version": digest_json([code_version("ops_pipelines.agentops.evaluation"), self._agent.to_json()]),
            "automation_condition": gated_eager(),
            **others,
        }
        return dg.asset(
            key=key,
            deps=inputs,
            check_specs=[gate_spec(check or _CHECKS[part], key, None), *found],
            description=description,
            owners=self._agent.owners,
            group_name=self._agent.name,
            **made,
        )


def _version(agent: Agent, project: Project) -> str:
    """Its code, its policy and our own, so that an edit shows as a change; what is missing stops no location."""
    try:
        code = code_version("ops_pipelines.agentops.agent", agent.program, agent.toolset)
    except ConfigError:
        code = "missing"
    files = [file for file in sorted(agent.policy_folder(project).glob("*")) if file.is_file()]
    return digest_json([code, digest_files(files), agent.to_json()])
