"""An agent's runs by day: one row a run, and what was found in them, as warnings that hold nothing back."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg
from pydantic import Field

from ops_pipelines.adapters.agent_logs import AGENT_RUNS
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.agentops.effects import UNKNOWN
from ops_pipelines.agentops.run_log import AGENT
from ops_pipelines.agentops.run_quality import QualityRule, RunOutcome, by_release, judge_day, outcomes_of
from ops_pipelines.agentops.run_tables import EFFECTS, STEPS, steps_of_table
from ops_pipelines.components.agent_log import COMPLETE, DAYS, day_key, runs_key
from ops_pipelines.components.publishing import (
    Product,
    finding_spec,
    gate_spec,
    publish,
    shown_table,
    table_of,
    unmade,
    why_command,
)
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.verdict import NotEvaluated, Passed

ACTS = "ops/acts"
"""The tag of what makes a tree one with agents: the days of their runs and their approvals come with it."""
_DEFAULT = QualityRule()


class AgentDays(dg.Model, dg.Resolvable):
    """How a day's runs are judged; see `ops_pipelines.agentops.run_quality.QualityRule`."""

    most_failed: float = _DEFAULT.most_failed
    most_denied: float = _DEFAULT.most_denied
    usd_p90: float | None = Field(default=None, gt=0)
    steps_p90: int | None = Field(default=None, gt=0)
    least: int = _DEFAULT.least

    def rule(self) -> QualityRule:
        """How a day is judged; ConfigError for shares that cannot be."""
        return QualityRule(**self.model_dump())


def agent_days(agent: str, settings: AgentDays, *, owners: Sequence[str] = ()) -> dg.Definitions:
    """The asset `<agent>/runs` with its findings; the job of all agents' days makes it."""
    key, rule = runs_key(agent), settings.rule()

    @dg.asset(
        key=key,
        partitions_def=DAYS,
        deps=[day_key(STEPS), day_key(EFFECTS)],
        check_specs=[gate_spec(COMPLETE, key, DAYS), *(finding_spec(name, key, DAYS) for name in rule.findings)],
        code_version=code_version("ops_pipelines.agentops.run_quality"),
        description=f"The runs that {agent} began on a day: what they came to, what they cost, what was held back.",
        owners=list(owners),
        group_name=agent,
        kinds={"parquet"},
    )
    def runs(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        return publish(context, platform, make_runs(agent, platform, context.partition_key, rule), check=COMPLETE)

    return dg.Definitions(assets=[runs])


def make_runs(agent: str, platform: Platform, day: str, rule: QualityRule) -> Product:
    """An agent's runs of a day from what was compacted of it; NotEvaluated where there were none."""
    steps = platform.lake.good(f"{AGENT_RUNS}/{STEPS}", day)
    if steps is None:
        return unmade(NotEvaluated("no step was compacted"), {}, rule.findings)
    inputs = {steps.address: steps.digest}
    outcomes = _outcomes(agent, platform, day, platform.clock.wall())
    if not outcomes:
        return unmade(NotEvaluated(f"{agent} did not run"), inputs, rule.findings)
    rows = [one.to_row() for one in outcomes]
    return Product(
        table_of(rows),
        digest=digest_json([{**row, "started": row["started"].isoformat()} for row in rows]),
        verdict=Passed({"runs": len(rows)}),
        inputs=inputs,
        facts={"releases": sorted({one.release for one in outcomes})},
        shown={"by release": shown_table(by_release(outcomes)), "why": why_command(outcomes[0].run)},
        findings=judge_day(outcomes, rule),
    )


def _outcomes(agent: str, platform: Platform, day: str, now: datetime) -> tuple[RunOutcome, ...]:
    steps = steps_of_table(platform.lake.read(f"{AGENT_RUNS}/{STEPS}", day))
    first: dict[str, str] = {}
    for step in steps:
        if step.kind == AGENT:
            first.setdefault(step.run, step.agent)
    own = [step for step in steps if first.get(step.run) == agent]
    return outcomes_of(own, _unknown(platform, day), now)


def _unknown(platform: Platform, day: str) -> Counter[str]:
    """How many effects of each run are unknown by the last state in which they were seen."""
    key = f"{AGENT_RUNS}/{EFFECTS}"
    rows: list[dict[str, Any]] = platform.lake.read(key, day).to_pylist() if platform.lake.good(key, day) else []
    settled = {row["key"] for row in rows if row["ended_at"] and row["state"] != UNKNOWN}
    return Counter(
        {row["key"]: row["run"] for row in rows if row["state"] == UNKNOWN and row["key"] not in settled}.values()
    )
