"""A running canary, judged by what both releases have answered since it began; one that does harm is taken back at once."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from ops_pipelines.adapters.canary_door import MOVED, end_canary, running_canary
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.components.canary_answers import answered_since, paired
from ops_pipelines.components.conditions import sensor_status, tick_seconds
from ops_pipelines.components.publishing import Product, shown_table, table_of, unmade
from ops_pipelines.components.written import written_since
from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, verdict_to_json
from ops_pipelines.mlops.canary import CANARY, Canary
from ops_pipelines.mlops.canary_verdict import judge_canary
from ops_pipelines.mlops.served import SERVED

if TYPE_CHECKING:
    from ops_pipelines.components.model import Model


def make_canary(model: "Model", platform: Platform, week: str, *, actor: str) -> Product:
    """How the canary that runs does, by all that is known now, and its end where it does harm.

    Where none runs, the last one that was taken back is told of once, in the first week that is made after it; another
    week says that nothing runs.
    """
    canary = running_canary(platform, model.name)
    if canary is None:
        _end_what_is_over(model, platform, actor)
        return _nothing_runs(model, platform, week)
    answered = answered_since(model, platform, canary, week)
    if isinstance(answered, Blocked):
        return unmade(answered, {}, [CANARY])
    rule = model.canary.rule(margin=model.gate.slice_margin)
    verdict = judge_canary(model.asked(), answered.candidate, answered.champion, rule)
    if isinstance(verdict, Blocked):  # before anything else: whatever fails after this, callers are safe
        end_canary(platform, canary, actor=actor, reason="; ".join(verdict.reasons), verdict=verdict)
    beside = paired(model, platform, canary, answered)
    return _product(canary, verdict, answered.inputs, beside, ended=isinstance(verdict, Blocked))


def canary_sensor(model: "Model", job: Any) -> dg.SensorDefinition:
    """The sensor that judges a canary after each compaction and each arrival of labels, while it runs.

    When it runs no more it is asked for once again, so that the finding of the next week says so.
    """
    watched = {SERVED: model.key(SERVED), "labels": dg.AssetKey(model.labels.dataset)}

    @dg.sensor(
        name=f"canary_{model.name}", job=job, minimum_interval_seconds=tick_seconds(), default_status=sensor_status()
    )
    def sensor(context: dg.SensorEvaluationContext, platform: dg.ResourceParam[Platform]) -> dg.SensorResult:
        written, cursor = written_since(context.instance, watched, json.loads(context.cursor or "{}"))
        told = json.dumps(cursor, sort_keys=True)
        weeks = {partition for _, partition in written} & set(
            model.weeks().get_partition_keys(current_time=platform.clock.as_of())
        )
        if not weeks or not _is_due(model, platform, max(weeks)):
            return dg.SensorResult(skip_reason="no canary runs" if weeks else "nothing new was answered", cursor=told)
        return dg.SensorResult(
            run_requests=[dg.RunRequest(f"{max(weeks)}:{told}", partition_key=max(weeks))], cursor=told
        )

    return sensor


def _is_due(model: "Model", platform: Platform, week: str) -> bool:
    """Whether a canary is to be judged, or a week before says something else than that none runs."""
    if platform.canaries.running(model.name, PRODUCTION):
        return True
    earlier = [one for one in platform.lake.partitions(f"{model.name}/canary") if one < week]
    last = platform.lake.good(f"{model.name}/canary", earlier[-1]) if earlier else None
    return last is not None and "canary" in last.facts


def _product(
    canary: Canary, verdict: Verdict, inputs: Mapping[str, str], beside: Mapping[str, Any], *, ended: bool
) -> Product:
    facts = {"release": canary.candidate, "canary": canary.digest, "paired": dict(beside), "ended": ended}
    rows = [{"arm": arm, **verdict.evidence.get(arm, {})} for arm in ("candidate", "champion")]
    return Product(
        table_of(rows),
        digest=digest_json([canary.to_json(), verdict_to_json(verdict), dict(beside)]),
        verdict=Passed({"canary": canary.digest}),
        inputs=inputs,
        facts=facts,
        shown={
            "candidate": short(canary.candidate),
            "champion": short(canary.champion),
            "share": canary.share,
            "state": "taken back" if ended else "runs",
            "answers": shown_table(rows),
            "both on the same rows": dg.MetadataValue.json(dict(beside)),
        },
        findings={CANARY: verdict},
    )


def _end_what_is_over(model: "Model", platform: Platform, actor: str) -> None:
    """Ends the canary that stands there still although the pointer has moved."""
    over = platform.canaries.running(model.name, PRODUCTION)
    if over:
        end_canary(platform, over, actor=actor, reason=MOVED, verdict=NotEvaluated(MOVED))


def _nothing_runs(model: "Model", platform: Platform, week: str) -> Product:
    """The last canary that was taken back for harm, where no other week tells of its end; else that nothing runs."""
    past = platform.canaries.past(model.name, PRODUCTION)
    if past and isinstance(past[-1][1].verdict, Blocked) and not _is_told(model, platform, past[-1][0], week):
        canary, ending = past[-1]
        return _product(canary, ending.verdict, {}, {}, ended=True)
    quiet = Passed({"running": None})
    return Product(
        table_of([]), digest_json(None), Passed(), {}, shown={"state": "none runs"}, findings={CANARY: quiet}
    )


def _is_told(model: "Model", platform: Platform, canary: Canary, week: str) -> bool:
    """Whether another week than this one tells of a canary's end."""
    key = f"{model.name}/canary"
    made = [platform.lake.good(key, other) for other in platform.lake.partitions(key) if other != week]
    return any(one.facts.get("canary") == canary.digest and one.facts.get("ended") for one in made if one)
