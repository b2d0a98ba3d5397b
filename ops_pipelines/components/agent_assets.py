"""The assets of an agent: candidate, evaluation, backtest, replays, comparison, release."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.agent_backtest import LOOSENED, make_backtest
from ops_pipelines.components.agent_candidate import make_candidate
from ops_pipelines.components.agent_evaluation import make_evaluation
from ops_pipelines.components.agent_gate import make_comparison
from ops_pipelines.components.agent_replays import AS_RECORDED, make_replays
from ops_pipelines.components.agent_runs import ACTS
from ops_pipelines.components.conditions import first_or_changed, gated_eager, once_there
from ops_pipelines.components.going_live import make_live
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_files, digest_json

if TYPE_CHECKING:
    from ops_pipelines.components.agent import Agent

_CHECKS = {"candidate": "fits", "evaluation": "is_complete", "backtest": "is_backtested", "replays": "is_replayed"}


class AgentAssets:
    """The assets of one agent; each reads what the one before it left in the lake."""

    def __init__(self, agent: "Agent") -> None:
        self._agent = agent

    def candidate(self) -> dg.AssetsDefinition:
        agent = self._agent
        used, operated = _releases(agent.uses), _releases(agent.operates)

        @self._asset(
            "candidate",
            [*used, *operated],
            agent.description or f"All that decides what {agent.name} does now, put together.",
            code_version=_version(agent, find_project()),
            automation_condition=_eager_but_for(operated)
            | (_there_or_changed() if [*used, *operated] else first_or_changed()),
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


def _releases(systems: Sequence[str]) -> list[dg.AssetKey]:
    return [dg.AssetKey([system, "release"]) for system in systems]


def _eager_but_for(operated: Sequence[dg.AssetKey]) -> dg.AutomationCondition:
    """As eager as any gate, once all is there; a new release of what it only acts upon makes no other agent of it."""
    if not operated:
        return gated_eager()
    updated = dg.AutomationCondition.any_deps_updated()
    return gated_eager().replace("any_deps_updated", updated.ignore(dg.AssetSelection.assets(*operated)))


def _there_or_changed() -> dg.AutomationCondition:
    """What it needs was released, be it before it was declared, and it was never put together; or its code has changed."""
    return once_there() | (dg.AutomationCondition.code_version_changed() & ~dg.AutomationCondition.missing())


def _version(agent: "Agent", project: Project) -> str:
    """Its code, its policy and our own, so that an edit shows as a change; what is missing stops no location."""
    try:
        code = code_version("ops_pipelines.agentops.agent", agent.program, agent.toolset)
    except ConfigError:
        code = "missing"
    files = [file for file in sorted(agent.policy_folder(project).glob("*")) if file.is_file()]
    return digest_json([code, digest_files(files), agent.to_json()])
