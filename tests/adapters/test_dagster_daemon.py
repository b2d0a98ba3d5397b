import asyncio
import os
import shutil
from pathlib import Path

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.schema import create_schema

from ops_pipelines.adapters.dagster_daemon import InProcessDaemon
from ops_pipelines.adapters.dagster_home import write_dagster_yaml
from ops_pipelines.adapters.dagster_runs import DRIVEN_BY, DaemonError, DeferredRunLauncher

AUTOMATION = "default_automation_condition_sensor"
SHOP = """
import asyncio
import dagster as dg

@dg.asset
def sales() -> None: ...

@dg.asset(deps=[sales], automation_condition=dg.AutomationCondition.eager())
def report() -> None:
    asyncio.run(asyncio.sleep(0))  # what an asset that calls an agent does

@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["mon", "tue", "wed"]))
def day() -> None: ...

@dg.op
def explode():
    raise ValueError("the till is empty")

@dg.job
def failing_job():
    explode()

sales_job = dg.define_asset_job("sales_job", [sales])
day_job = dg.define_asset_job("day_job", [day])
heavy_job = dg.define_asset_job("heavy_job", [sales], tags={"ops/own_process": "true"})

@dg.sensor(job=sales_job)
def arrivals(context):
    seen = int(context.cursor or 0)
    context.update_cursor(str(seen + 1))
    return dg.RunRequest(run_key=str(seen))

@dg.sensor(job=failing_job)
def trouble(context):
    return dg.RunRequest()

@dg.sensor(job=sales_job, default_status=dg.DefaultSensorStatus.RUNNING)
def idle(context):
    return dg.SkipReason("nothing new")

@dg.sensor(job=sales_job)
def broken(context):
    raise KeyError("no such shelf")

defs = dg.Definitions(
    assets=[sales, report, day],
    jobs=[sales_job, day_job, heavy_job, failing_job],
    sensors=[arrivals, trouble, idle, broken],
    executor=dg.in_process_executor,
)
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    (folder / "shop_definitions.py").write_text(SHOP)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield folder


@pytest.fixture(scope="module")
def empty_home(code, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with InProcessDaemon(home, {"shop": "shop_definitions"}):
        return home


@pytest.fixture
def home(empty_home, tmp_path):
    # making the databases takes longer than a test
    return shutil.copytree(empty_home, tmp_path / "home")


@pytest.fixture
def daemon(home):
    with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
        yield daemon


def test_the_settings_are_written_once(tmp_path):
    write_dagster_yaml(tmp_path)
    before = (tmp_path / "dagster.yaml").stat()
    write_dagster_yaml(tmp_path)
    assert (tmp_path / "dagster.yaml").stat() == before
    assert [path.name for path in tmp_path.iterdir()] == ["dagster.yaml"]


def test_any_dagster_process_reads_the_settings(home):
    write_dagster_yaml(home)
    with DagsterInstance.from_config(str(home)) as instance:
        assert not instance.telemetry_enabled
        assert not instance.nux_enabled
        assert instance.event_log_storage.get_db_path() == str(home / "events" / "event_log.db")
        assert isinstance(instance.event_log_storage, ConsolidatedSqliteEventLogStorage)
        assert not isinstance(instance.run_launcher, DeferredRunLauncher)


def test_a_sensor_tick_launches_its_run_and_is_recorded(daemon):
    daemon.start_sensors("shop", "arrivals")
    ticks = [tick for _ in range(2) for tick in daemon.tick_sensors() if tick.sensor == "arrivals"]
    assert [(tick.location, tick.status) for tick in ticks] == [("shop", "SUCCESS")] * 2
    assert [run.status for tick in ticks for run in tick.runs] == ["SUCCESS"] * 2
    run = daemon.instance.get_run_by_id(ticks[0].runs[0].run_id)
    assert run.job_name == "sales_job"
    assert run.tags["dagster/sensor_name"] == "arrivals"
    assert run.remote_job_origin.location_name == "shop"


def test_a_tick_without_work_says_why(daemon):
    (tick,) = daemon.tick_sensors()
    assert (tick.sensor, tick.status, tick.skip_reason, tick.runs) == ("idle", "SKIPPED", "nothing new", ())


def test_eager_assets_follow_in_the_same_process(daemon):
    daemon.start_sensors("shop", AUTOMATION)
    (baseline,) = daemon.tick_automation()
    assert baseline.status == "SKIPPED"
    daemon.run_job("shop", "sales_job")
    (tick,) = daemon.tick_automation()
    assert [(run.assets, run.status, run.error) for run in tick.runs] == [(("report",), "SUCCESS", None)]


def test_settled_automation_follows_every_arrival(daemon):
    daemon.start_sensors("shop", AUTOMATION)
    daemon.tick_automation()
    for _ in range(2):
        daemon.run_job("shop", "sales_job")
        runs = [run for tick in daemon.settle_automation() for run in tick.runs]
        assert [run.assets for run in runs] == [("report",)]


def test_a_failed_run_is_reported_and_the_next_tick_still_works(daemon):
    daemon.start_sensors("shop", "trouble")
    for _ in range(2):
        (run,) = next(tick for tick in daemon.tick_sensors() if tick.sensor == "trouble").runs
        assert (run.status, run.error) == ("FAILURE", "explode: ValueError: the till is empty")


def test_a_sensor_that_raises_is_reported_and_the_others_still_tick(daemon):
    daemon.start_sensors("shop", "broken")
    ticks = {tick.sensor: tick for tick in daemon.tick_sensors()}
    assert ticks["broken"].status == "FAILURE"
    assert "no such shelf" in ticks["broken"].error
    assert ticks["idle"].status == "SKIPPED"


def test_a_run_that_cannot_start_is_reported(daemon, monkeypatch):
    def refuse(*args):
        raise OSError("no room left")

    monkeypatch.setattr("ops_pipelines.adapters.dagster_daemon.execute_run", refuse)
    run = daemon.run_job("shop", "sales_job")
    assert (run.status, run.error) == ("FAILURE", "OSError: no room left")


def test_a_job_runs_for_one_partition(daemon):
    run = daemon.run_job("shop", "day_job", partition_key="tue", tags={"week": "27"})
    assert (run.status, run.partition_key) == ("SUCCESS", "tue")
    assert daemon.instance.get_run_by_id(run.run_id).tags["week"] == "27"


def test_a_backfill_runs_its_partitions_and_is_recorded(daemon):
    backfill = daemon.backfill(["day"], ["mon", "wed"])
    assert backfill.status == "COMPLETED_SUCCESS"
    assert [(run.partition_key, run.status) for run in backfill.runs] == [("mon", "SUCCESS"), ("wed", "SUCCESS")]
    assert daemon.instance.get_backfill(backfill.backfill_id).is_asset_backfill


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda daemon: daemon.run_job("shed", "sales_job"), r"'shed'.*opened with: shop"),
        (lambda daemon: daemon.run_job("shop", "tax_job"), r"'tax_job'.*day_job, failing_job, heavy_job, sales_job"),
        (
            lambda daemon: daemon.run_job("shop", "day_job", partition_key="sun"),
            r"'day_job' of 'shop' has no partition 'sun'",
        ),
        (
            lambda daemon: daemon.run_job("shop", "sales_job", partition_key="mon"),
            r"'sales_job' of 'shop' has no partition 'mon'",
        ),
        (lambda daemon: daemon.start_sensors("shop", "doorbell"), r"'doorbell'.*shop/arrivals"),
        (lambda daemon: daemon.backfill(["week"], ["mon"]), r"'week'.*shop"),
    ],
)
def test_asking_for_what_does_not_exist_says_what_does(daemon, ask, answer):
    with pytest.raises(DaemonError, match=answer):
        ask(daemon)


def test_a_location_that_does_not_load_is_named_with_its_cause(home, code):
    (code / "leaking_definitions.py").write_text("raise ValueError('a leak')")
    with (
        pytest.raises(DaemonError, match=r"(?s)'pipes'.*a leak.*'leaking_definitions'.*python -c"),
        InProcessDaemon(home, {"shop": "shop_definitions", "pipes": "leaking_definitions"}),
    ):
        pass


def test_a_location_whose_jobs_start_processes_is_refused(home, code):
    (code / "forking_definitions.py").write_text(SHOP.replace("executor=dg.in_process_executor,", ""))
    with (
        pytest.raises(DaemonError, match=r"'forking_definitions'.*in_process_executor"),
        InProcessDaemon(home, {"forks": "forking_definitions"}),
    ):
        pass


def test_a_second_daemon_goes_on_where_the_first_stopped(home):
    for expected in ("1", "2"):
        with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
            daemon.start_sensors("shop", "arrivals")
            assert any(tick.runs for tick in daemon.tick_sensors())
            states = {state.name: state for state in daemon.instance.all_instigator_state()}
            assert states["arrivals"].instigator_data.cursor == expected


def test_ticks_and_runs_are_listed_by_the_web_servers_own_queries(home, code):
    with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
        daemon.start_sensors("shop", "arrivals")
        run_ids = [run.run_id for tick in daemon.tick_sensors() for run in tick.runs]
        backfill = daemon.backfill(["day"], ["mon"])
        own_origin = daemon.instance.get_run_by_id(run_ids[0]).remote_job_origin
    # As from a workspace.yaml: the name is the same, the origin (and its id) is not, for it knows the machine.
    target = LoadableTargetOrigin(module_name="shop_definitions", working_directory=str(code))
    origin = InProcessCodeLocationOrigin(target, location_name="shop")
    assert origin.get_id() != own_origin.repository_origin.code_location_origin.get_id()
    seen = ask_the_web_server(home, origin)
    assert seen["arrivals"]["sensorState"]["status"] == "STOPPED"
    assert seen["idle"]["sensorState"]["status"] == "RUNNING"
    assert [tick["runIds"] for tick in seen["arrivals"]["sensorState"]["ticks"]] == [run_ids]
    (job,) = (job for job in seen["repositoryOrError"]["pipelines"] if job["name"] == "sales_job")
    assert [run["id"] for run in job["runs"]] == run_ids
    assert job["runs"][0]["repositoryOrigin"]["repositoryLocationName"] == "shop"
    assert [found["id"] for found in seen["partitionBackfillsOrError"]["results"]] == [backfill.backfill_id]


def ask_the_web_server(home: Path, origin: InProcessCodeLocationOrigin) -> dict:
    repository = 'repositoryLocationName: "shop", repositoryName: "__repository__"'
    sensor = "... on Sensor { sensorState { status ticks { runIds } } }"
    query = f"""{{
      arrivals: sensorOrError(sensorSelector: {{{repository}, sensorName: "arrivals"}}) {{ {sensor} }}
      idle: sensorOrError(sensorSelector: {{{repository}, sensorName: "idle"}}) {{ {sensor} }}
      repositoryOrError(repositorySelector: {{{repository}}}) {{
        ... on Repository {{ pipelines {{ name runs {{ id repositoryOrigin {{ repositoryLocationName }} }} }} }}
      }}
      partitionBackfillsOrError {{ ... on PartitionBackfills {{ results {{ id }} }} }}
    }}"""
    with (
        DagsterInstance.from_config(str(home)) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget([origin])) as context,
        context.create_request_context() as request,
    ):
        result = asyncio.run(create_schema().execute_async(query, context_value=request))
    assert not result.errors
    return result.data


def test_only_the_sensors_that_are_named_tick_however_long_ago_the_others_did(daemon):
    daemon.start_sensors("shop", "arrivals")
    daemon.tick_sensors()
    for state in daemon.instance.all_instigator_state():
        if data := state.sensor_instigator_data:
            long_ago = data._replace(last_tick_timestamp=1.0, last_tick_start_timestamp=1.0)
            daemon.instance.update_instigator_state(state.with_data(long_ago))
    assert [tick.sensor for tick in daemon.tick_sensors("arrivals")] == ["arrivals"]
    assert [tick.sensor for tick in daemon.tick_sensors("idle")] == ["idle"]


def test_a_run_in_a_process_of_its_own_goes_on_beside_and_is_waited_for_at_the_end(home, code, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(code))
    with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
        launched = daemon.run_job("shop", "heavy_job")
        assert launched.status != "SUCCESS"
    with DagsterInstance.from_config(str(home)) as instance:
        assert instance.get_run_by_id(launched.run_id).is_success


def test_what_a_dead_process_left_running_is_given_up_and_what_a_living_one_runs_is_not(home):
    dead, living = str(2**22 + 1), str(os.getppid())  # above every number that Linux gives
    with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
        runs = {process: daemon.run_job("shop", "sales_job").run_id for process in (dead, living)}
        for process, run_id in runs.items():
            daemon.instance.add_run_tags(run_id, {DRIVEN_BY: process})
            run = daemon.instance.get_run_by_id(run_id)
            daemon.instance.run_storage.handle_run_event(run_id, started(run))
    with InProcessDaemon(home, {"shop": "shop_definitions"}) as daemon:
        statuses = {process: daemon.instance.get_run_by_id(run_id).status.value for process, run_id in runs.items()}
    assert statuses == {dead: "FAILURE", living: "STARTED"}


def started(run):
    """The event by which a run that was executed looks as if it had just begun."""
    return DagsterEvent(DagsterEventType.RUN_START.value, run.job_name)


def test_the_storages_keep_their_engines_while_the_daemon_is_open_and_not_longer(home):
    original = consolidated_sqlite_event_log.create_engine
    with InProcessDaemon(home, {"shop": "shop_definitions"}):
        kept = consolidated_sqlite_event_log.create_engine
        assert kept("sqlite://") is kept("sqlite://")
    assert consolidated_sqlite_event_log.create_engine is original
