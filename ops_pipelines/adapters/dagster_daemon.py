"""Drives Dagster's own daemon code in this process, one synchronous step at a time.

Every private Dagster API the project needs lives here, in `dagster_locations`, `dagster_requests` and `dagster_runs`.
Ticks, runs and backfills are recorded in `home` as `dagster dev` would record them; start it with DAGSTER_HOME=home
afterwards, never meanwhile.
"""

import logging
import subprocess
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, Self

from dagster import DagsterInstance, DagsterRun
from dagster import _check as check
from dagster._core.execution.api import execute_run
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.remote_representation.external import RemoteRepository, RemoteSensor
from dagster._core.utils import make_new_backfill_id
from dagster._daemon.asset_daemon import AssetDaemon
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._time import get_current_timestamp
from dagster._utils.hosted_user_process import recon_job_from_origin

from ops_pipelines.adapters.dagster_home import write_dagster_yaml
from ops_pipelines.adapters.dagster_locations import load_repositories, open_workspace
from ops_pipelines.adapters.dagster_requests import create_run, partition_of, request_backfill
from ops_pipelines.adapters.dagster_runs import (
    BackfillResult,
    DaemonError,
    DeferredRunLauncher,
    RunResult,
    TickResult,
    databases_kept,
    execute_beside,
    give_up_orphans,
    open_instance,
    root_cause,
    run_results,
)

_LOG = logging.getLogger("dagster.daemon.InProcessDaemon")
_OPEN_BACKFILLS = BulkActionsFilter(
    statuses=[BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING]
)
_MAX_BACKFILL_STEPS = 500
_MAX_SETTLING_TICKS = 20
_PATIENCE_SECONDS = 300


class InProcessDaemon:
    """A Dagster daemon that ticks when told to: `with InProcessDaemon(home, {location name: module}) as daemon`.

    Modules need a `defs` attribute holding Definitions with `executor=in_process_executor`. Whatever
    runs print goes to home/in_process_daemon.log. A run with the tag `ops/own_process` is executed by a process of its
    own, beside this one, and is waited for at the exit.
    """

    instance: DagsterInstance

    def __init__(self, home: Path, locations: Mapping[str, str]) -> None:
        self._home = Path(home).resolve()
        self._locations = dict(locations)
        self._started: list[RemoteSensor] = []
        self._beside: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        write_dagster_yaml(self._home)
        with ExitStack() as stack:
            self._log = stack.enter_context((self._home / "in_process_daemon.log").open("a", encoding="utf-8"))
            stack.enter_context(databases_kept())
            self.instance = stack.enter_context(open_instance(self._home))
            self._context = stack.enter_context(open_workspace(self.instance, self._locations))
            self._repositories = load_repositories(self._context, self._locations)
            self._asset_daemon = AssetDaemon(settings={}, pre_sensor_interval_seconds=0)
            self._asset_daemon._logger = _LOG
            stack.callback(self._close)
            self._work(lambda: give_up_orphans(self._context))
            self._resources = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    def start_sensors(self, location: str | None = None, name: str | None = None) -> None:
        """Turns on all sensors, automation sensors too, or those of one location or name, until exit."""
        found = [s for s in self._sensors() if location in (None, s.handle.location_name) and name in (None, s.name)]
        if not found:
            known = ", ".join(f"{s.handle.location_name}/{s.name}" for s in self._sensors()) or "none"
            raise DaemonError(
                f"There is no sensor {name!r} in the location {location!r}",
                expected=f"one of {known}",
                action="Check the names, or start them all",
            )
        for sensor in found:
            self.instance.start_sensor(sensor)
        self._started += found

    def stop_sensors(self) -> None:
        """Puts every sensor this daemon started back to what its code declares; cursors are kept."""
        while self._started:
            self.instance.reset_sensor(self._started.pop())

    def tick_sensors(self, *names: str) -> list[TickResult]:
        """Evaluates the running sensors of these names once, or every one, and executes the runs they ask for.

        The others wait, however long ago they looked: how fast the machine is decides nothing about a walk. Only one that
        never looked, and runs because its code says so, does so at its first chance, as in the daemon.
        """
        return self._tick(lambda: execute_sensor_iteration(self._context, _LOG, None, None), names, automation=False)

    def tick_automation(self) -> list[TickResult]:
        """Evaluates the automation conditions once and executes what they ask for.

        The first tick of a home only takes a baseline: tick once before the first data arrives. A tick right
        after one that launched runs may miss data that arrived in between: see `settle_automation`.
        """
        iterate = self._asset_daemon._run_iteration_impl
        return self._tick(lambda: iterate(self._context, None, {}, {}), (), automation=True)

    def settle_automation(self) -> list[TickResult]:
        """Ticks automation until a tick asks for nothing, so that whole chains run and new data is seen.

        The quiet last tick matters: an eager asset takes new upstream data that shares a tick with its
        own last run for data it has already used. The real daemon's pauses make such ticks by themselves.
        """
        results: list[TickResult] = []
        for _ in range(_MAX_SETTLING_TICKS):
            ticked = self.tick_automation()
            results += ticked
            if not any(result.runs for result in ticked):
                return results
        raise DaemonError(
            f"Automation still asks for runs after {_MAX_SETTLING_TICKS} ticks, the last time {ticked[-1]}",
            expected="that it comes to rest",
            action="Look for an automation condition that stays true after its asset ran",
        )

    def run_job(
        self,
        location: str,
        job_name: str,
        *,
        partition_key: str | None = None,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> RunResult:
        """Launches one run of a job as the UI's launchpad would, and executes it."""
        repository = self._repository(location)
        if not repository.has_job(job_name):
            known = ", ".join(sorted(job.name for job in repository.get_all_jobs()))
            raise DaemonError(
                f"There is no job {job_name!r} in the location {location!r}",
                expected=f"one of {known}",
                action="Check the name",
            )
        partition_tags: Mapping[str, str] = {}
        if partition_key is not None:
            partition_tags, partition_config = partition_of(self._context, repository, job_name, partition_key)
            run_config = partition_config if run_config is None else run_config
        all_tags = {**partition_tags, **(tags or {})}
        run = create_run(self._context, repository, job_name, run_config=run_config or {}, tags=all_tags)
        self._work(lambda: self.instance.submit_run(run.run_id, self._context.create_request_context()))
        return run_results(self.instance, [run.run_id])[0]

    def backfill(self, assets: Sequence[str], partition_keys: Sequence[str]) -> BackfillResult:
        """Launches an asset backfill over the partitions as the UI would, and carries it through."""
        backfill_id = make_new_backfill_id()
        self._work(lambda: request_backfill(self._context, backfill_id, assets, partition_keys))
        done = check.not_none(self.instance.get_backfill(backfill_id))
        return BackfillResult(backfill_id, done.status.value, run_results(self.instance, [backfill_id]))

    def _repository(self, location: str) -> RemoteRepository:
        if location not in self._repositories:
            known = ", ".join(self._repositories) or "none"
            raise DaemonError(
                f"There is no code location {location!r}",
                expected=f"one that this daemon was opened with: {known}",
                action="Check the name",
            )
        return self._repositories[location]

    def _sensors(self) -> list[RemoteSensor]:
        return [sensor for repository in self._repositories.values() for sensor in repository.get_sensors()]

    def _tick(self, iterate: Callable[[], object], names: Sequence[str], *, automation: bool) -> list[TickResult]:
        sensors = [s for s in self._sensors() if s.sensor_type.is_handled_by_asset_daemon is automation]
        for sensor in sensors:
            self._let_tick(sensor, now=not names or sensor.name in names)
        started = get_current_timestamp()
        self._work(iterate)
        return [result for sensor in sensors if (result := self._tick_result(sensor, started))]

    def _let_tick(self, sensor: RemoteSensor, *, now: bool) -> None:
        # The daemon skips a sensor whose last tick is younger than its minimum interval (30 s unless
        # declared otherwise), so move the remembered times; the tick itself records the real time.
        state = self.instance.get_instigator_state(sensor.get_remote_origin_id(), sensor.selector_id)
        data = state.sensor_instigator_data if state else None
        if state is None or data is None:
            return
        if now:
            due = get_current_timestamp() - float(sensor.min_interval_seconds)
            fields = ("last_tick_timestamp", "last_tick_start_timestamp")
            times = {field: min(value, due) for field in fields if (value := getattr(data, field)) is not None}
        else:
            times = {"last_tick_start_timestamp": get_current_timestamp()}
        self.instance.update_instigator_state(state.with_data(data._replace(**times)))

    def _tick_result(self, sensor: RemoteSensor, started: float) -> TickResult | None:
        ticks = self.instance.get_ticks(sensor.get_remote_origin_id(), sensor.selector_id, limit=1)
        # A resumed tick keeps its old start, hence the end time.
        if not ticks or max(ticks[0].timestamp, ticks[0].end_timestamp or 0) < started:
            return None
        tick = ticks[0]
        return TickResult(
            location=sensor.handle.location_name,
            sensor=sensor.name,
            status=tick.status.value,
            runs=run_results(self.instance, tick.run_ids),
            skip_reason=tick.skip_reason,
            error=root_cause(tick.error) if tick.error else None,
        )

    def _work(self, start: Callable[[], object]) -> None:
        """Runs one daemon step to its end: the runs it launches, and the backfills it asks for."""
        with redirect_stdout(self._log), redirect_stderr(self._log), warnings.catch_warnings():
            # Dagster's daemon calls parts of Dagster that Dagster deprecates: nothing our code could change.
            warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"dagster\.")
            _exhaust(start())
            self._execute_pending()
            for _ in range(_MAX_BACKFILL_STEPS):
                if not self.instance.get_backfills(filters=_OPEN_BACKFILLS, limit=1):
                    return
                _exhaust(execute_backfill_iteration(self._context, _LOG))
                self._execute_pending()
        raise DaemonError(
            f"A backfill is still open after {_MAX_BACKFILL_STEPS} steps",
            expected="that it ends",
            action=f"Cancel it in the UI (DAGSTER_HOME={self._home}), or start from an empty home",
        )

    def _pending(self) -> deque[str]:
        return check.inst(self.instance.run_launcher, DeferredRunLauncher).pending

    def _next_pending(self) -> DagsterRun:
        return check.not_none(self.instance.get_run_by_id(self._pending().popleft()))

    def _execute_pending(self) -> None:
        while self._pending():
            run = self._next_pending()
            if "ops/own_process" in run.tags:
                self._beside.append(execute_beside(run, self._home, self._log))
                continue
            try:
                execute_run(recon_job_from_origin(check.not_none(run.job_code_origin)), run, self.instance)
            except Exception as error:  # a failing step does not raise; this run could not even start
                _LOG.exception("run %s of %s could not be executed", run.run_id, run.job_name)
                if not check.not_none(self.instance.get_run_by_id(run.run_id)).is_finished:
                    self.instance.report_run_failed(run, f"{type(error).__name__}: {error}")

    def _close(self) -> None:
        self.stop_sensors()
        for child in self._beside:
            child.wait(_PATIENCE_SECONDS)
        while self._pending():  # only after an interrupt: a run nobody will execute must not look alive
            self.instance.report_run_failed(self._next_pending(), "The daemon was closed before it executed this run.")


def _exhaust(step: object) -> None:
    # Some of the daemon's steps are generators, which only work while they are read.
    if isinstance(step, Iterator):
        deque(step, maxlen=0)
