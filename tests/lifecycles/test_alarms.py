"""An inbox over two systems: verdicts are stored, the sensor walks them, and people are told of each alarm once.

Nothing here judges: a test stores what a model's performance and drift assets would, and reports that they were made.
"""

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_runs import RunResult, TickResult
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.fingerprint import digest_json
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, verdict_to_json

from .conftest import write_tree

W0, W1, W2, W3 = WEEKS = ("2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22")
RELEASE = "a" * 64
QUIET, SLOW, LOST = Passed(), Blocked(("log loss 0.7, at most 0.5",)), NotEvaluated("3 rows")
NOBODY = "json://127.0.0.1:1"
INBOX = """
type: ops_pipelines.components.Alarms
attributes:
  name: alarms
  systems: [trips, buses]
  weekly: {start: "2013-01-01", end: "2013-01-29"}
"""


@dataclass
class Watch:
    """The daemon, the lake, and what people heard."""

    daemon: InProcessDaemon
    platform: Platform
    log: Path

    def judge(self, week: str, performance: Verdict = QUIET, system: str = "trips") -> None:
        """Both parts of a system are stored for a week; its drift is quiet."""
        self.store(system, "performance", week, performance=performance)
        self.store(system, "drift", week, feature_drift=QUIET, prediction_drift=QUIET)

    def store(self, system: str, part: str, week: str, **findings: Verdict) -> None:
        """What a model's asset does: the artefact in the lake, then the event in Dagster."""
        kept = {name: verdict_to_json(verdict) for name, verdict in findings.items()}
        origin = Origin("run", "commit", "code", self.platform.clock.wall())
        facts = {"release": RELEASE, "findings": kept}
        made = Artefact(f"{system}/{part}", week, digest_json(kept), Passed(), {}, origin, facts)
        self.platform.lake.publish(pa.table({}), made)
        event = dg.AssetMaterialization(dg.AssetKey([system, part]), partition=week)
        self.daemon.instance.report_runless_asset_event(event)

    def look(self) -> TickResult:
        """One tick of the inbox's sensor, and the runs that it asked for."""
        (tick,) = [tick for tick in self.daemon.tick_sensors() if tick.sensor == "alarms"]
        assert tick.error is None
        return tick

    def heard(self) -> Counter[str]:
        """How often people were told of each alarm."""
        lines = self.log.read_text().splitlines()
        return Counter(line.removeprefix("alarm ") for line in lines if line.startswith("alarm "))

    def open_alarms(self, week: str) -> list[tuple[str, int]]:
        inbox = self.platform.lake.latest("alarms", week)
        assert inbox
        return [(alarm["key"], alarm["weeks"]) for alarm in inbox.facts["alarms"]]

    def cursor(self, change: Callable[[dict[str, dict[str, str]]], None] | None) -> None:
        """The sensor's cursor changed, or forgotten."""
        (state,) = [state for state in self.daemon.instance.all_instigator_state() if state.name == "alarms"]
        cursor = json.loads(state.instigator_data.cursor)
        if change:
            change(cursor)
        data = state.instigator_data._replace(cursor=json.dumps(cursor) if change else None)
        self.daemon.instance.update_instigator_state(state.with_data(data))

    def make(self, week: str) -> RunResult:
        """An inbox made by hand."""
        return self.daemon.run_job("watch", "gather_alarms", partition_key=week)


@pytest.fixture(scope="module")
def watch_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with an inbox, and a home in which Dagster's databases were made."""
    root = tmp_path_factory.mktemp("watch")
    (root / "pyproject.toml").write_text("[tool.ops]\n")
    (root / "requirements.lock").write_text("nothing==1\n")
    write_tree(root, "watch", {"alarms/defs.yaml": INBOX})
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        patch.chdir(root)
        find_project.cache_clear()
        with InProcessDaemon(root / "empty_home", {"watch": "watch_location"}):
            pass
        yield root
    find_project.cache_clear()


@pytest.fixture
def watch(watch_code: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    monkeypatch.setenv("OPS_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPS_NOTIFY", raising=False)
    find_project.cache_clear()
    home = shutil.copytree(watch_code / "empty_home", tmp_path / "home" / "dagster")
    with InProcessDaemon(home, {"watch": "watch_location"}) as daemon:
        daemon.start_sensors(name="alarms")
        yield Watch(daemon, Platform.embedded(), home / "in_process_daemon.log")


def key(system: str, week: str) -> str:
    return f"{system}/performance/{RELEASE[:12]}/{week}"


def test_people_are_told_once_of_an_alarm_of_several_weeks_and_of_each_system(watch):
    watch.judge(W1, SLOW, "buses")
    for week, verdict in zip(WEEKS, (SLOW, SLOW, QUIET, LOST), strict=True):
        watch.judge(week, verdict)
    tick = watch.look()
    assert [(run.partition_key, run.status) for run in tick.runs] == [(week, "SUCCESS") for week in WEEKS]
    assert watch.heard() == {key("trips", W0): 1, key("buses", W1): 1, key("trips", W3): 1}
    assert watch.open_alarms(W1) == [(key("buses", W1), 1), (key("trips", W0), 2)]
    assert watch.open_alarms(W2) == [(key("buses", W1), 1)]  # not judged since, and missing is not quiet
    assert watch.look().skip_reason == "no week was judged since the last look"


def test_a_week_waits_for_all_parts_of_a_system_and_not_for_another_system(watch):
    watch.store("trips", "performance", W0, performance=SLOW)
    watch.store("buses", "drift", W0, prediction_drift=QUIET)
    tick = watch.look()
    assert tick.runs == ()
    assert tick.skip_reason == "; ".join(
        f"{system} has not all of performance and drift stored for {W0} yet" for system in ("buses", "trips")
    )
    watch.store("trips", "drift", W0, prediction_drift=QUIET)
    assert [run.partition_key for run in watch.look().runs] == [W0]
    assert watch.heard() == {key("trips", W0): 1}


def test_people_are_told_of_a_request_that_is_not_answered_and_the_week_does_not_wait_for_it(watch):
    watch.judge(W0)
    assert watch.look().runs == ()  # all is quiet
    watch.store("trips", "episodes", W0, retraining=Blocked(("request 7: no run has begun",)))
    assert [run.status for run in watch.look().runs] == ["SUCCESS"]
    assert watch.heard() == {f"trips/retraining/{RELEASE[:12]}/{W0}": 1}
    watch.judge(W1)
    watch.store("trips", "episodes", W1, retraining=QUIET)
    watch.look()
    assert watch.open_alarms(W1) == []


def test_episodes_of_a_week_before_requests_were_checked_are_no_alarm(watch):
    watch.judge(W0)
    watch.store("trips", "episodes", W0)
    assert watch.look().runs == ()
    assert watch.heard() == {}


def test_a_week_that_is_judged_anew_is_looked_at_again_and_tells_nobody_twice(watch):
    for verdict, found in ((SLOW, [(key("trips", W0), 1)]), (QUIET, []), (SLOW, [(key("trips", W0), 1)])):
        watch.judge(W0, verdict)
        assert [run.status for run in watch.look().runs] == ["SUCCESS"]
        assert watch.open_alarms(W0) == found
    assert watch.heard() == {key("trips", W0): 1}


def test_later_weeks_that_come_first_find_the_streak_when_the_earlier_ones_are_there(watch):
    for week in (W1, W0):
        watch.judge(week, SLOW)
        watch.look()
    assert watch.open_alarms(W0) == [(key("trips", W0), 1)]
    watch.judge(W2, SLOW)
    watch.look()
    assert watch.open_alarms(W2) == [(key("trips", W0), 3)]
    assert watch.heard() == {key("trips", W0): 1, key("trips", W1): 1}


def test_a_sensor_that_starts_again_or_forgets_its_cursor_launches_and_tells_nothing_twice(watch):
    watch.judge(W0, SLOW)
    watch.judge(W1, SLOW)
    assert len(watch.look().runs) == 2
    watch.daemon.stop_sensors()
    watch.daemon.start_sensors(name="alarms")
    assert watch.look().runs == ()
    watch.cursor(None)
    assert watch.look().runs == ()
    assert watch.make(W0).status == "SUCCESS"
    assert watch.heard() == {key("trips", W0): 1}


def test_an_alarm_that_reached_nobody_is_red_and_told_again_until_it_did(watch, monkeypatch):
    monkeypatch.setenv("OPS_NOTIFY", NOBODY)
    watch.judge(W0, SLOW)
    assert "blocking asset check failed" in watch.look().runs[0].error
    inbox = watch.platform.lake.latest("alarms", W0)
    assert isinstance(inbox.verdict, Blocked)
    assert "target 1 (JSON) did not take the message" in inbox.verdict.reasons[0]
    assert NOBODY not in inbox.verdict.reasons[0]
    assert "2013-01-01 asked for and not done" in watch.look().skip_reason

    monkeypatch.delenv("OPS_NOTIFY")
    earlier = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    watch.cursor(lambda cursor: cursor["asked"].update({W0: earlier}))
    assert [run.status for run in watch.look().runs] == ["SUCCESS"]
    assert watch.heard() == {key("trips", W0): 1}
    assert watch.look().skip_reason == "no week was judged since the last look"


def test_a_week_without_any_verdict_has_no_inbox(watch):
    assert "blocking asset check failed" in watch.make(W0).error
    assert (
        f"for {W0} none of these is stored whole: performance, drift of trips; performance, drift of buses"
        in watch.platform.lake.latest("alarms", W0).verdict.why
    )


def test_people_see_a_table_of_what_is_open(watch):
    watch.judge(W0, SLOW)
    watch.look()
    event = watch.daemon.instance.get_latest_materialization_event(dg.AssetKey("alarms"))
    shown = event.asset_materialization.metadata
    assert (shown["open"].value, shown["new"].value) == (1, 1)
    (row,) = shown["open alarms"].records
    assert [row.data[name] for name in ("system", "finding", "state")] == ["trips", "performance", "alarm"]
    assert row.data["how long"] == "1 week in a row, since 2013-01-01"
