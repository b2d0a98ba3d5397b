"""D7: a sensor asks for a retraining under one constant key, which Dagster answers once and never again.

The plain sensors are the two that are written first: one with a constant `run_key`, for which the second episode never
trains, and one that trusts its cursor, for which a cursor that is reset trains once more. The guarded variant is a real
Model of ours in a project of its own: only its weekly findings are scripted, and its retraining runs end at a training
set that has no data, which answers them. All ticks and runs are those of Dagster's own daemon.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.apps.drills.drill import Drill, Outcome
from ops_pipelines.apps.drills.small_project import inside_project, location_of

if TYPE_CHECKING:
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform

FIRST, WEEK, SYSTEM = datetime(2013, 1, 1, tzinfo=UTC), timedelta(weeks=1), "berth_delay"
TROUBLE = (True, False, True)
"""The weeks' performance: an episode, a quiet week that ends it, and the next episode."""
PLAIN = '''
"""Two sensors over a list of alarms in alarms.json."""

import json
from pathlib import Path

import dagster as dg


def alarms():
    return json.loads((Path.cwd() / "alarms.json").read_text())


@dg.op
def fit(): ...


@dg.job
def retrain_by_key():
    fit()


@dg.job
def retrain_by_cursor():
    fit()


@dg.sensor(job=retrain_by_key)
def by_key(context):
    if alarms():
        yield dg.RunRequest(run_key="retrain")


@dg.sensor(job=retrain_by_cursor)
def by_cursor(context):
    for alarm in alarms()[int(context.cursor or 0) :]:
        yield dg.RunRequest(tags={"alarm": alarm})
    context.update_cursor(str(len(alarms())))


defs = dg.Definitions(
    jobs=[retrain_by_key, retrain_by_cursor], sensors=[by_key, by_cursor], executor=dg.in_process_executor
)
'''
MODEL = f"""
type: ops_pipelines.components.Model
attributes:
  name: {SYSTEM}
  train: ops_pipelines.defs.mlops.flight_delay.training:train
  flavour: lightgbm
  entities: {{dataset: calls, key: call_id, asked_at: asked_at}}
  labels: {{dataset: berthings, column: late, known_at: berthed_at}}
  features: sea
  window_weeks: 2
  holdout_weeks: 1
  weekly: {{start: "2013-01-01", end: "2013-03-12"}}
  retraining: {{flagged: 1, of: 1, quiet: 1, cooldown_weeks: 0}}
"""


def unguarded(folder: Path) -> Outcome:
    """Two episodes, and a reset of the cursor after each."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    alarms, launched = folder / "alarms.json", {"by_key": 0, "by_cursor": 0}
    alarms.write_text("[]")
    with (
        inside_project(folder, {"drill_plain.py": PLAIN}),
        InProcessDaemon(folder / "dagster", {"plain": "drill_plain"}) as daemon,
    ):
        daemon.start_sensors("plain")
        for episodes in (["first"], ["first", "second"]):
            alarms.write_text(json.dumps(episodes))
            for _ in range(2):
                for tick in daemon.tick_sensors():
                    launched[tick.sensor] += len(tick.runs)
                _reset_cursors(daemon)
    return Outcome(
        harmed=launched["by_key"] == 1 and launched["by_cursor"] > 2,
        caught=False,
        reason=f"of two episodes a constant run key launched {launched['by_key']}, and a cursor that was reset "
        f"{launched['by_cursor']} runs",
        evidence={"episodes": 2, "runs": launched},
    )


def guarded(folder: Path) -> Outcome:
    """The same by the sensor of a Model and the rows of its retraining log."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform

    files = location_of("drill_port", MODEL)
    sensor, said = f"retrain_{SYSTEM}", ""
    launched: list[int] = []
    with inside_project(folder, files), InProcessDaemon(folder / "dagster", {"port": "drill_port_location"}) as daemon:
        platform = Platform.embedded()
        release = _go_live(platform)
        daemon.start_sensors(name=sensor)
        for number, trouble in enumerate(TROUBLE):
            _week_ends(daemon, platform, number, release, trouble=trouble)
            for _ in range(2):
                (tick,) = daemon.tick_sensors(sensor)
                launched.append(len(tick.runs))
                said = tick.skip_reason or tick.error or said
                _reset_cursors(daemon)
        rows = platform.retraining.requests(SYSTEM)
        runs = [run.tags.get("dagster/run_key") for run in daemon.instance.get_runs()]
    asked = sorted(str(key) for key in runs if key)
    one_each = len(rows) == 2 and asked == sorted(row.key for row in rows)
    return Outcome(
        harmed=not one_each,
        caught=one_each and launched == [1, 0, 0, 0, 1, 0],
        reason=said,
        evidence={"launched_at_each_tick": launched, "run_keys": asked},
    )


DRILL = Drill(
    number="D7",
    name="constant run key",
    incident="a constant run_key is deduplicated for ever, and a cursor that is reset launches twice",
    source="PostHog#46932",
    names="trained at the end of 2013-01-15",
    unguarded=unguarded,
    guarded=guarded,
)


def _reset_cursors(daemon: "InProcessDaemon") -> None:
    """What `dagster sensor cursor --delete` does, for every sensor that has ticked."""
    for state in daemon.instance.all_instigator_state():
        data: Any = state.instigator_data
        if data is not None and getattr(data, "cursor", None) is not None:
            daemon.instance.update_instigator_state(state.with_data(data._replace(cursor=None)))


def _go_live(platform: "Platform") -> str:
    """A release that is live from before the first week, with its features applied; its digest."""
    import pyarrow as pa

    from ops_pipelines.core.fingerprint import digest_json
    from ops_pipelines.core.lineage import STATIC, Artefact
    from ops_pipelines.core.pointer import Decision, promote
    from ops_pipelines.core.release import Evidence, Manifest, find_release
    from ops_pipelines.core.verdict import Passed

    manifest, at = Manifest(SYSTEM, {"model": platform.objects.put(b"trees")}), FIRST - WEEK
    platform.releases.save(manifest, Evidence(Passed(), None, at))
    decision = Decision(actor="drill", reason="the first one", as_of=at, at=at)
    promote(
        platform.releases,
        find_release(platform.releases, SYSTEM, manifest.digest),
        decision,
        resolves=platform.resolves,
    )
    service: dict[str, Any] = {"name": "sea", "tables": []}
    origin = platform.origin("drill", "drill")
    applied = Artefact("sea/definitions", STATIC, digest_json(service), Passed(), {}, origin, {"service": service})
    platform.lake.publish(pa.table({"table": pa.array([], pa.string())}), applied)
    return manifest.digest


def _week_ends(daemon: "InProcessDaemon", platform: "Platform", number: int, release: str, *, trouble: bool) -> None:
    """A week's performance is judged, and its episodes are told."""
    import pyarrow as pa

    from ops_pipelines.core.lineage import Artefact
    from ops_pipelines.core.verdict import Blocked, Passed, verdict_to_json
    from ops_pipelines.mlops.performance import PERFORMANCE

    week = f"{FIRST + number * WEEK:%Y-%m-%d}"
    finding = Blocked(("log loss 0.81, above the 0.52 that the training weeks allow",)) if trouble else Passed()
    facts = {"release": release, "findings": {PERFORMANCE: verdict_to_json(finding)}}
    origin = platform.origin("drill", "drill")
    judged = Artefact(f"{SYSTEM}/performance", week, week, Passed(), {}, origin, facts)
    platform.lake.publish(pa.table({"loss": [0.81 if trouble else 0.5]}), judged)
    platform.clock.set(FIRST + (number + 1) * WEEK)
    daemon.backfill([f"{SYSTEM}/episodes"], [week])
