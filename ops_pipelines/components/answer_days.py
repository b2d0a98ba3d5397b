"""The daily assets of a system that answers, as YAML declares them: its answers, its calls, and the schedule of both.

2026-11-26: days and not weeks, as elsewhere in the house. A day is the window of a budget, an alert is of use the next
morning, and live answers come at the wall clock's time, which a replayed year does not move.
"""

from collections.abc import Sequence
from datetime import datetime

import dagster as dg

from ops_pipelines.adapters.daily_logs import daily_logs
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.components.answer_log import COMPLETE, DayRule, make_answers, make_calls
from ops_pipelines.components.calendar import Daily
from ops_pipelines.components.conditions import schedule_status
from ops_pipelines.components.publishing import finding_spec, gate_spec, publish
from ops_pipelines.core.clock import utc
from ops_pipelines.llmops.answer_rates import RateRule
from ops_pipelines.llmops.answer_table import ANSWERS
from ops_pipelines.llmops.call_table import CALLS
from ops_pipelines.llmops.spending import LatencyBudget

_DEFAULT = RateRule()


class Latency(dg.Model, dg.Resolvable):
    """How long answers may take, in milliseconds; see `ops_pipelines.llmops.spending.LatencyBudget`."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class AnswerDays(dg.Model, dg.Resolvable):
    """From which day on answers are kept by day, when a day is compacted, and how it is judged.

    `most_failed` and `most_stopped` are shares of the questions of a day, of which fewer than `least` are not judged.
    `schedule` is a cron expression in UTC.
    """

    start: str = "2026-01-01"
    latency_ms: Latency | None = None
    most_failed: float = _DEFAULT.most_failed
    most_stopped: float = _DEFAULT.most_stopped
    least: int = _DEFAULT.least
    schedule: str = "30 0 * * *"

    def days(self) -> dg.TimeWindowPartitionsDefinition:
        """Dagster's partitions."""
        return Daily(start=self.start).definition()

    def rule(self) -> DayRule:
        """How a day is judged; ConfigError for limits that cannot be."""
        rates = RateRule(self.most_failed, self.most_stopped, self.least)
        latency = LatencyBudget(**self.latency_ms.model_dump(), least_calls=self.least) if self.latency_ms else None
        return DayRule(rates, latency)


def answer_days(system: str, settings: AnswerDays, *, owners: Sequence[str] = ()) -> dg.Definitions:
    """The assets `<system>/answers` and `<system>/calls` with their checks, the job that makes them, and its schedule."""
    assets = [_answers(system, settings, owners), _calls(system, settings, owners)]
    job = f"compact_{system}_answers"
    return dg.Definitions(
        assets=assets,
        jobs=[dg.define_asset_job(job, dg.AssetSelection.assets(*assets))],
        schedules=[_schedule(system, settings, job)],
    )


def _answers(system: str, settings: AnswerDays, owners: Sequence[str]) -> dg.AssetsDefinition:
    key, days, rule = dg.AssetKey([system, ANSWERS]), settings.days(), settings.rule()

    @dg.asset(
        key=key,
        partitions_def=days,
        check_specs=[gate_spec(COMPLETE, key, days), *(finding_spec(name, key, days) for name in rule.findings)],
        code_version=code_version("ops_pipelines.llmops.answer_table"),
        description=f"What {system} was asked and answered on a day, by any release, with what it cost.",
        owners=list(owners),
        group_name=system,
        kinds={"parquet"},
    )
    def answers(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        return publish(context, platform, make_answers(system, platform, context.partition_key, rule), check=COMPLETE)

    return answers


def _calls(system: str, settings: AnswerDays, owners: Sequence[str]) -> dg.AssetsDefinition:
    key, days = dg.AssetKey([system, CALLS]), settings.days()

    @dg.asset(
        key=key,
        partitions_def=days,
        check_specs=[gate_spec(COMPLETE, key, days)],
        code_version=code_version("ops_pipelines.llmops.call_table"),
        description=f"Each call of a model that was made for {system} on a day: tokens, dollars and how long it took.",
        owners=list(owners),
        group_name=system,
        kinds={"parquet"},
    )
    def calls(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        return publish(context, platform, make_calls(system, platform, context.partition_key), check=COMPLETE)

    return calls


def _schedule(system: str, settings: AnswerDays, job: str) -> dg.ScheduleDefinition:
    """Asks for each day that is over and has rows which are not compacted: yesterday, and any that was missed."""
    days = settings.days()

    @dg.schedule(
        name=f"{system}_answers",
        job_name=job,
        cron_schedule=settings.schedule,
        default_status=schedule_status(),
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]
    ) -> list[dg.RunRequest] | dg.SkipReason:
        now = utc(context.scheduled_execution_time)
        due = [request for request in due_days(system, platform, now) if days.has_partition_key(request.partition_key)]
        return due or dg.SkipReason("every day that is over is compacted")

    return schedule


def due_days(system: str, platform: Platform, now: datetime) -> list[dg.RunRequest]:
    """A run for each day, over by an instant, of which a log has rows that the lake has not; it makes what lacks them."""
    parts: dict[str, list[str]] = {}
    for part, log in daily_logs(platform).items():
        for day in log.uncompacted(platform.lake, system, now):
            parts.setdefault(day, []).append(part)
    return [
        dg.RunRequest(
            run_key=f"{system}:{day}:{now:%Y-%m-%dT%H:%M}",
            partition_key=day,
            asset_selection=[dg.AssetKey([system, part]) for part in sorted(found)],
        )
        for day, found in sorted(parts.items())
    ]
