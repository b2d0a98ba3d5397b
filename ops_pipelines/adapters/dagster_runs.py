"""How runs are launched, and how they ended, in a Dagster instance that this process drives itself."""

import os
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dagster import DagsterEventType, DagsterInstance, DagsterRun, RunsFilter
from dagster import _check as check
from dagster._core.execution.api import execute_run
from dagster._core.execution.plan.resume_retry import ReexecutionStrategy
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import LaunchRunContext
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator, SubmitRunContext
from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from dagster._core.storage.sql import check_alembic_revision, create_engine
from dagster._core.storage.tags import RETRY_STRATEGY_TAG, SENSOR_NAME_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import retry_run
from dagster._utils.error import SerializableErrorInfo
from dagster._utils.hosted_user_process import recon_job_from_origin

from ops_pipelines.core.errors import OpsError

_SQLITE_STORAGES = (consolidated_sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
DRIVEN_BY = "ops/driven_by"
"""The tag that names the process of the in-process daemon which executes a run."""
_ATTEMPTS = 3
_PLANNED = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED: DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED: DagsterEventType.ASSET_CHECK_EVALUATION,
}
"""What a run records before it starts, and what it records when that is made."""
_KEPT = ("create_engine", "check_alembic_revision")


class DaemonError(OpsError):
    """A code location, job, sensor or asset that the in-process daemon cannot drive."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """One executed run: what it ran, how it ended and, if it failed, why."""

    run_id: str
    job: str
    status: str
    partition_key: str | None = None
    assets: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TickResult:
    """One recorded sensor tick and its runs (those of a backfill it asked for included)."""

    location: str
    sensor: str
    status: str
    runs: tuple[RunResult, ...] = ()
    skip_reason: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BackfillResult:
    """One finished backfill and its runs."""

    backfill_id: str
    status: str
    runs: tuple[RunResult, ...] = ()


class DeferredRunLauncher(SyncInMemoryRunLauncher):
    """A launcher that queues run ids, for the daemon to execute when the tick is over.

    Executing inside the tick would put user code inside the automation tick's asyncio loop, where
    an asset that calls `asyncio.run` fails, and would let user code break a tick half way.
    """

    def __init__(self, inst_data: Any = None) -> None:
        super().__init__(inst_data)
        self.pending: deque[str] = deque()

    def launch_run(self, context: LaunchRunContext) -> None:
        """Queues the run."""
        self.pending.append(context.dagster_run.run_id)


class SigningRunCoordinator(DefaultRunCoordinator):
    """A coordinator that signs each run with this process before it starts, so that the next one knows what is lost."""

    def submit_run(self, context: SubmitRunContext) -> DagsterRun:
        """Signs the run and launches it."""
        self._instance.add_run_tags(context.dagster_run.run_id, {DRIVEN_BY: str(os.getpid())})
        return super().submit_run(context)


def open_instance(home: Path) -> DagsterInstance:
    """The instance of a Dagster home, with runs executed by this process alone."""
    # Only this process launches runs its own way; the web server's later runs go the usual way. Capturing
    # each step's output would start four helper processes a run.
    overrides = {
        "run_launcher": {"module": __name__, "class": DeferredRunLauncher.__name__},
        "run_coordinator": {"module": __name__, "class": SigningRunCoordinator.__name__},
        "compute_logs": {
            "module": "dagster._core.storage.noop_compute_log_manager",
            "class": "NoOpComputeLogManager",
        },
    }
    return DagsterInstance.from_ref(InstanceRef.from_dir(str(home), overrides=overrides))


@contextmanager
def databases_kept() -> Iterator[None]:
    """Lets Dagster's SQLite storages keep what they know of their databases while this process drives them.

    Each of their calls makes an engine of its own, and with it compiles each statement anew; each sensor opens an instance
    of its own, and with it reads some ninety schema revisions. Together that is a quarter of the time of a daemon's step.
    Engines without a pool hold no connection, so that keeping them keeps nothing open.
    """
    before = [(storage, name, getattr(storage, name)) for storage in _SQLITE_STORAGES for name in _KEPT]
    replaced = {"create_engine": _kept_engines(), "check_alembic_revision": _kept_revisions()}
    for storage, name, _ in before:
        setattr(storage, name, replaced[name])
    try:
        yield
    finally:
        for storage, name, original in before:
            setattr(storage, name, original)


def _kept_engines() -> Callable[..., Any]:
    """SQLAlchemy's engines, one for each address."""
    engines: dict[str, Any] = {}

    def kept(address: str, **settings: Any) -> Any:
        if address not in engines:
            engines[address] = create_engine(address, **settings)
        return engines[address]

    return kept


def _kept_revisions() -> Callable[[Any, Any], Any]:
    """Dagster's look at a database's schema, once for each database whose schema is the latest."""
    latest: dict[str, tuple[str | None, str | None]] = {}

    def look(config: Any, connection: Any) -> tuple[str | None, str | None]:
        database = str(connection.engine.url)
        if database not in latest:
            found = check_alembic_revision(config, connection)
            if found[0] != found[1] or not found[0]:
                return found
            latest[database] = found
        return latest[database]

    return look


def give_up_orphans(context: WorkspaceProcessContext) -> list[str]:
    """Marks the unfinished runs of in-process daemons that are gone as failed; the ids of these runs.

    A process that was killed leaves its run STARTED for ever, and whoever waits for it would wait as long. What a sensor
    asked for, automation included, and is not all recorded, is launched again, three times in all: nobody else will,
    since the sensor's cursor has passed. What a person launched is not, since nobody wants a pointer rolled back twice.
    """
    instance = context.instance
    launcher = check.inst(instance.run_launcher, DeferredRunLauncher)
    orphans = [
        run
        for run in instance.get_runs(RunsFilter(statuses=list(IN_PROGRESS_RUN_STATUSES)), ascending=True)
        if DRIVEN_BY in run.tags and not _is_alive(int(run.tags[DRIVEN_BY]))
    ]
    for run in orphans:
        if run.run_id in launcher.pending:  # launched again just now, for the run before it
            continue
        # First launched again and then given up: a process that dies in between leaves an orphan to the next one.
        if _is_wanted(context, run) and len(instance.get_run_group(run.run_id)[1]) < _ATTEMPTS:
            instance.add_run_tags(run.run_id, {RETRY_STRATEGY_TAG: ReexecutionStrategy.ALL_STEPS.name})
            retry_run(check.not_none(instance.get_run_by_id(run.run_id)), context)
        instance.report_run_failed(run, "The process that executed this run is gone.")
    return [run.run_id for run in orphans if run.run_id not in launcher.pending]


def _is_wanted(context: WorkspaceProcessContext, run: DagsterRun) -> bool:
    """Whether a sensor asked for a run, of a code location that is open here, and it did not live to record it all."""
    origin = run.remote_job_origin
    is_known = origin is not None and origin.location_name in context.code_location_names
    return SENSOR_NAME_TAG in run.tags and is_known and not _is_done(context.instance, run)


def _is_done(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether all that a run was to make and to judge is recorded, so that it only did not live to say so."""
    kinds = {*_PLANNED, *_PLANNED.values()}
    records = instance.get_records_for_run(run.run_id, of_type=kinds).records
    counts = Counter(record.event_log_entry.get_dagster_event().event_type for record in records)
    return bool(counts) and all(counts[planned] == counts[done] for planned, done in _PLANNED.items())


def _is_alive(process: int) -> bool:
    """Whether a process of this number runs that is not this one: whatever this one drives, it has yet to begin."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def execute_beside(run: DagsterRun, home: Path, log: IO[str]) -> subprocess.Popen[bytes]:
    """A process that executes a run of the instance at `home`, and prints to a log."""
    command = [sys.executable, "-m", __name__, run.run_id]
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _execute(run_id: str) -> None:
    """Executes a run that was launched and not begun, in this process."""
    with DagsterInstance.get() as instance:
        run = check.not_none(instance.get_run_by_id(run_id))
        execute_run(recon_job_from_origin(check.not_none(run.job_code_origin)), run, instance)


def run_results(instance: DagsterInstance, ids: Sequence[str]) -> tuple[RunResult, ...]:
    """The runs with these ids; the id of a backfill stands for its runs."""
    found: list[DagsterRun] = []
    for run_id in ids:
        run = instance.get_run_by_id(run_id)
        found += [run] if run else reversed(instance.get_runs(RunsFilter.for_backfill(run_id)))
    return tuple(
        RunResult(
            run_id=run.run_id,
            job=run.job_name,
            status=run.status.value,
            partition_key=run.tags.get("dagster/partition"),
            assets=tuple(sorted(key.to_user_string() for key in run.asset_selection or ())),
            error=_failure(instance, run),
        )
        for run in found
    )


def _failure(instance: DagsterInstance, run: DagsterRun) -> str | None:
    if run.is_success:
        return None
    failures = {DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
    for record in instance.get_records_for_run(run.run_id, of_type=failures).records:
        event = record.event_log_entry.get_dagster_event()
        error = event.step_failure_data.error if event.is_step_failure else None
        return f"{event.step_key}: {root_cause(error)}" if error else event.message
    return None


def root_cause(error: SerializableErrorInfo) -> str:
    """The message of the error that began a chain, or of the first of ours, which says what to do about the rest."""
    ours = set(_names(OpsError))
    while error.cause and error.cls_name not in ours:
        error = error.cause
    return error.message.strip()


def _names(error: type[Exception]) -> Iterator[str]:
    yield error.__name__
    for narrower in error.__subclasses__():
        yield from _names(narrower)


if __name__ == "__main__":
    _execute(sys.argv[1])
