"""Walks the harbour through an episode, kills the walk at one step, and walks on: `walks.py ROOT PART PARTS`.

A step is a file that is opened for writing, renamed, removed or made under OPS_HOME, or a connection to one of its
databases. An undisturbed walk counts them. Then, for every kill point of this part, a copy of the same home is walked by
a process that kills itself just before that step, and to its end by another one. What is found there is printed, one line
of JSON a walk. Every walk is a fork of this process, which has imported what is heavy and done nothing else.
"""

import gc
import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MODEL = "berth_delay"
FIRST = datetime(2013, 1, 1, tzinfo=UTC)
WINTER, OPENS, LAST = 3, 6, 7
"""The week at whose end the first model is trained, that in which the episode opens, and the last one that is walked."""
SENSORS = ("arrivals", f"score_{MODEL}", f"watch_{MODEL}", f"retrain_{MODEL}", "automation")
"""All but the one that asks for Evidently's page about the week: that takes a process of its own and ten seconds."""
WRITES = {"open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect"}
SPREAD = 36
"""So many kill points are spread evenly over the steps; these are added, each by a step and how many steps later."""
CHOSEN = {
    "a week has arrived and Dagster was not told": ("os.rename lake/calls/", 1),
    "the features are online and Dagster was not told": ("os.rename lake/sea/online/", 1),
    "the scores are stored and Dagster was not told": (f"os.rename lake/{MODEL}/predictions/", 1),
    "the episode is stored and Dagster was not told": (f"os.rename lake/{MODEL}/episodes/", 1),
    "the retraining row is about to be written": ("SQLiteRetrainingLog.ask <", 0),
    "the retraining row was just written": ("SQLiteRetrainingLog.ask <", 1),
    "the training set lies aside": (f"os.rename lake/{MODEL}/training_set/", 0),
    "a model is kept and no release": ("MLflowRegistry.record", 0),
    "MLflow has half of a record": ("_register < MLflowRegistry.record", 0),
    "the release is saved and no checkpoint": ("SQLiteReleaseStore.save", 1),
    "the checkpoint lies aside": (f"os.rename lake/{MODEL}/checkpoint/", 0),
    "the checkpoint is stored and Dagster was not told": (f"os.rename lake/{MODEL}/checkpoint/", 1),
    "the pointer is about to move": ("SQLiteReleaseStore.append", 0),
    "the pointer has just moved": ("SQLiteReleaseStore.append", 1),
    "the release is stored and Dagster was not told": (f"os.rename lake/{MODEL}/release/", 1),
}
BETWEEN = (f"os.rename lake/{MODEL}/checkpoint/", "SQLiteReleaseStore.append", 4)
"""And so many between a first step and a second one: what was trained is told, and automation finds it."""

TWICE, AGAIN = ("MLflow has half of a record", "the checkpoint is stored and Dagster was not told"), 3
"""After these the walk is killed once more while it starts again, each time at one of so many steps."""


class Steps:
    """An audit hook that counts what is written under a home, and kills this process just before one step."""

    def __init__(self, home: Path, die_at: int) -> None:
        self.home, self.die_at = f"{home}{os.sep}", die_at
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WRITES or not (path := self._written(event, arguments)):
            return
        self.seen.append(f"{event} {path.removeprefix(self.home)} in {_callers()}")
        if len(self.seen) == self.die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _written(self, event: str, arguments: tuple[Any, ...]) -> str:
        """The path that is about to be written; empty for what is only read, or lies elsewhere."""
        path = arguments[1] if event == "os.rename" else arguments[0]
        if not isinstance(path, str | bytes | os.PathLike):
            return ""
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR):
            return ""
        text = os.fsdecode(path).removeprefix("file:").removeprefix("//")
        return text if text.startswith(self.home) else ""


def _callers() -> str:
    """The functions of the package that lead to a step, the innermost first."""
    frame, names = sys._getframe(2), []
    while frame:
        if str(frame.f_globals.get("__name__")).startswith("ops_pipelines."):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return " < ".join(names)


def main(root: Path, part: int, parts: int, only: Sequence[int]) -> None:
    """The home before the episode, an undisturbed walk, and a killed one for each kill point of this part."""
    home, kept = root / "home", root / "kept"
    import_all(["feast.infra.offline_stores.duckdb", "mlflow.store.tracking.sqlalchemy_store", "harbour_location"])
    import_all(in_child(root, lambda: prepare(home)))
    gc.freeze()
    home.rename(kept)

    def walked(die_at: int = 0) -> Any:
        return in_child(root, lambda: walk(home, die_at))

    home.mkdir()
    put_back(home, kept)
    undisturbed = walked()
    tell(undisturbed=undisturbed)
    for name, point in list(kill_points(undisturbed["steps"], only).items())[part::parts]:
        put_back(home, kept)
        killed, after = walked(point) is None, walked()
        tell(name=name, point=point, killed=killed, after=after)
        for again in points_of_the_restart(after["steps"]) if name in TWICE else []:
            put_back(home, kept)
            killed = walked(point) is walked(again) is None
            tell(name=f"{name}, and step {again} after it", point=point, killed=killed, after=walked())


def put_back(home: Path, kept: Path) -> None:
    """The home as it was before the episode."""
    shutil.rmtree(home)
    shutil.copytree(kept, home)


def kill_points(steps: Sequence[str], only: Sequence[int]) -> dict[str, int]:
    """The steps before which a walk is killed, by a name for each."""
    if only:
        return {f"step {point}": point for point in only}
    at = {name: _first(steps, mark) + later for name, (mark, later) in CHOSEN.items()}
    start, end = (_first(steps, mark) for mark in BETWEEN[:2])
    between = [start + n * (end - start) // (BETWEEN[2] + 1) for n in range(1, BETWEEN[2] + 1)]
    spread = [max(1, n * len(steps) // (SPREAD + 1)) for n in range(1, SPREAD + 1)]
    return {f"step {point}": point for point in [*spread, *between]} | at


def points_of_the_restart(steps: Sequence[str]) -> list[int]:
    """The steps of a restarted walk before which it is killed once more: while it takes up what the dead one left."""
    own = [number for number, step in enumerate(steps, 1) if "give_up_orphans" in step]
    return [own[0] + n * (own[-1] - own[0]) // (AGAIN - 1) for n in range(AGAIN)]


def _first(steps: Sequence[str], mark: str) -> int:
    """The number of the first step whose words hold a mark."""
    return next(number for number, step in enumerate(steps, 1) if mark in step)


def prepare(home: Path) -> list[str]:
    """The weeks before the one in which the episode opens; returns what had to be imported for them."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform

    platform = Platform.embedded()
    platform.registry.create()
    platform.clock.set(FIRST)
    with InProcessDaemon(home / "dagster", {"harbour": "harbour_location"}) as daemon:
        start(daemon)
        daemon.settle_automation()
        platform.clock.set(end_of(WINTER))
        for _ in range(WINTER + 1):
            daemon.tick_sensors("arrivals")
        daemon.settle_automation()
        daemon.run_job("harbour", f"train_{MODEL}", partition_key=f"{FIRST + timedelta(weeks=WINTER):%Y-%m-%d}")
        daemon.settle_automation()
        for week in range(WINTER + 1, OPENS):
            live_through(daemon, platform, week)
    found(home)
    return sorted(sys.modules)


def walk(home: Path, die_at: int) -> dict[str, Any]:
    """The weeks from where the clock stands, or from the opening week on, and what is found after them."""
    from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
    from ops_pipelines.adapters.platform import Platform

    platform, before = Platform.embedded(), artefacts(home)
    steps = Steps(home, die_at)
    sys.addaudithook(steps)
    began = time.monotonic()
    with InProcessDaemon(home / "dagster", {"harbour": "harbour_location"}) as daemon:
        start(daemon)
        for week in range(OPENS, LAST + 1):
            if platform.clock.as_of() <= end_of(week):
                live_through(daemon, platform, week)
    seen, seconds = steps.seen.copy(), round(time.monotonic() - began, 2)
    return {"before": before, **found(home), "steps": seen, "seconds": seconds}


def start(daemon: Any) -> None:
    """Turns the sensors on."""
    for name in SENSORS:
        daemon.start_sensors(name=name)


def live_through(daemon: Any, platform: Any, week: int) -> None:
    """A week goes by: the daemon ticks on until a round of ticks launches nothing."""
    platform.clock.set(end_of(week))
    for _ in range(12):
        ticks = daemon.tick_sensors() + daemon.tick_automation()
        if failed := [tick.error for tick in ticks if tick.error]:
            raise RuntimeError(f"a sensor failed: {failed}")
        if not any(tick.runs for tick in ticks):
            return
    raise RuntimeError(f"the daemon did not come to rest in week {week}")


def end_of(week: int) -> datetime:
    """The instant at which a week ends."""
    return FIRST + timedelta(weeks=week + 1)


def found(home: Path) -> dict[str, Any]:
    """What the stores hold, each read as its readers read it."""
    import dagster as dg

    from ops_pipelines.adapters.files import leftovers
    from ops_pipelines.adapters.platform import Platform
    from ops_pipelines.core.pointer import PRODUCTION, check_chain, live_evidence

    platform = Platform.embedded()
    history = platform.releases.history(MODEL, PRODUCTION)
    check_chain(history)
    live = live_evidence(platform.releases, MODEL, PRODUCTION)
    weeks = platform.lake.partitions(f"{MODEL}/episodes")
    last = platform.lake.good(f"{MODEL}/episodes", weeks[-1])
    checkpoint = platform.lake.good(f"{MODEL}/checkpoint", platform.lake.partitions(f"{MODEL}/checkpoint")[-1])
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        runs = [_told_of(instance, run) for run in instance.get_runs()]
    return {
        "requests": [[row.key, row.week] for row in platform.retraining.requests(MODEL)],
        "runs": runs,
        "moves": [[move.action, move.release] for move in history],
        "releases": [release.digest for release in platform.releases.releases(MODEL)],
        "decided_by": live.facts["run"] if live else None,
        "made_by": checkpoint.origin.run_id if checkpoint else None,
        "episodes": last.facts["episodes"] if last else None,
        "artefacts": artefacts(home),
        "aside": len(list(leftovers(home))),
    }


def artefacts(home: Path) -> dict[str, str]:
    """The digest of every artefact in the lake, each read whole with its record; ValueError for any other file there."""
    from ops_pipelines.adapters.files import leftovers
    from ops_pipelines.adapters.lake import Lake
    from ops_pipelines.core.lineage import Artefact

    lake = Lake(home / "lake")
    made, aside = {}, set(leftovers(lake.root))
    for file in sorted({file for file in lake.root.rglob("*") if file.is_file()} - aside):
        if file.parent.name == "replaced":  # the record of a content that another one took the place of
            Artefact.from_json(json.loads(file.read_text()))
            continue
        key, partition = file.parent.parent.relative_to(lake.root).as_posix(), file.parent.name
        artefact = lake.latest(key, partition)
        if file.name != "data.parquet" or artefact is None or (artefact.key, artefact.partition) != (key, partition):
            raise ValueError(f"{file} is no artefact of {key}@{partition}")
        lake.read(key, partition)
        made[artefact.address] = artefact.digest
    return made


def _told_of(instance: Any, run: Any) -> dict[str, Any]:
    """A run: what it answers, how it ended, and the assets whose gates it told Dagster of."""
    import dagster as dg

    told = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    data = [record.event_log_entry.get_dagster_event().asset_check_evaluation_data for record in told]
    judged = sorted({evaluation.asset_key.to_user_string() for evaluation in data})
    answers = run.tags.get("ops/retraining")
    return {"id": run.run_id, "job": run.job_name, "status": run.status.value, "answers": answers, "judged": judged}


def in_child(root: Path, work: Callable[[], Any]) -> Any:
    """What `work` returns in a process of its own; None where that was killed, RuntimeError where it broke."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        os.close(read)
        _work_and_leave(root, work, write)
    os.close(write)
    with os.fdopen(read, "rb") as answers:
        answer = answers.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return None
    if status:
        raise RuntimeError(f"a walk broke with status {status}: {answer}")
    return json.loads(answer)


def _work_and_leave(root: Path, work: Callable[[], Any], write: int) -> None:
    """Works and leaves without cleaning up after the parent; what is printed goes to a log."""
    log, code = os.open(root / "walks.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        answer, code = json.dumps(work()), 0
    except BaseException:
        answer = traceback.format_exc()
    with os.fdopen(write, "w") as answers:
        answers.write(answer)
    os._exit(code)


def import_all(modules: Sequence[str]) -> None:
    """Modules imported once, for all walks."""
    for name in modules:
        if name not in sys.modules:
            with suppress(ImportError):  # names that only live in sys.modules
                importlib.import_module(name)


def tell(**line: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    where = Path(sys.argv[1])
    os.environ["OPS_HOME"] = str(where / "home")
    os.chdir(where)
    main(where, int(sys.argv[2]), int(sys.argv[3]), [int(point) for point in sys.argv[4:]])
