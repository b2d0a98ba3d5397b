"""What waits for people: told once, shown while it waits, and asked for by the sensor."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from ops_pipelines.adapters.notifier import Notifier
from ops_pipelines.adapters.project import find_project
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.components.approvals import APPROVALS, NOTHING_WAITS, TOLD, approvals_defs, make_approvals
from ops_pipelines.core.verdict import Blocked, Passed
from ops_pipelines.testing.clock import FixedClock

from .agent_project import Desk, failed_checks

pytestmark = pytest.mark.filterwarnings("ignore::dagster.PreviewWarning")  # a check of one partition is in preview

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Iterator[Desk]:
    for name in ("OPS_HOME", "OPS_NOTIFY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield Desk.at(tmp_path).later(FixedClock(NOON)).released()
    find_project.cache_clear()


def told(desk: Desk, notifier: Notifier | None = None):
    product = make_approvals(desk.platform, notifier or Notifier())
    desk.keep(APPROVALS, product)
    return product


def asked(desk: Desk) -> list[str | None]:
    with dg.build_sensor_context(resources={"platform": desk.platform}) as context:
        return [request.run_key for request in sensor().evaluate_tick(context).run_requests or []]


def sensor() -> dg.SensorDefinition:
    (found,) = (one for one in approvals_defs().sensors if one.name == APPROVALS)
    return found


def test_people_are_told_once_of_what_waits_with_the_command_that_answers_it(desk, capsys):
    approval = desk.ran(granted=None).waits["approval"]
    first = told(desk)
    out = capsys.readouterr().out
    assert "refund waits for a yes" in out
    assert f"until 2026-03-02 13:00 UTC: ops agent approve {approval[:12]}, or ops agent deny {approval[:12]}" in out
    assert isinstance(first.findings[NOTHING_WAITS], Blocked)
    told(desk)
    assert capsys.readouterr().out == ""


def test_once_it_is_answered_nothing_waits(desk):
    waiting = desk.ran(granted=None)
    told(desk)
    desk.answer(waiting)
    assert isinstance(told(desk).findings[NOTHING_WAITS], Passed)


def test_people_are_told_that_a_yes_came_too_late_once_and_not_for_ever(desk, capsys):
    desk.ran(granted=None)
    told(desk)
    capsys.readouterr()
    later = desk.later(FixedClock(NOON + timedelta(hours=2)))
    assert isinstance(told(later).findings[NOTHING_WAITS], Passed)
    assert "refund was not approved in time" in capsys.readouterr().out
    assert told(desk.later(FixedClock(NOON + timedelta(days=30)))).facts["told"] == {}


def test_an_effect_of_which_nobody_knows_waits_for_a_person(desk, capsys):
    intent = Intent("k", "note", '{"order":"A17"}', "r1", "r")
    desk.platform.effects.start(intent, at=NOON, until=NOON + timedelta(minutes=1))
    assert isinstance(told(desk).findings[NOTHING_WAITS], Passed)
    later = desk.later(FixedClock(NOON + timedelta(minutes=2)))
    assert isinstance(told(later).findings[NOTHING_WAITS], Blocked)
    assert "Nobody knows whether note was done" in capsys.readouterr().out


def test_people_are_told_of_no_secret(desk, capsys):
    intent = Intent("k", "note", '{"password":"hunter2"}', "r1", "r")
    desk.platform.effects.start(intent, at=NOON - timedelta(hours=1), until=NOON)
    rows = told(desk).table.to_pylist()
    assert "hunter2" not in capsys.readouterr().out
    assert "[redacted value" in rows[0]["arguments"]


def test_whoever_could_not_be_told_is_told_again(desk, capsys):
    desk.ran(granted=None)
    lost = told(desk, Notifier(("nowhere://",)))
    assert isinstance(lost.verdict, Blocked)
    assert isinstance(told(desk).verdict, Passed)
    assert "refund waits" in capsys.readouterr().out


def test_the_sensor_asks_once_for_what_changed_and_again_an_hour_after_nobody_was_told(desk):
    assert asked(desk) == []
    waiting = desk.ran(granted=None)
    first = asked(desk)
    assert (len(first), asked(desk)) == (1, first)
    told(desk, Notifier(("nowhere://",)))
    within = asked(desk)
    assert asked(desk.later(FixedClock(NOON + timedelta(minutes=59)))) == within
    assert asked(desk.later(FixedClock(NOON + timedelta(minutes=61)))) not in (within, first)
    told(desk)
    assert asked(desk) == []
    desk.answer(waiting)
    assert len(asked(desk)) == 1


def test_the_sensor_is_stopped_on_a_fresh_clone(monkeypatch):
    monkeypatch.delenv("OPS_AUTOMATION", raising=False)
    assert sensor().default_status == dg.DefaultSensorStatus.STOPPED
    monkeypatch.setenv("OPS_AUTOMATION", "on")
    assert sensor().default_status == dg.DefaultSensorStatus.RUNNING


@pytest.mark.long
def test_the_asset_warns_in_dagster_while_something_waits_and_holds_nothing_back(desk):
    desk.ran(granted=None)
    result = desk.made(APPROVALS)
    assert (result.success, set(failed_checks(result))) == (True, {NOTHING_WAITS})
    checks = {one.check_name: one.severity for one in result.get_asset_check_evaluations()}
    assert checks == {NOTHING_WAITS: dg.AssetCheckSeverity.WARN, TOLD: dg.AssetCheckSeverity.ERROR}
