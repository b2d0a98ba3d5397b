"""What waits for people: an asset that tells them once of each thing and warns while it waits, and its sensor.

The asset remembers of what people were told, and the sensor compares that with what waits now. What nobody could be told
of is tried again within the hour.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from ops_pipelines.adapters.agents import writer_of
from ops_pipelines.adapters.going_on import stuck_runs
from ops_pipelines.adapters.notifier import NotificationError, Notifier, one_at_a_time
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.source_code import code_version
from ops_pipelines.agentops.waiting import Notice, judge_waiting, notices_of
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.publishing import Product, finding_spec, gate_spec, publish, shown_table, table_of
from ops_pipelines.core.clock import utc
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Blocked, Passed

APPROVALS, TOLD, NOTHING_WAITS = "approvals", "everybody_was_told", "nothing_waits"


def approvals_defs() -> dg.Definitions:
    """The asset, the job that makes it, and its sensor."""
    key = dg.AssetKey(APPROVALS)

    @dg.asset(
        key=key,
        check_specs=[gate_spec(TOLD, key, None), finding_spec(NOTHING_WAITS, key, None)],
        code_version=code_version("ops_pipelines.agentops.waiting"),
        description="What waits for people: approvals that nobody answered, effects of which nobody knows, and runs that "
        "do not go on by themselves.",
        group_name="agent_runs",
        kinds={"sqlite"},
    )
    def approvals(context: dg.AssetExecutionContext, platform: dg.ResourceParam[Platform]) -> dg.MaterializeResult:
        # Two runs at once would each find that nobody was told yet.
        with one_at_a_time(platform.project.home / "locks" / f"{APPROVALS}.lock"):
            made = make_approvals(platform, Notifier.from_environment())
            return publish(context, platform, made, check=TOLD)

    job = dg.define_asset_job(f"tell_{APPROVALS}", dg.AssetSelection.assets(approvals))
    return dg.Definitions(assets=[approvals], jobs=[job], sensors=[_sensor(job)])


def make_approvals(platform: Platform, notifier: Notifier) -> Product:
    """What waits now, with when people were told of it; they are told of what is new. Blocked where somebody was not."""
    notices = waiting_now(platform)
    known = {one.key for one in notices}
    told = {key: at for key, at in _told(platform.lake.latest(APPROVALS)).items() if key in known}
    # Told first and remembered after: a run that dies in between tells again, and nothing is ever forgotten.
    now_told, problems = _tell([one for one in notices if one.key not in told], notifier, platform)
    told |= now_told
    rows = [{**one.to_row(), "told_at": told.get(one.key, "")} for one in notices]
    return Product(
        table_of(rows),
        digest=digest_json([one.key for one in notices]),
        verdict=Blocked(tuple(problems)) if problems else Passed({"told": len(now_told)}),
        inputs={},
        facts={"told": told, "state": _state(notices)},
        shown={"waiting": shown_table(_shown(one) for one in notices if one.waits), "told now": len(now_told)},
        findings={NOTHING_WAITS: judge_waiting(notices)},
    )


def _shown(one: Notice) -> dict[str, Any]:
    """What to type stands first: the UI cuts a table off at its right edge."""
    until = f"{utc(one.until):%Y-%m-%d %H:%M} UTC" if one.until else ""
    first = {"what": one.message[0], "answer it": one.answered_by, "until": until, "run": short(one.run)}
    return first | {"why": one.reason, "with": one.arguments}


def waiting_now(platform: Platform) -> tuple[Notice, ...]:
    """What people are to know now."""
    redactor = writer_of(platform).redactor
    held, entries = platform.approvals.held(), platform.effects.entries()
    return notices_of(held, entries, platform.clock.wall(), redactor, stuck_runs(platform))


def _sensor(job: Any) -> dg.SensorDefinition:
    @dg.sensor(name=APPROVALS, job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status())
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:  # noqa: ARG001
        made, notices = platform.lake.latest(APPROVALS), waiting_now(platform)
        if _is_known(made, notices):
            waits = sum(one.waits for one in notices)
            return dg.SensorResult(skip_reason=f"people know of all {waits} that wait" if waits else "nothing waits")
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=_run_key(made, notices, platform.clock.wall()))])

    return sensor


def _is_known(made: Artefact | None, notices: Sequence[Notice]) -> bool:
    """Whether what waits is what the asset shows, and everybody was told of it."""
    if made is None:
        return not notices
    return made.facts.get("state") == _state(notices) and isinstance(made.verdict, Passed)


def _run_key(made: Artefact | None, notices: Sequence[Notice], now: datetime) -> str:
    """The same for what was asked for already, for an hour: a run that told nobody is tried again then."""
    before = made.origin.at.isoformat() if made and isinstance(made.verdict, Passed) else "nobody"
    return f"{before}:{_state(notices)[:16]}:{now:%Y-%m-%dT%H}"


def _state(notices: Sequence[Notice]) -> str:
    return digest_json([one.key for one in notices])


def _told(made: Artefact | None) -> Mapping[str, str]:
    return dict(made.facts.get("told", {})) if made else {}


def _tell(new: Sequence[Notice], notifier: Notifier, platform: Platform) -> tuple[dict[str, str], list[str]]:
    told, problems = {}, []
    for one in new:
        try:
            notifier.tell(*one.message)
        except NotificationError as error:
            problems.append(f"{one.key}: {error}")
        else:
            told[one.key] = platform.clock.wall().isoformat()
    return told, problems
