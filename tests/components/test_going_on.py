"""The sensor and the job by which runs go on by themselves."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.going_on import go_on
from ops_pipelines.adapters.notifier import Notifier
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.components.approvals import make_approvals
from ops_pipelines.components.going_on import GO_ON, going_on_defs
from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.testing.clock import FixedClock
from ops_pipelines.testing.refund_agent import paid

from .agent_project import Desk

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def desk(empty_project, monkeypatch) -> Iterator[Desk]:
    for name in ("OPS_HOME", "OPS_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    yield Desk.at(empty_project).later(FixedClock(NOON)).released()
    find_project.cache_clear()


def answered(desk: Desk, *, granted: bool = True) -> str:
    """A run that waited, and that somebody has answered, which nobody has gone on with."""
    ran = desk.ran(granted=None)
    desk.platform.approvals.answer(ran.waits["approval"], Answer("ben", granted, NOON))
    return ran.run


def tick(desk: Desk) -> dg.SensorResult:
    (sensor,) = going_on_defs().sensors
    with dg.build_sensor_context(resources={"platform": desk.platform}) as context:
        return sensor(context)


def asked(desk: Desk) -> list[str | None]:
    return [request.run_key for request in tick(desk).run_requests or []]


def gone_on(desk: Desk, run: str) -> dg.ExecuteInProcessResult:
    job = desk.defs().get_job_def(GO_ON)
    config = {"ops": {"go_on_with_a_run": {"config": {"run": run}}}}
    return job.execute_in_process(config, raise_on_error=False)


def done(desk: Desk) -> list[str]:
    return [next(iter(one)) for one in paid(desk.platform.project.home)]


def test_the_sensor_asks_once_for_an_answer_whatever_was_said(desk):
    desk.ran(granted=None)
    runs = [answered(desk), answered(desk, granted=False)]
    first = asked(desk)
    assert (first, {key.split(":")[0] for key in first}) == (asked(desk), set(runs))
    for run in runs:
        go_on(desk.platform, run)
    assert "of 1 runs that have not ended none goes on now" in tick(desk).skip_reason.skip_message


def test_two_ticks_and_a_person_at_the_same_moment_make_the_effect_happen_once(desk):
    run, together = answered(desk), threading.Barrier(3)
    wanted = [
        request.run_config["ops"]["go_on_with_a_run"]["config"]["run"]
        for _ in range(2)
        for request in tick(desk).run_requests
    ]

    def person() -> None:
        together.wait()
        with suppress(NotAllowed):
            live_agent(desk.platform, "refunds").resume(run)

    def job(wanted: str) -> None:
        together.wait()
        go_on(desk.platform, wanted)

    with ThreadPoolExecutor(3) as pool:
        for started in [pool.submit(person), *(pool.submit(job, one) for one in wanted)]:
            started.result()
    assert (wanted, done(desk)) == ([run, run], ["refund", "note"])


def test_what_is_stuck_is_told_to_people_with_what_to_do(desk, capsys):
    run = answered(desk)
    desk.platform.effects.start(Intent(f"{run}/k", "note", "{}", run, "r"), at=NOON, until=NOON)
    with pytest.raises(KeyboardInterrupt):
        cut_off(desk, run)
    later = desk.later(FixedClock(NOON + timedelta(hours=1)))
    make_approvals(later.platform, Notifier())
    out = capsys.readouterr().out
    assert "A run of refunds does not go on by itself" in out
    assert f"ops agent resume {run[:12]}" in out


def cut_off(desk: Desk, run: str) -> None:
    """Somebody goes on with a run, and their process dies."""

    def dies(session):
        raise KeyboardInterrupt

    replace(live_agent(desk.platform, "refunds"), program=dies).resume(run)


def test_the_sensor_is_stopped_on_a_fresh_clone(monkeypatch):
    monkeypatch.delenv("OPS_AUTOMATION", raising=False)
    (sensor,) = going_on_defs().sensors
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv("OPS_AUTOMATION", "on")
    (sensor,) = going_on_defs().sensors
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview
def test_the_job_goes_on_with_a_run_to_its_end_and_a_second_one_finds_nothing_to_do(desk):
    run = answered(desk)
    assert [gone_on(desk, run).success for _ in range(2)] == [True, True]
    assert done(desk) == ["refund", "note"]
