"""Which parts of a week have to be judged, and the sensors that ask for it.

What a week's verdicts were made of is stored with them, so a part is due where it is missing or where something else
lies there by now: labels that came late, were corrected, or a week that was scored again.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.arrivals import BUSY
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.model_monitoring import label_addresses
from ops_pipelines.components.model_served import uncompacted, was_asked_online
from ops_pipelines.components.written import written_since
from ops_pipelines.core.lineage import address
from ops_pipelines.core.pointer import PRODUCTION, live_move
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.admission import admit
from ops_pipelines.mlops.served import SERVED

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model

SCORED = PREDICTIONS, DRIFT, JUDGED, EPISODES = "predictions", "drift", "performance", "episodes"


def scoring_sensor(model: "Model", jobs: Sequence[Any]) -> dg.SensorDefinition:
    """The sensor that scores each week whose features were refreshed and passed, and in which a release was live.

    It walks every new materialization in order and looks at the stored verdict, not at the event alone. What can be
    judged of the week already is judged in the same run. Where somebody asked online the job is the one of the two that
    compacts the answers first.
    """
    watched = dg.AssetKey([model.features, "online"])

    @dg.sensor(
        name=f"score_{model.name}", jobs=jobs, minimum_interval_seconds=tick_seconds(), default_status=sensor_status()
    )
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        after = int(context.cursor) if context.cursor else None
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=watched, after_storage_id=after), limit=100, ascending=True
        ).records
        weeks = {str(record.partition_key): record for record in records}  # the last record of each
        ready = {week: _ready(model, platform, week) for week in weeks}
        requests = [
            _scoring(model, week, _with_scores(model, platform, week), run_key=f"{week}:{weeks[week].storage_id}")
            for week, verdict in ready.items()
            if isinstance(verdict, Passed)
        ]
        requests += list(_late(model, platform, records, {str(request.partition_key) for request in requests}))
        skipped = [verdict.why for verdict in ready.values() if isinstance(verdict, NotEvaluated)]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None
            if requests
            else "; ".join(skipped) or "no week's features were refreshed since the last look",
            cursor=str(records[-1].storage_id) if records else context.cursor,
        )

    return sensor


def watching_sensor(model: "Model", job: Any) -> dg.SensorDefinition:
    """The sensor that judges a week when its labels come after its scores, and again when either was made again."""
    watched = {part: model.key(part) for part in (PREDICTIONS, JUDGED)}
    watched["labels"] = dg.AssetKey(model.labels.dataset)

    @dg.sensor(
        name=f"watch_{model.name}", job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status()
    )
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        written, cursor = written_since(context.instance, watched, json.loads(context.cursor or "{}"))
        weeks = sorted({week for part, partition in written for week in _touched(model, part, partition)})
        if weeks and _is_busy(context.instance, model):
            return dg.SensorResult(skip_reason="a week is being scored or judged", cursor=context.cursor)
        due = {week: parts for week in weeks if (parts := stale(model, platform, week))}
        requests = [
            dg.RunRequest(
                run_key=f"{week}:{json.dumps(cursor, sort_keys=True)}",
                partition_key=week,
                asset_selection=[model.key(part) for part in parts],
            )
            for week, parts in due.items()
        ]
        why = f"{', '.join(weeks)}: judged with what is there" if weeks else "nothing to judge since the last look"
        return dg.SensorResult(
            run_requests=requests, skip_reason=None if requests else why, cursor=json.dumps(cursor, sort_keys=True)
        )

    return sensor


def stale(model: "Model", platform: Platform, week: str) -> list[str]:
    """The parts of a scored week that are missing, or were made of something else than what lies there now."""
    scored = platform.good(address(f"{model.name}/{PREDICTIONS}", week))
    parts: list[str] = []
    if scored and _differs(platform, model, DRIFT, week, _admitted(platform, [scored.address])):
        parts.append(DRIFT)
    labels = label_addresses(model, platform, week)
    if (
        scored
        and _are_there(model, platform, week)
        and _differs(platform, model, JUDGED, week, _admitted(platform, [scored.address, *labels]))
    ):
        parts.append(JUDGED)
    told_of = address(f"{model.name}/{JUDGED}", _week_before(model, week, model.labels.wait_weeks))
    own = [address(f"{model.name}/{DRIFT}", week), told_of]
    will_be_told = parts and (JUDGED in parts or platform.good(told_of) is not None)
    if will_be_told or (
        all(map(platform.good, own)) and _differs(platform, model, EPISODES, week, _there(platform, own))
    ):
        parts.append(EPISODES)
    return parts


def _with_scores(model: "Model", platform: Platform, week: str) -> list[str]:
    """What the run that scores a week can make beside its scores: all that does not wait for labels."""
    parts = [PREDICTIONS, DRIFT]
    if was_asked_online(model, platform, week):
        parts.insert(0, SERVED)
    if _are_there(model, platform, week):
        parts.append(JUDGED)
    if model.labels.wait_weeks == 0 and JUDGED in parts:
        parts.append(EPISODES)
    return parts


def _scoring(model: "Model", week: str, parts: Sequence[str], *, run_key: str) -> dg.RunRequest:
    """A run that makes some parts of a week, by the job that has them."""
    job = f"{'compact' if SERVED in parts else 'score'}_{model.name}"
    selection = [model.key(part) for part in parts]
    return dg.RunRequest(run_key=run_key, job_name=job, partition_key=week, asset_selection=selection)


def _late(
    model: "Model", platform: Platform, records: Sequence[dg.EventLogRecord], scored: Collection[str]
) -> Iterator[dg.RunRequest]:
    """A run for each earlier week of which answers came after its compaction; with its scores where it has some."""
    if not records:
        return
    until = max(str(record.partition_key) for record in records)
    known = model.weeks().get_partition_keys(current_time=window_of(model.weeks(), until).end)
    for week in uncompacted(model, platform, [week for week in known if week not in scored]):
        has_scores = platform.lake.is_written(f"{model.name}/{PREDICTIONS}", week)
        parts = _with_scores(model, platform, week) if has_scores else [SERVED]
        yield _scoring(model, week, parts, run_key=f"{week}:late:{records[-1].storage_id}")


def _are_there(model: "Model", platform: Platform, week: str) -> bool:
    """Whether the weeks in which a week's outcomes come in have all passed and are written, accepted or not."""
    last = window_of(model.weeks(), week).end + timedelta(weeks=model.labels.wait_weeks)
    found = label_addresses(model, platform, week)
    return last <= platform.clock.as_of() and all(platform.latest(at) for at in found)


def _differs(platform: Platform, model: "Model", part: str, week: str, read: Mapping[str, str | None]) -> bool:
    """Whether a part was never made, or was made of other contents than those that it would be made of now."""
    made = platform.lake.latest(f"{model.name}/{part}", week)
    return made is None or any(made.inputs.get(at) != digest for at, digest in read.items())


def _admitted(platform: Platform, addresses: Sequence[str]) -> dict[str, str | None]:
    """What may be read at some addresses: None where that was refused or excluded, since it then enters nothing.

    What was judged without it is judged with what is there; else it would be judged again at every look, for ever.
    """
    inputs = admit(addresses, latest=platform.latest, ruling=platform.ruling).inputs
    return {at: inputs.get(at) for at in addresses}


def _there(platform: Platform, addresses: Sequence[str]) -> dict[str, str | None]:
    """What lies at some addresses, accepted or not: episodes tell of both."""
    return {at: found.digest for at in addresses if (found := platform.latest(at))}


def _touched(model: "Model", name: str, week: str) -> Iterator[str]:
    """The weeks that a new materialization may change: labels come in later weeks, episodes are told in later ones."""
    wait = model.labels.wait_weeks
    if name == "labels":
        yield from (_week_before(model, week, back) for back in range(wait + 1))
    else:
        yield week
        yield _week_before(model, week, -wait)


def _week_before(model: "Model", week: str, count: int) -> str:
    return f"{window_of(model.weeks(), week).start - timedelta(weeks=count):%Y-%m-%d}"


def _is_busy(instance: dg.DagsterInstance, model: "Model") -> bool:
    jobs = [f"{verb}_{model.name}" for verb in ("score", "compact", "watch")]
    return any(instance.get_runs(dg.RunsFilter(job_name=job, statuses=list(BUSY)), limit=1) for job in jobs)


def _ready(model: "Model", platform: Platform, week: str) -> Verdict:
    """Whether a week can be scored: its features passed, and a release was live when it began."""
    features = platform.lake.latest(f"{model.features}/online", week)
    if features is None or not isinstance(features.verdict, Passed):
        return NotEvaluated(f"the features of {week} did not pass")
    start = window_of(model.weeks(), week).start
    if live_move(platform.releases.history(model.name, PRODUCTION), as_of=start) is None:
        return NotEvaluated(f"no release was live when {week} began")
    return Passed()
