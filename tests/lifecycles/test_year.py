"""A model through its weeks: judged, found bad, trained again, shipped; and everything that must not happen twice.

The trips of a made-up town are late when it is windy, until the week of 5 February turns that around. The weeks are
walked once; each test goes on from a copy of the home as it was at some point, by the rules that it is about.
"""

import importlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_runs import RunResult, TickResult
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.cli.demo_daemon import RealDaemon
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Evidence, Move
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict
from ops_pipelines.mlops.admission import Ruling
from ops_pipelines.mlops.retraining import Episode, Request

from .conftest import write_tree

W0, W1, W2, W3, W4, W5, W6, W7 = WEEKS = [
    f"{datetime(2013, 1, 1, tzinfo=UTC) + timedelta(weeks=n):%Y-%m-%d}" for n in range(8)
]
MODEL, RETRAIN, WATCH, SCORE = "trip_delay", "retrain_trip_delay", "watch_trip_delay", "score_trip_delay"
SENSORS = ("arrivals", "automation", SCORE, WATCH, RETRAIN)
DATA = """
type: ops_pipelines.components.Dataset
attributes:
  name: trips
  loader: town_code:trips
  key: trip_id
  time_column: departs_at
  columns: {trip_id: string, wind: float, departs_at: timestamp, asked_at: timestamp, published_at: timestamp}
  weekly: {start: "2013-01-08", end: "2013-03-05"}
---
type: ops_pipelines.components.Dataset
attributes:
  name: trip_ends
  loader: town_code:arrivals
  key: trip_id
  time_column: arrived_at
  columns: {trip_id: string, late: bool, arrived_at: timestamp}
  row_ratio: 20
  weekly: {start: "2013-01-08", end: "2013-03-05"}
---
type: ops_pipelines.components.FeatureSet
attributes:
  name: trip_features
  service: trip_delay
  datasets: [trips]
  weekly: {start: "2013-01-08", end: "2013-03-05"}
"""
RULED = """
type: ops_pipelines.components.Model
attributes:
  name: trip_delay
  train: town_code:fit
  flavour: ops_pipelines.testing.flavours:LogisticFlavour
  params: {days: 7}
  entities: {dataset: trips, key: trip_id, asked_at: asked_at}
  labels: {dataset: trip_ends, column: late, known_at: arrived_at, wait_weeks: %(wait)s}
  features: trip_features
  window_weeks: 3
  holdout_weeks: 1
  drift: {confidence: 0.9, floor: 0.5, min_rows: 50}
  performance: {min_rows: 20}
  retraining: {%(retraining)s}
  weekly: {start: "2013-01-08", end: "2013-03-05"}
"""
RULES = {
    "town": {"wait": 0, "retraining": "flagged: 2, of: 3"},
    "patient": {"wait": 1, "retraining": "flagged: 2, of: 3"},
    "hasty": {"wait": 0, "retraining": "flagged: 1, of: 1, quiet: 1"},
    "brisk": {"wait": 0, "retraining": "flagged: 2, of: 3, cooldown_weeks: 1"},
    "thrifty": {"wait": 0, "retraining": "flagged: 2, of: 3, cooldown_weeks: 0, budget_runs: 1"},
}
"""The same town by other rules: each is a package of its own, opened as the location `town`."""


@dataclass
class Town:
    """The town's daemon, platform and outside world."""

    daemon: InProcessDaemon
    platform: Platform
    rules: str
    home: Path

    def tell(self, week: str | None = None, *, training: str | None = None, **special: Any) -> None:
        """What the world has for a week from now on, and whether training works."""
        told = json.loads((self.home / "world.json").read_text())
        told["training"] = training or told["training"]
        if week:
            told["weeks"][week] = {**told["weeks"].get(week, {}), **special}
        (self.home / "world.json").write_text(json.dumps(told))

    def deliver(self, week: str, **special: Any) -> RunResult:
        """A week is loaded once more, as the world has it now."""
        self.tell(week, **special)
        return self.daemon.run_job("town", "arrivals", partition_key=week)

    def tick(self, *names: str) -> tuple[TickResult, ...]:
        """The sensors of these names look, and what they ask for is run; no tick itself may fail."""
        ticks = tuple(tick for tick in self.daemon.tick_sensors(*names) if not names or tick.sensor in names)
        assert [tick.error for tick in ticks] == [None] * len(ticks)
        return ticks

    def retrain(self) -> TickResult:
        (tick,) = self.tick(RETRAIN)
        return tick

    def watch(self) -> list[tuple[str | None, str]]:
        """The weeks that are judged again until nothing is due, and how that ended."""
        runs: list[tuple[str | None, str]] = []
        for _ in range(4):
            found = [(run.partition_key, run.status) for tick in self.tick(WATCH) for run in tick.runs]
            if not found:
                return runs
            runs += found
        raise AssertionError(f"the sensor does not come to rest: {runs}")

    def arrive(self, week: str) -> None:
        """A week is over: its data comes in, and its features follow."""
        self.platform.clock.set(end_of(week))
        self.tick("arrivals")
        self.daemon.tick_automation()

    def live_through(self, week: str) -> TickResult:
        """A week comes in, is scored and judged; what is due is trained, and automation ships it."""
        self.arrive(week)
        self.tick(SCORE)
        self.watch()
        tick = self.retrain()
        self.daemon.tick_automation()
        return tick

    def made(self, part: str, week: str) -> Artefact | None:
        return self.platform.lake.latest(f"{MODEL}/{part}", week)

    def finding(self, name: str, week: str) -> Verdict:
        return self.made("performance" if name == "performance" else "drift", week).findings[name]

    def episodes(self, week: str) -> list[Episode]:
        return [Episode.from_json(record) for record in self.made("episodes", week).facts["episodes"]]

    def told(self, week: str) -> list[tuple[str, str, str | None]]:
        """Kind, opening week and why it ended of each episode of a week."""
        return [(episode.kind, episode.opened, episode.because) for episode in self.episodes(week)]

    def moves(self) -> tuple[Move, ...]:
        return self.platform.releases.history(MODEL, PRODUCTION)

    def rows(self) -> tuple[Request, ...]:
        return self.platform.retraining.requests(MODEL)

    def answers(self) -> list[tuple[str, str]]:
        """Key and status of every retraining run there ever was, the first one first."""
        runs = self.daemon.instance.get_runs(dg.RunsFilter(job_name=f"train_{MODEL}"))
        answering = [run for run in runs if "ops/retraining" in run.tags]
        return [(run.tags["dagster/run_key"], run.status.value) for run in reversed(answering)]

    def backstop(self) -> Any:
        """What the schedule beside the sensor asks for now."""
        defs = importlib.import_module(f"{self.rules}_location").defs
        schedule = defs.resolve_schedule_def(f"{RETRAIN}_backstop")
        given = {"resources": {"platform": self.platform}, "repository_def": defs.get_repository_def()}
        with dg.build_schedule_context(instance=self.daemon.instance, **given) as context:
            return schedule.evaluate_tick(context)

    def forget_cursors(self) -> list[str]:
        """Every sensor's cursor rewound to nothing; their names."""
        states = [state for state in self.daemon.instance.all_instigator_state() if state.sensor_instigator_data]
        for state in states:
            forgotten = state.sensor_instigator_data._replace(cursor=None)
            self.daemon.instance.update_instigator_state(state.with_data(forgotten))
        return [state.name for state in states]

    def twin(self, *, cut_off: datetime, limits: bool) -> str:
        """A release of the same model as the live one, under another digest, made live; with its limits or without."""
        live = live_release(self.platform.releases, MODEL, PRODUCTION)
        other = self.platform.objects.put(self.platform.project.environment() + b"# locked anew\n")
        manifest = replace(live.manifest, behaviour={**live.manifest.behaviour, "environment": other})
        facts = {name: fact for name, fact in live.latest.facts.items() if limits or name != "expectations"}
        self.platform.releases.save(manifest, Evidence(Passed(), live.digest, cut_off, facts))
        self.platform.promote(MODEL, manifest.digest, actor="ann", reason="the same, locked anew")
        return manifest.digest


def end_of(week: str) -> datetime:
    return datetime.fromisoformat(week).replace(tzinfo=UTC) + timedelta(weeks=1)


@dataclass
class Story:
    """The walked weeks: homes as they were at some points, and what was seen on the way."""

    root: Path
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @contextmanager
    def opened(self, rules: str, sensors: tuple[str, ...] = SENSORS) -> Iterator[Town]:
        """The town in its home by some rules, with these sensors running."""
        with InProcessDaemon(self.home / "dagster", {"town": f"{rules}_location"}) as daemon:
            for name in sensors:
                daemon.start_sensors(name=name)
            yield Town(daemon, Platform.embedded(), rules, self.home)

    def keep(self, town: Town, point: str) -> None:
        """Keeps a copy of the home under a name, all sensors stopped."""
        town.daemon.stop_sensors()
        shutil.copytree(self.home, self.root / "kept" / point)
        for name in SENSORS:
            town.daemon.start_sensors(name=name)

    def go_back(self, point: str) -> None:
        """Puts the home back to how it was."""
        shutil.rmtree(self.home)
        shutil.copytree(self.root / "kept" / point, self.home)


@pytest.fixture(scope="module")
def project_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    here = Path(__file__).parent
    root = shutil.copytree(here / "town", tmp_path_factory.mktemp("town") / "project")
    shutil.copytree(here / "city" / "feature_repo", root / "feature_repo")
    shutil.copy(here.parents[1] / "feature_repo" / "feature_store.yaml", root / "feature_repo")
    for name, rules in RULES.items():
        write_tree(root, name, {"data/defs.yaml": DATA, "model/defs.yaml": RULED % rules})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OPS_HOME", str(root / "home"))
        patch.syspath_prepend(root)
        find_project.cache_clear()
        yield root
    find_project.cache_clear()


@pytest.fixture(scope="module")
def story(project_root: Path) -> Story:
    """Three weeks and a release, a good week, two bad ones, an answer, and the week that ends it."""
    story = Story(project_root)
    story.home.mkdir()
    turned = {week: {"turned": True} for week in (W5, W6, W7)}
    (story.home / "world.json").write_text(json.dumps({"training": "works", "weeks": turned}))
    (story.home / "mlflow.db").write_text("MLflow is broken here: it is a mirror, and would cost this story seconds")
    with story.opened("town") as town:
        town.platform.clock.set(datetime(2013, 1, 8, tzinfo=UTC))
        town.daemon.settle_automation()
        town.platform.clock.set(end_of(W3))
        for _ in (W1, W2, W3):
            town.tick("arrivals")
        town.daemon.settle_automation()
        assert town.daemon.run_job("town", f"train_{MODEL}", partition_key=W3).status == "SUCCESS"
        town.daemon.settle_automation()
        assert len(town.moves()) == 1
        story.keep(town, "after winter")
        town.live_through(W4)
        story.keep(town, "after a good week")
        town.live_through(W5)
        town.arrive(W6)
        story.keep(town, "before the second bad week is scored")
        town.tick(SCORE, WATCH)
        story.keep(town, "an episode is open")
        story.seen["answer"] = town.retrain()
        town.daemon.tick_automation()
        story.keep(town, "it is answered")
        story.seen["after"] = town.live_through(W7)
        story.keep(town, "it is closed")
    return story


@pytest.fixture
def at(story: Story) -> Iterator[Callable[..., Any]]:
    """The town at a point of its story."""

    @contextmanager
    def opened(point: str, rules: str = "town", *, without: str = "") -> Iterator[Town]:
        story.go_back(point)
        with story.opened(rules, tuple(name for name in SENSORS if name != without)) as town:
            yield town

    return opened


KEY = f"performance/{W6}"


def test_two_bad_weeks_of_three_open_one_episode_that_one_run_answers(story, at):
    with at("it is closed") as town:
        assert isinstance(town.finding("performance", W4), Passed)
        assert [type(town.finding("performance", week)) for week in (W5, W6)] == [Blocked, Blocked]
        assert (town.told(W4), town.told(W5), town.told(W6)) == ([], [], [("performance", W6, None)])
        (episode,) = town.episodes(W7)
        assert episode.key.endswith(KEY)
        assert town.answers() == [(episode.key, "SUCCESS")]
        assert [run.job for run in story.seen["answer"].runs] == [f"train_{MODEL}"]
        assert story.seen["after"].runs == ()
        assert (episode.trained, episode.outcome) == (W6, "promoted")
        assert (episode.closed, episode.because) == (W7, "its challenger was promoted")
        first, second = town.moves()
        assert town.made("release", W6).facts["release"] == second.release
        assert second.actor.startswith("run ")
        scored = {week: town.made("predictions", week).facts["release"] for week in (W4, W5, W6, W7)}
        assert scored == {W4: first.release, W5: first.release, W6: first.release, W7: second.release}
        before = town.made("performance", W7).facts["before"]
        assert before["release"] == first.release
        assert before["low"] > 0.5
        assert isinstance(town.finding("performance", W7), Passed)


@pytest.mark.long
def test_with_patience_a_week_is_judged_one_week_later_with_the_labels_that_came_late(at):
    with at("after a good week", "patient") as town:
        judged = town.made("performance", W4).facts
        assert (judged["coverage"], judged["as_of"]) == (pytest.approx(139 / 150), end_of(W4).isoformat())
        town.live_through(W5)
        judged = town.made("performance", W4).facts
        assert (judged["coverage"], judged["as_of"]) == (1, end_of(W5).isoformat())
        assert town.made("performance", W5) is None
        assert f"{MODEL}/performance@{W4}" in town.made("episodes", W5).inputs


@pytest.mark.parametrize(
    ("special", "why"),
    [
        pytest.param({"copies": 2}, "150 keys of 'trip_ends' occur more than once", id="twice"),
        pytest.param({"labelled": 0}, "dataset 'trip_ends' has no rows", id="none", marks=pytest.mark.long),
        pytest.param({"labelled": 0.5}, "of the scored rows, under the floor of 70%", id="few"),
    ],
)
def test_a_week_whose_labels_cannot_be_judged_flags_nothing_and_says_why(at, special, why):
    with at("before the second bad week is scored") as town:
        town.deliver(W6, **special)
        town.tick(SCORE)
        finding = town.finding("performance", W6)
        assert isinstance(finding, NotEvaluated)
        assert why in finding.why
        town.watch()
        assert town.retrain().runs == ()
        assert town.rows() == ()
        assert town.made("episodes", W6) is None or town.told(W6) == []


def test_a_week_whose_labels_a_person_excluded_is_not_judged_and_says_who_did_it(at):
    with at("before the second bad week is scored") as town:
        town.deliver(W6, copies=2)
        refused = town.platform.lake.latest("trip_ends", W6)
        ruling = Ruling("exclude", refused.digest, "ann", "delivered twice", town.platform.clock.wall())
        town.platform.lake.decide("trip_ends", W6, ruling.to_json())
        town.tick(SCORE)
        assert town.finding("performance", W6).why == f"trip_ends@{W6} was excluded by ann: delivered twice"
        town.watch()
        assert town.retrain().runs == ()


@pytest.mark.long
def test_a_week_that_cannot_be_judged_is_not_quiet_and_one_that_can_ends_the_episode(at):
    with at("before the second bad week is scored", "hasty", without=RETRAIN) as town:
        town.daemon.run_job("town", WATCH, partition_key=W5)
        assert town.told(W5) == [("performance", W5, None)]
        town.deliver(W6, labelled=0.5)
        town.tick(SCORE)
        assert isinstance(town.finding("performance", W6), NotEvaluated)
        assert town.told(W6) == [("performance", W5, None)]
        town.deliver(W6, labelled=1, turned=False)
        assert town.watch() == [(W6, "SUCCESS")]
        assert town.told(W6) == [("performance", W5, "1 quiet weeks in a row")]


@pytest.mark.parametrize("week", [W5, W6])
def test_corrected_labels_change_the_verdict_of_a_week_and_not_what_was_answered(at, week):
    with at("it is closed") as town:
        told, moves, answers = town.told(W7), town.moves(), town.answers()
        before = town.finding("performance", week)
        assert town.deliver(week, turned=False).status == "SUCCESS"
        assert (week, "SUCCESS") in town.watch()
        after = town.finding("performance", week)
        assert (type(before), type(after)) == (Blocked, Passed)
        assert town.retrain().runs == ()
        assert (town.told(W7), town.moves(), town.answers()) == (told, moves, answers)


def test_what_was_judged_made_again_by_hand_is_the_same_and_launches_nothing(at):
    with at("it is answered") as town:
        parts = ("performance", "drift", "episodes")
        before = {part: town.made(part, W6) for part in parts}
        done = town.daemon.backfill([f"{MODEL}/{part}" for part in parts], [W6])
        assert done.status == "COMPLETED_SUCCESS"
        for part in parts:
            again = town.made(part, W6)
            assert (again.digest, again.findings) == (before[part].digest, before[part].findings)
            assert again.origin.run_id != before[part].origin.run_id
        assert town.watch() == []
        assert town.retrain().runs == ()
        assert len(town.answers()) == 1


def test_sensors_that_start_again_and_forget_their_cursors_do_nothing_twice(at):
    with at("it is closed") as town:
        answers, rows, moves = town.answers(), town.rows(), town.moves()
        assert set(town.forget_cursors()) == set(SENSORS)
        for _ in range(2):
            town.tick()
            town.daemon.tick_automation()
        assert (town.answers(), town.rows(), town.moves()) == (answers, rows, moves)


def test_a_run_that_dies_is_asked_for_three_times_and_then_no_more(at):
    with at("an episode is open") as town:
        town.tell(training="breaks")
        for _ in range(4):
            last = town.retrain()
        (row,) = town.rows()
        assert town.answers() == [(row.key + suffix, "FAILURE") for suffix in ("", "#2", "#3")]
        assert row.key.endswith(KEY)
        assert last.runs == ()
        assert last.skip_reason
        assert town.made("checkpoint", W6) is None


def test_a_person_who_trains_the_same_week_again_does_not_unanswer_its_episode(at):
    with at("it is answered") as town:
        again = Request("ours", MODEL, W6, end_of(W6), "once more", "ann", town.platform.clock.wall())
        town.platform.retraining.ask(again)
        assert len(town.retrain().runs) == 1
        assert town.retrain().runs == ()
        assert [key for key, _ in town.answers()] == [town.rows()[0].key, "ours"]


def test_a_run_that_works_at_the_second_time_makes_one_checkpoint_and_one_decision(at):
    with at("an episode is open") as town:
        town.tell(training="breaks")
        town.retrain()
        town.tell(training="works")
        town.retrain()
        assert town.retrain().runs == ()
        key = town.rows()[0].key
        assert town.answers() == [(key, "FAILURE"), (f"{key}#2", "SUCCESS")]
        town.daemon.settle_automation()
        assert [move.action for move in town.moves()] == ["promote", "promote"]
        assert len(town.platform.releases.releases(MODEL)) == 2


@pytest.mark.long
def test_two_episodes_of_one_week_are_answered_by_one_run_that_both_name(at):
    with at("after winter", "hasty") as town:
        town.tell(W4, windier=6)
        tick = town.live_through(W4)
        kinds = [("performance", W4, None), ("prediction_drift", W4, None)]
        assert town.told(W4) == kinds
        assert [run.partition_key for run in tick.runs] == [W4]
        (row,) = town.rows()
        assert row.episodes == tuple(episode.key for episode in town.episodes(W4))
        town.live_through(W5)
        assert [(e.trained, e.outcome) for e in town.episodes(W5) if e.opened == W4] == [(W4, "refused")] * 2
        assert [key for key, _ in town.answers()] == [row.key]


def test_nothing_is_launched_for_an_episode_whose_release_was_rolled_back(at):
    with at("after winter", "hasty", without=RETRAIN) as town:
        first, twin = town.moves()[0].release, town.twin(cut_off=end_of(W3), limits=True)
        town.tell(W4, turned=True)
        town.arrive(W4)
        town.tick(SCORE)
        assert [(episode.release, episode.is_due) for episode in town.episodes(W4)] == [(twin, True)]
        town.platform.roll_back(MODEL, first, actor="ann", reason="it was wrong all week")
        town.daemon.start_sensors(name=RETRAIN)
        assert town.retrain().runs == ()
        assert (town.rows(), town.backstop().run_requests) == ((), [])


@pytest.mark.long
def test_an_episode_ends_when_its_release_is_rolled_back_and_its_row_is_not_tried_again(at):
    with at("after winter", "hasty") as town:
        first = town.moves()[0].release
        town.twin(cut_off=end_of(W3), limits=True)
        town.tell(W4, turned=True, training="breaks")
        town.live_through(W4)
        assert [status for _, status in town.answers()] == ["FAILURE"]
        town.platform.roll_back(MODEL, first, actor="ann", reason="it was wrong all week")
        town.tell(training="works")
        town.live_through(W5)
        assert town.told(W5)[0] == ("performance", W4, "another release is live")
        assert not [key for key, _ in town.answers()[1:] if key.startswith(town.rows()[0].key)]


def test_a_release_without_limits_is_never_said_to_do_well_and_grows_old_all_the_same(at):
    with at("after winter", "hasty") as town:
        town.twin(cut_off=end_of(W4) - timedelta(weeks=13), limits=False)
        town.tell(W4, turned=True)
        town.live_through(W4)
        for name in ("performance", "prediction_drift", "feature_drift"):
            finding = town.finding(name, W4)
            assert isinstance(finding, NotEvaluated)
            assert "keeps no limits" in finding.why
        assert town.told(W4) == [("age", W4, None)]
        assert town.episodes(W4)[0].reasons == ("not challenged for 13 weeks",)
        assert [key.rpartition("/age/")[2] for key, _ in town.answers()] == [W4]


@pytest.mark.long
def test_a_refused_challenger_leaves_its_episode_open_and_age_tries_again_after_the_cooldown(at):
    with at("an episode is open", "brisk") as town:
        town.tell(training="spoilt")
        town.retrain()
        assert isinstance(town.made("checkpoint", W6).verdict, Blocked)
        assert "performance since 2013-02-12" in town.retrain().skip_reason
        town.tell(training="works")
        town.live_through(W7)
        trouble, age = town.episodes(W7)
        assert (trouble.kind, trouble.outcome, trouble.is_open) == ("performance", "refused", True)
        assert age.reasons == ("not challenged for 1 weeks, and an episode is open that its challenger did not end",)
        assert town.answers() == [(trouble.key, "FAILURE"), (age.key, "SUCCESS")]
        assert age.key.endswith(f"age/{W7}")


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        ("town", "cooldown until 2013-03-12"),
        pytest.param("thrifty", "the budget of 1 runs in 26 weeks is spent", marks=pytest.mark.long),
    ],
)
def test_a_request_is_one_run_and_holds_back_the_next(at, rules, held):
    with at("before the second bad week is scored", rules) as town:
        asked = Request("ours", MODEL, W5, end_of(W5), "new buses", "ann", town.platform.clock.wall())
        for reason in ("new buses", "new buses, and trams"):
            town.platform.retraining.ask(replace(asked, reason=reason))
        town.retrain()
        assert town.retrain().runs == ()
        assert [key for key, _ in town.answers()] == ["ours"]
        town.tick(SCORE)
        assert [episode.held for episode in town.episodes(W6)] == [held]
        tick = town.retrain()
        assert tick.runs == ()
        assert held in tick.skip_reason
        assert [row.key for row in town.rows()] == ["ours"]


def test_the_schedule_launches_what_a_stopped_sensor_did_not(at):
    with at("an episode is open", without=RETRAIN) as town:
        (asked,) = town.backstop().run_requests
        assert asked.run_key.endswith(KEY)
        assert [(row.key, row.actor) for row in town.rows()] == [(asked.run_key, f"{RETRAIN}_backstop")]
        tags = {**asked.tags, "dagster/run_key": asked.run_key}
        town.daemon.run_job("town", f"train_{MODEL}", partition_key=asked.partition_key, tags=tags)
        assert town.answers() == [(asked.run_key, "SUCCESS")]
        assert "performance since 2013-02-12" in town.backstop().skip_message
        town.daemon.start_sensors(name=RETRAIN)
        assert town.retrain().runs == ()


def test_the_schedule_leaves_to_the_sensor_what_this_one_asked_for_less_than_an_hour_ago(at):
    with at("it is answered") as town:
        assert not town.backstop().run_requests
        now = town.platform.clock.wall()
        for key, at_ in (("fresh", now), ("stale", now - timedelta(hours=2))):
            town.platform.retraining.ask(Request(key, MODEL, W6, end_of(W6), "for the test", RETRAIN, at_))
        assert [asked.run_key for asked in town.backstop().run_requests] == ["stale"]


WORKSPACE = """
load_from:
  - python_module: {module_name: town_location, location_name: town, working_directory: .}
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_dagsters_own_daemon_walks_an_episode_by_itself(story, monkeypatch):
    story.go_back("after a good week")
    (story.root / "workspace.yaml").write_text(WORKSPACE)
    platform = Platform.embedded()
    monkeypatch.setenv("PYTHONPATH", str(story.root))
    monkeypatch.setenv("DAGSTER_HOME", str(story.home / "dagster"))
    with RealDaemon(story.home) as daemon:
        for week in (W5, W6):
            platform.clock.set(end_of(week))
            daemon.wait_until(lambda at=week: platform.lake.good(f"{MODEL}/episodes", at), f"{week} was judged")
        daemon.wait_until(lambda: len(platform.releases.history(MODEL, PRODUCTION)) == 2, "the challenger was live")
    (row,) = platform.retraining.requests(MODEL)
    assert row.key.endswith(KEY)
    with dg.DagsterInstance.from_config(str(story.home / "dagster")) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(tags={"ops/retraining": row.key}))
    assert (run.job_name, run.is_success) == (f"train_{MODEL}", True)
    assert platform.lake.latest(f"{MODEL}/checkpoint", W6).origin.run_id == run.run_id
