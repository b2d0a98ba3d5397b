"""The sensor of an alarms inbox: it walks every new verdict and asks for the inbox of each week that was judged."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.agentops.alarms import ALSO_WATCHED, OF_FEATURES, OF_MODELS
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.written import written_since
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Passed

if TYPE_CHECKING:
    from ops_pipelines.components.alarms import Alarms

RETRY = timedelta(hours=1)
"""How long a week that was asked for and has no inbox that everybody was told of waits before it is asked for again."""


def parts_of(alarms: "Alarms") -> dict[str, tuple[str, ...]]:
    """The parts that a week of each watched system, or feature set, has to have before it is looked at."""
    return dict.fromkeys(alarms.systems, OF_MODELS) | dict.fromkeys(alarms.features, OF_FEATURES)


def watched(alarms: "Alarms") -> list[tuple[str, str]]:
    """Every system, or feature set, with each part of it that is watched, needed or not."""
    needed = [(system, part) for system, parts in parts_of(alarms).items() for part in parts]
    return [*needed, *((system, part) for system in alarms.systems for part in ALSO_WATCHED)]


def judged_in(alarms: "Alarms", platform: Platform, week: str) -> list[Artefact]:
    """What the watched systems stored for a week, of those that stored all their parts.

    A system that is not judged holds up nobody else's alarm.
    """
    judged = [system for system in parts_of(alarms) if _is_judged(alarms, platform, system, week)]
    stored = [platform.lake.latest(f"{system}/{part}", week) for system, part in watched(alarms) if system in judged]
    return [part for part in stored if part]


def alarms_sensor(alarms: "Alarms", job: Any) -> dg.SensorDefinition:
    """The sensor that asks for one run for each week of which a new verdict was stored.

    The cursor holds how far it has read each key, and the weeks asked for until their inbox is there and everybody was
    told; such a week is asked for again.
    """

    @dg.sensor(name=alarms.name, job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status())
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        cursor = json.loads(context.cursor or "{}")
        touched, read = _walk(alarms, context.instance, cursor.get("read", {}))
        ready, waiting = _sorted_out(alarms, platform, touched)
        now = platform.clock.wall()
        asked = {week: at for week, at in cursor.get("asked", {}).items() if not _is_done(alarms, platform, week)}
        late = [week for week, at in asked.items() if now >= datetime.fromisoformat(at) + RETRY and week not in ready]
        requests = [_request(alarms, context.instance, week) for week in ready]
        requests += [_request(alarms, context.instance, week, after=asked[week]) for week in late]
        asked |= dict.fromkeys([*ready, *late], now.isoformat())
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why(waiting, asked),
            cursor=json.dumps({"read": read, "asked": asked}),
        )

    return sensor


def _is_judged(alarms: "Alarms", platform: Platform, system: str, week: str) -> bool:
    return all(platform.lake.latest(f"{system}/{part}", week) for part in parts_of(alarms)[system])


def _walk(
    alarms: "Alarms", instance: dg.DagsterInstance, read: Mapping[str, int]
) -> tuple[set[tuple[str, str]], dict[str, int]]:
    """The systems and weeks of every new materialization, and how far each key has been read then."""
    places = {f"{system}/{part}": dg.AssetKey([system, part]) for system, part in watched(alarms)}
    written, now_read = written_since(instance, places, read)
    return {(name.partition("/")[0], week) for name, week in written}, now_read


def _sorted_out(alarms: "Alarms", platform: Platform, touched: set[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """The weeks to ask for, the oldest first, and why others are not asked for."""
    calendar, ready, waiting = set(alarms.weeks()), set(), []
    for system, week in sorted(touched, key=lambda place: place[::-1]):
        if week not in calendar:
            waiting.append(f"{week} of {system} is no week of {alarms.name}")
        elif not _is_judged(alarms, platform, system, week):
            waiting.append(f"{system} has not all of {' and '.join(parts_of(alarms)[system])} stored for {week} yet")
        elif not ready and _is_quiet(alarms, platform, week):
            waiting.append(f"{week}: all is quiet, and no alarm is open")
        else:
            ready.add(week)
    return sorted(ready), waiting


def _is_quiet(alarms: "Alarms", platform: Platform, week: str) -> bool:
    """Whether a week has nothing to add to an empty inbox, and none of its own to make anew."""
    if platform.lake.is_written(alarms.name, week):
        return False
    earlier = [made for made in platform.lake.partitions(alarms.name) if made < week]
    before = platform.lake.good(alarms.name, earlier[-1]) if earlier else None
    findings = [verdict for part in judged_in(alarms, platform, week) for verdict in part.findings.values()]
    return all(isinstance(verdict, Passed) for verdict in findings) and not (before and before.facts["alarms"])


def _request(alarms: "Alarms", instance: dg.DagsterInstance, week: str, *, after: str = "") -> dg.RunRequest:
    """One run for what is stored now: asked for again, from whatever cursor, it is not launched again."""
    latest = [
        instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey([system, part]), asset_partitions=[week]), limit=1
        ).records
        for system, part in watched(alarms)
    ]
    stored = "-".join(str(records[0].storage_id) if records else "none" for records in latest)
    return dg.RunRequest(run_key=":".join(filter(None, [week, stored, after])), partition_key=week)


def _is_done(alarms: "Alarms", platform: Platform, week: str) -> bool:
    """Whether a week's inbox is made from what is stored now, and everybody was told."""
    made = platform.lake.latest(alarms.name, week)
    if made is None or not isinstance(made.verdict, Passed):
        return False
    return all(made.inputs.get(part.address) == part.digest for part in judged_in(alarms, platform, week))


def _why(waiting: Sequence[str], asked: Mapping[str, str]) -> str:
    """Why nothing is asked for."""
    if waiting:
        return "; ".join(waiting)
    if asked:
        return f"everything is read; {', '.join(asked)} asked for and not done, to be asked for again after {RETRY}"
    return "no week was judged since the last look"
