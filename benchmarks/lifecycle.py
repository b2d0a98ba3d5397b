"""What Dagster adds: twelve weeks walked by its daemon, and the same functions called in the same order without it.

Both walk the same project on the same data: a week arrives, its features are refreshed, it is scored and judged. What was
stored of each week has to have the same digests, or the claim is void. The first release is trained before, unmeasured.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.directly import write_directly
from benchmarks.processes import measured
from benchmarks.rows import Row, at_most, void
from benchmarks.village import ENDS, FEATURES, FIRST, MODEL, TRIPS, WALKED, WINTER, write_project

if TYPE_CHECKING:
    from ops_pipelines.adapters.platform import Platform

SECONDS_A_RUN = 1.2
PARTS = ("predictions", "drift", "performance", "episodes")
SYSTEM = "trip_delay"
_TURNS = 3


def measure() -> Iterator[Row]:
    """The one claim, each way three times in turn."""
    yield from _measure(_TURNS)


def measure_quick() -> Iterator[Row]:
    """Each way once."""
    yield from _measure(1)


def walk_by_dagster(home: str) -> dict[str, Any]:
    """CPU-seconds of the walk by Dagster's daemon, its runs, and what was stored."""
    platform = _opened(home)
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon

    with InProcessDaemon(platform.project.home / "dagster", {"village": "village_location"}) as daemon:
        platform.clock.set(FIRST)
        daemon.start_sensors()
        daemon.settle_automation()
        platform.clock.set(_end_of(WINTER - 1))
        for _ in range(WINTER):
            daemon.tick_sensors("arrivals")
        daemon.settle_automation()
        daemon.run_job("village", f"train_{SYSTEM}", partition_key=_key_of(WINTER - 1))
        daemon.settle_automation()
        before, began = daemon.instance.get_runs_count(), _cpu()
        for week in range(WINTER, WINTER + WALKED):
            platform.clock.set(_end_of(week))
            daemon.tick_sensors("arrivals")
            daemon.tick_automation()
            daemon.tick_sensors(f"score_{SYSTEM}")
            daemon.tick_sensors(f"watch_{SYSTEM}", f"retrain_{SYSTEM}")
            daemon.tick_automation()
        return {"cpu": _cpu() - began, "runs": daemon.instance.get_runs_count() - before, "stored": _stored(platform)}


def walk_directly(home: str) -> dict[str, Any]:
    """CPU-seconds of the same walk without Dagster, and what was stored."""
    platform = _opened(home)
    walker = _Walker(platform)
    platform.clock.set(_end_of(WINTER - 1))
    walker.begin([_key_of(week) for week in range(WINTER)])
    began = _cpu()
    for week in range(WINTER, WINTER + WALKED):
        platform.clock.set(_end_of(week))
        walker.live_through(_key_of(week))
    return {"cpu": _cpu() - began, "stored": _stored(platform)}


class _Walker:
    """The components' own functions, in the order in which Dagster calls them."""

    def __init__(self, platform: "Platform") -> None:
        from ops_pipelines.components import Dataset, FeatureSet, Model

        self._platform = platform
        self._datasets = [Dataset.resolve_from_yaml(text) for text in (TRIPS, ENDS)]
        self._features = FeatureSet.resolve_from_yaml(FEATURES)
        self._model = Model.resolve_from_yaml(MODEL)
        self._weeks = self._model.weeks()

    def begin(self, weeks: list[str]) -> None:
        """The definitions applied, the first weeks brought in, and a release trained on them made live."""
        from ops_pipelines.components.model_checkpoint import CheckpointConfig, make_checkpoint
        from ops_pipelines.components.model_release import make_release
        from ops_pipelines.components.model_training_set import make_training_set

        self._platform.features.apply()
        self._write(f"{self._features.name}/definitions", "-", self._features._applied(self._platform))
        for week in weeks:
            self._arrive(week)
        last, model, platform = weeks[-1], self._model, self._platform
        self._write(f"{SYSTEM}/training_set", last, make_training_set(model, platform, last))
        checkpoint = make_checkpoint(model, platform, last, CheckpointConfig(), run_id="direct")
        self._write(f"{SYSTEM}/checkpoint", last, checkpoint)
        self._write(f"{SYSTEM}/release", last, make_release(model, platform, last, actor="direct"))

    def live_through(self, week: str) -> None:
        """A week arrives, is scored and judged."""
        from ops_pipelines.components.model_drift import make_drift
        from ops_pipelines.components.model_monitoring import make_performance
        from ops_pipelines.components.model_predictions import make_predictions
        from ops_pipelines.components.model_retraining import make_episodes

        self._arrive(week)
        makers: dict[str, Callable[..., Any]] = {
            "drift": make_drift,
            "performance": make_performance,
            "episodes": make_episodes,
        }
        scores = make_predictions(self._model, self._platform, week, named=None)
        self._write(f"{SYSTEM}/predictions", week, scores)
        for part, make in makers.items():
            self._write(f"{SYSTEM}/{part}", week, make(self._model, self._platform, week))

    def _arrive(self, week: str) -> None:
        for dataset in self._datasets:
            made = dataset.make(self._platform, dataset.spec(), self._weeks, week)
            self._write(dataset.name, week, made)
        refreshed = self._features._refreshed(self._platform, self._weeks, week)
        self._write(f"{self._features.name}/online", week, refreshed)

    def _write(self, key: str, partition: str, product: Any) -> None:
        write_directly(self._platform, key, partition, product)


def _measure(turns: int) -> Iterator[Row]:
    name = f"{WALKED} weeks of the lifecycle, what Dagster adds to a run, CPU-s"
    with tempfile.TemporaryDirectory() as made:
        root = write_project(Path(made))
        walks = [_both(root, turn) for turn in range(turns)]
    differing = [address for ours, direct in walks for address in _differing(ours["stored"], direct["stored"])]
    if differing:
        yield void(name, f"ours <= {SECONDS_A_RUN}", f"stored differently: {', '.join(differing[:3])}")
        return
    runs = walks[0][0]["runs"]
    by_dagster, directly = (median(walk[way]["cpu"] for walk in walks) for way in (0, 1))
    added = median((ours["cpu"] - direct["cpu"]) / ours["runs"] for ours, direct in walks)
    note = f"{runs} runs in {by_dagster:.1f} CPU-s, the same without Dagster in {directly:.1f}; the same digests"
    yield at_most(name, added, SECONDS_A_RUN, note=note)


def _both(root: Path, turn: int) -> tuple[dict[str, Any], dict[str, Any]]:
    homes = [str(root / f"{way}-{turn}") for way in ("dagster", "direct")]
    return (
        measured("benchmarks.lifecycle:walk_by_dagster", homes[0], home=root).answer,
        measured("benchmarks.lifecycle:walk_directly", homes[1], home=root).answer,
    )


def _differing(ours: dict[str, str | None], direct: dict[str, str | None]) -> list[str]:
    """The addresses at which something else, or nothing, is stored."""
    return [at for at, digest in ours.items() if digest is None or direct[at] != digest]


def _opened(home: str) -> "Platform":
    """The platform of the project in the working directory, its state in a folder of its own."""
    os.environ["OPS_HOME"] = home
    sys.path.insert(0, str(Path.cwd()))
    Path(home).mkdir()
    # MLflow only mirrors releases; a broken store of its own keeps its seconds out of the unmeasured beginning.
    (Path(home) / "mlflow.db").write_text("MLflow is not asked here")
    from ops_pipelines.adapters.platform import Platform

    return Platform.embedded()


def _stored(platform: "Platform") -> dict[str, str | None]:
    """The digest of each part of each walked week; None where it was not made."""
    weeks = [_key_of(week) for week in range(WINTER, WINTER + WALKED)]
    found = {f"{SYSTEM}/{part}@{week}": platform.good(f"{SYSTEM}/{part}@{week}") for part in PARTS for week in weeks}
    return {at: artefact.digest if artefact else None for at, artefact in found.items()}


def _cpu() -> float:
    """The CPU-seconds of this process and of its children that ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _end_of(week: int) -> datetime:
    return FIRST + timedelta(weeks=week + 1)


def _key_of(week: int) -> str:
    return f"{FIRST + timedelta(weeks=week):%Y-%m-%d}"
