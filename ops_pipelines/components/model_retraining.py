"""The weekly state of a model's episodes, and what launches the runs that answer them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.retraining_answers import answers_of, last_episodes, outcome_of, stored_episodes
from ops_pipelines.components.arrivals import ATTEMPTS, BUSY
from ops_pipelines.components.calendar import window_of
from ops_pipelines.components.conditions import schedule_status, sensor_status, tick_seconds
from ops_pipelines.components.publishing import Product, shown_table
from ops_pipelines.components.training_meter import ANSWERS
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Release
from ops_pipelines.core.verdict import NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.drift import PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining import Episode, Week, advance, due, request_for
from ops_pipelines.mlops.retraining_log import Request
from ops_pipelines.mlops.retraining_requests import (
    DECIDED,
    REFUSED,
    RETRAINING,
    ROLLED_BACK,
    answer_words,
    judge_answers,
)

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model

GONE = timedelta(hours=6)
"""After so long without an event a run's process is taken for dead: Dagster itself leaves such a run STARTED for ever."""
PATIENCE = timedelta(hours=1)
"""After so long by the wall clock, what one launcher asked for and nobody launched is launched by the other."""


def make_episodes(model: "Model", platform: Platform, week: str) -> Product:
    """Every episode of a model as of the end of a week: those of the week before, carried on, and those it opens.

    It reads nothing that was decided at or after that end, so that a week made again gives the same episodes.
    """
    end = window_of(model.weeks(), week).end
    live = live_release(platform.releases, model.name, PRODUCTION, as_of=end - timedelta(microseconds=1))
    before, inputs = _before(model, platform, week)
    episodes, why, rule = before, "no release was live", model.retraining.rule()
    if live:
        known = _week(model, platform, week, live, inputs)
        episodes, why = advance(model.name, before, known, rule), None
    records = [episode.to_json() for episode in episodes]
    waiting = due(episodes)
    answers = answers_of(platform, model.name, episodes=episodes, before=end)
    return Product(
        _table(records),
        digest=digest_json(records),
        verdict=Passed(),
        inputs=inputs,
        facts={"release": live.digest if live else None, "episodes": records, "rule": asdict(rule)},
        shown={
            "episodes": shown_table(_words(episode) for episode in episodes[-8:]),
            "open": sum(episode.is_open for episode in episodes),
            "due": ", ".join(episode.key for episode in waiting) or why or "nothing",
            "requests": shown_table(
                answer_words(answer, price_per_cpu_hour_usd=rule.price_per_cpu_hour_usd) for answer in answers[-8:]
            ),
        },
        findings={RETRAINING: judge_answers(answers, end=end, patience_weeks=rule.patience_weeks)},
    )


def answered(episodes: Sequence[Episode], platform: Platform, system: str) -> tuple[Episode, ...]:
    """Episodes with the run that answers them and what became of it, as far as that is known by now."""
    rows = {key: row for row in platform.retraining.requests(system) for key in row.episodes}
    return tuple(
        replace(e, trained=rows[e.key].week, outcome=_decided(outcome_of(platform, rows[e.key])))
        if e.key in rows
        else e
        for e in episodes
    )


def _before(model: "Model", platform: Platform, week: str) -> tuple[tuple[Episode, ...], dict[str, str]]:
    """The episodes of the last week before this one that has any, and its address."""
    key = f"{model.name}/episodes"
    earlier = [made for made in platform.lake.partitions(key) if made < week]
    found = platform.lake.good(key, earlier[-1]) if earlier else None
    return stored_episodes(found), {found.address: found.digest} if found else {}


def _week(model: "Model", platform: Platform, week: str, live: Release, inputs: dict[str, str]) -> Week:
    """What is known at the end of a week; what it was read from is added to `inputs`."""
    window, rule = window_of(model.weeks(), week), model.retraining.rule()
    look_back = max(rule.of, rule.quiet)
    seen = window.end - timedelta(weeks=model.labels.wait_weeks)
    findings = {
        PERFORMANCE: _findings(model, platform, "performance", seen, live.digest, look_back, inputs),
        PREDICTION_DRIFT: _findings(model, platform, "drift", window.end, live.digest, look_back, inputs),
    }
    rows = [row for row in platform.retraining.requests(model.name) if row.as_of < window.end]
    found = {row.key: _decided(outcome_of(platform, row, window.end)) for row in rows}
    outcomes = {key: outcome for key, outcome in found.items() if outcome}
    steps = platform.retraining.steps(model.name)
    return Week(week, window, live.digest, live.latest.cut_off, findings, rows, outcomes, steps)


def _decided(outcome: str | None) -> str | None:
    """An outcome that is a decision; None for what stands still before one."""
    return outcome if outcome in DECIDED else None


def _findings(
    model: "Model", platform: Platform, part: str, end: datetime, release: str, count: int, inputs: dict[str, str]
) -> Sequence[Verdict]:
    """One finding of the last weeks up to an instant in which this release was judged, the oldest first."""
    name = PERFORMANCE if part == "performance" else PREDICTION_DRIFT
    found: list[Verdict] = []
    for week in model.weeks().get_partition_keys(current_time=end)[-count:]:
        artefact = platform.lake.latest(f"{model.name}/{part}", week)
        if artefact is None:
            found.append(NotEvaluated(f"{week} was never judged"))
        elif artefact.facts.get("release") in (release, None):
            inputs[artefact.address] = artefact.digest
            found.append(artefact.findings.get(name, NotEvaluated(f"{week} was judged without this finding")))
    return found


def ask_for_due(model: "Model", platform: Platform, week: str, *, actor: str) -> Request | None:
    """Writes the row that answers what is due after a week, or finds the one that stands; None where nothing is due."""
    waiting = due(stored_episodes(platform.lake.good(f"{model.name}/episodes", week)))
    if not waiting:
        return None
    end = window_of(model.weeks(), week).end
    asked = {key for row in platform.retraining.requests(model.name) for key in row.episodes}
    wanted = {episode.key for episode in due(_standing(model, platform))} - asked
    unasked = [episode for episode in waiting if episode.key in wanted]
    if not unasked:
        return None
    return platform.retraining.ask(request_for(unasked, week=week, end=end, actor=actor, at=platform.clock.wall()))


def _standing(model: "Model", platform: Platform) -> tuple[Episode, ...]:
    """The episodes that are open by the last week there is, and whose release is still live.

    A sensor that looks late, or at a week made again, meets weeks whose episodes have ended since or are held back by
    now: nobody is helped by an answer to those.
    """
    live = live_release(platform.releases, model.name, PRODUCTION)
    last = stored_episodes(last_episodes(platform, model.name))
    return tuple(episode for episode in last if episode.is_open and live and episode.release == live.digest)


def launches(
    model: "Model", platform: Platform, instance: dg.DagsterInstance, *, actor: str
) -> Iterator[dg.RunRequest]:
    """A run for each row of the retraining log that has none, or whose runs all ended before they decided anything.

    Of what the other launcher asked for only what has waited for an hour. A row is tried three times, and no more once
    all its episodes have ended.
    """
    now, standing = platform.clock.wall(), {episode.key for episode in _standing(model, platform)}
    other = {sensor_name(model), backstop_name(model)} - {actor}
    for row in platform.retraining.requests(model.name):
        if (row.actor in other and now - row.at < PATIENCE) or (row.episodes and standing.isdisjoint(row.episodes)):
            continue
        runs = [_given_up(instance, run) for run in instance.get_runs(dg.RunsFilter(tags={ANSWERS: row.key}))]
        if any(_has_answered(model, instance, run) for run in runs) or len(runs) >= ATTEMPTS:
            continue
        key = row.key if not runs else f"{row.key}#{len(runs) + 1}"
        tags = {ANSWERS: row.key, "ops/reason": row.reason[:200]}
        yield dg.RunRequest(run_key=key, partition_key=row.week, tags=tags)


def _given_up(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    """The run, marked as failed where nothing was heard of it for so long that its process must be gone."""
    if run.status not in BUSY:
        return run
    heard = instance.get_records_for_run(run.run_id, limit=1, ascending=False).records
    last = heard[0].event_log_entry.timestamp if heard else None
    if last is None or datetime.now(UTC).timestamp() - last < GONE.total_seconds():
        return run
    instance.report_run_failed(run, f"Nothing was heard of this run for {GONE}.")
    return instance.get_run_by_id(run.run_id) or run


def _has_answered(model: "Model", instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run is under way, or came to a checkpoint that its gate judged, or to a training set that was refused.

    Its own events say so: what lies in the lake for that week may be of a later run by now.
    """
    if run.status in BUSY or run.status is dg.DagsterRunStatus.SUCCESS:
        return True
    judged = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    checks = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in judged]
    return any(check.asset_key == model.key("checkpoint") or not check.passed for check in checks)


def sensor_name(model: "Model") -> str:
    """The name of the sensor that answers episodes, which is also how it signs the retraining log."""
    return f"retrain_{model.name}"


def backstop_name(model: "Model") -> str:
    """The name of the schedule beside it."""
    return f"retrain_{model.name}_backstop"


def retraining_sensor(model: "Model", job: Any) -> dg.SensorDefinition:
    """The sensor that walks each new week of episodes, asks for what is due, and launches what was asked for.

    The row in the retraining log is what claims a run; so walking the same week again launches nothing twice.
    """
    name = sensor_name(model)

    @dg.sensor(name=name, job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status())
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        after = int(context.cursor) if context.cursor else None
        records = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=model.key("episodes"), after_storage_id=after), limit=100, ascending=True
        ).records
        weeks = sorted({str(record.partition_key) for record in records})
        for week in weeks:
            ask_for_due(model, platform, week, actor=name)
        requests = list(launches(model, platform, context.instance, actor=name))
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else _why_nothing(model, platform),
            cursor=str(records[-1].storage_id) if records else context.cursor,
        )

    return sensor


def retraining_backstop(model: "Model", job: Any) -> dg.ScheduleDefinition:
    """The schedule that does the same once a day, for a sensor that was stopped or has stalled."""
    name = backstop_name(model)

    @dg.schedule(
        name=name, job=job, cron_schedule="0 6 * * *", execution_timezone="UTC", default_status=schedule_status()
    )
    def backstop(context: dg.ScheduleEvaluationContext, platform: dg.ResourceParam[Platform]) -> Any:
        weeks = platform.lake.partitions(f"{model.name}/episodes")
        if weeks:
            ask_for_due(model, platform, weeks[-1], actor=name)
        requests = list(launches(model, platform, context.instance, actor=name))
        return requests or dg.SkipReason(_why_nothing(model, platform))

    return backstop


def _why_nothing(model: "Model", platform: Platform) -> str:
    """What the last week that was judged says, in a sentence."""
    last = last_episodes(platform, model.name)
    if last is None:
        return "no week was judged yet"
    still_open = [e for e in answered(stored_episodes(last), platform, model.name) if e.is_open]
    words = [
        f"{e.kind} since {e.opened} ({f'trained at the end of {e.trained}' if e.trained else e.held or 'due'})"
        for e in still_open
    ]
    return f"{last.partition}: {'; '.join(words) or 'no episode is open'}"


def _table(records: list[dict[str, Any]]) -> Any:
    import pyarrow as pa

    return pa.Table.from_pylist([record | {"reasons": json.dumps(record["reasons"])} for record in records])


def _words(episode: Episode) -> dict[str, Any]:
    return {
        "kind": episode.kind,
        "release": short(episode.release),
        "opened": episode.opened,
        "because": "; ".join(episode.reasons)[:300],
        "trained": episode.trained or episode.held or ("due" if episode.is_due else ""),
        "outcome": _outcome_words(episode),
        "closed": f"{episode.closed}: {episode.because}" if episode.closed else "",
    }


def _outcome_words(episode: Episode) -> str:
    """What became of the answer, and which model that leaves live."""
    stays = {REFUSED: "the champion stays", ROLLED_BACK: "the champion is back"}
    return "; ".join(filter(None, [episode.outcome, stays.get(episode.outcome or "")]))
