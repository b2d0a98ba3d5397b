"""The days of all agents: steps, decisions, effects and memory, compacted from the logs into the lake once a location.

What lies in the lake stays: a day that is compacted again holds what it held and what the log has besides. Never an asset
or a partition for a run.

2026-11-26: one asset a log and not one for all four, since each has columns of its own, and a day that one of them lacks
holds up no other. The days are the wall clock's, as those of answers are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from ops_pipelines.adapters.agent_logs import AGENT_RUNS, agent_logs
from ops_pipelines.adapters.compacted import compacted
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.agentops.run_log import AGENT, RunFilter
from ops_pipelines.agentops.run_tables import DECISIONS, EFFECTS, ID, MEMORY, SAID, STEPS
from ops_pipelines.components.calendar import Daily
from ops_pipelines.components.conditions import schedule_status
from ops_pipelines.components.publishing import Product, gate_spec, publish, shown_table, unmade
from ops_pipelines.core.clock import utc, window_of_day
from ops_pipelines.core.compaction import judge_compaction, unite
from ops_pipelines.core.fingerprint import digest_table

COMPLETE = "is_complete"
START, SCHEDULE = "2026-01-01", "45 0 * * *"
DAYS = Daily(start=START).definition()
"""The days of every agent: shared, so that one run compacts all that a day has."""
_WHAT = {STEPS: "steps of runs", DECISIONS: "decisions of gates", EFFECTS: "effects", MEMORY: "changes of memories"}
_BY = {STEPS: ("agent", "kind"), DECISIONS: ("agent", "what"), EFFECTS: ("tool", "state"), MEMORY: ("scope", "writer")}


def day_key(part: str) -> dg.AssetKey:
    """The asset of the days of one log."""
    return dg.AssetKey([AGENT_RUNS, part])


def runs_key(agent: str) -> dg.AssetKey:
    """The asset of an agent's days."""
    return dg.AssetKey([agent, "runs"])


def agent_log_defs(agents: Sequence[str]) -> dg.Definitions:
    """The assets of the days, the job that makes them with the runs of each of these agents, and its schedule."""
    assets = [_asset(part) for part in _WHAT]
    job = f"compact_{AGENT_RUNS}"
    selection = dg.AssetSelection.assets(*assets, *map(runs_key, agents))
    return dg.Definitions(assets=assets, jobs=[dg.define_asset_job(job, selection)], schedules=[_schedule(job, agents)])


def make_day(part: str, platform: Platform, day: str) -> Product:
    """What the log has of a day beside what was compacted of it; NotEvaluated, and nothing else, where there is nothing."""
    log = agent_logs(platform)[part]
    kept = compacted(platform.lake, log.key, day)
    came, what = log.table(day), _WHAT[part]
    verdict = judge_compaction(kept, came, key=ID, said=SAID[part], what=what, nothing=f"there were no {what}")
    table = unite(kept, came, key=ID)
    if not table.num_rows:
        return unmade(verdict, {}, ())
    shown = {"new in this run": table.num_rows - kept.num_rows, what: shown_table(_counted(table, _BY[part]))}
    return Product(table, digest_table(table, key=[ID]), verdict, {}, shown=shown)


def due_days(platform: Platform, agents: Sequence[str], now: datetime) -> dict[str, list[dg.AssetKey]]:
    """The days, over by an instant, of which the lake lacks a row of some log, in order, with what is to be made of each.

    That is each log that lacks a row, and the runs of each agent that began one on the day.
    """
    found: dict[str, list[dg.AssetKey]] = {}
    for log in agent_logs(platform).values():
        for day in log.due(platform.lake, now):
            found.setdefault(day, []).append(day_key(log.part))
    for day, keys in found.items():
        keys += [runs_key(agent) for agent in agents if _ran(platform, agent, day)]
    return dict(sorted(found.items()))


def _ran(platform: Platform, agent: str, day: str) -> bool:
    return bool(platform.runs.runs(window_of_day(day), RunFilter(agent=agent, kind=AGENT), limit=1))


def _asset(part: str) -> dg.AssetsDefinition:
    key = day_key(part)

    @dg.asset(
        key=key,
        partitions_def=DAYS,
        check_specs=[gate_spec(COMPLETE, key, DAYS)],
        code_version=code_version("ops_pipelines.agentops.run_tables"),
        description=f"The {_WHAT[part]} of a day, of all agents: a row each.",
        group_name=AGENT_RUNS,
        kinds={"parquet"},
    )
    def day(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        return publish(context, platform, make_day(part, platform, context.partition_key), check=COMPLETE)

    return day


def _schedule(job: str, agents: Sequence[str]) -> dg.ScheduleDefinition:
    """Asks for each day that is over and has rows which are not compacted: yesterday, and any that grew since."""

    @dg.schedule(
        name=AGENT_RUNS,
        job_name=job,
        cron_schedule=SCHEDULE,
        default_status=schedule_status(),
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = utc(context.scheduled_execution_time)
        requests = [
            dg.RunRequest(run_key=f"{day}:{now:%Y-%m-%dT%H:%M}", partition_key=day, asset_selection=keys)
            for day, keys in due_days(platform, agents, now).items()
            if DAYS.has_partition_key(day)
        ]
        return requests or dg.SkipReason("every day that is over is compacted")

    return schedule


def _counted(table: Any, by: tuple[str, ...]) -> list[dict[str, Any]]:
    """How many rows there are of each combination, the most frequent first."""
    grouped = table.group_by(list(by)).aggregate([([], "count_all")]).sort_by([("count_all", "descending")])
    return [{**{name: row[name] for name in by}, "rows": row["count_all"]} for row in grouped.to_pylist()][:50]
