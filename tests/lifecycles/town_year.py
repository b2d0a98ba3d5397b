"""A made-up town whose weeks are walked once: its rules, what can be done in it, and its home as it was at some points."""

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
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.pointer import PRODUCTION, live_release
from ops_pipelines.core.release import Evidence, Move
from ops_pipelines.core.verdict import Passed, Verdict
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
