"""The project's stores as the server reads them, and its clock while the clock's file is touched."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ops_pipelines.adapters.clock import ProjectClock
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.pointer_watch import PointerWatch
from ops_pipelines.adapters.project import find_project
from ops_pipelines.apps.model_server.settings import Settings
from ops_pipelines.apps.model_server.stores import PlatformStores, WatchedClock
from ops_pipelines.core.composite import compose
from ops_pipelines.core.release import Manifest
from ops_pipelines.testing.release_store import evidence_against, move_after

MARCH = datetime(2013, 3, 12, tzinfo=UTC)


@pytest.fixture
def stores(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.ops]\nhome = "home"\n')
    platform = Platform.embedded(find_project(tmp_path))
    return PlatformStores(platform, Settings(), PointerWatch(platform.project.home / "control.db"))


def save(stores, manifest):
    stores.platform.releases.save(manifest, evidence_against(None))
    return manifest.digest


def model(system, content="a"):
    return Manifest(system, dict.fromkeys(("model", "recipe", "environment", "features"), content * 64))


def make_live(stores, digest, *, system, environment="production"):
    history = stores.platform.releases.history(system, environment)
    last = history[-1] if history else None
    stores.platform.releases.append(move_after(last, digest, system=system, environment=environment))


def test_every_model_of_which_something_is_live_is_served_and_no_composite(stores):
    used = save(stores, model("late"))
    make_live(stores, used, system="late")
    make_live(stores, save(stores, model("landed")), system="landed")
    desk = save(stores, compose("desk", {"prompt": "b" * 64}, uses={"late": used}))
    make_live(stores, desk, system="desk")
    assert list(stores.systems()) == ["landed", "late"]


def test_a_model_that_was_trained_and_never_went_live_keeps_no_other_from_being_served(stores):
    make_live(stores, save(stores, model("late")), system="late")
    make_live(stores, save(stores, model("tried")), system="tried", environment="staging")
    save(stores, model("refused"))
    assert list(stores.systems()) == ["late"]


def test_systems_that_were_asked_for_are_served_and_no_others(stores):
    save(stores, model("late"))
    asked = replace(stores, settings=Settings(systems=("late", "not_yet")))
    assert list(asked.systems()) == ["late", "not_yet"]


def test_what_live_composites_use_is_wanted_whatever_the_systems_own_pointer_names(stores):
    old, new = (save(stores, model("late", content)) for content in "ab")
    make_live(stores, new, system="late")
    desk = save(stores, compose("desk", {"prompt": "b" * 64}, uses={"late": old}))
    assert list(stores.pinned("late")) == []
    make_live(stores, desk, system="desk")
    assert (list(stores.pinned("late")), list(stores.pinned("landed"))) == ([old], [])


def test_a_composite_that_is_live_elsewhere_keeps_nothing_warm_here(stores):
    desk = save(stores, compose("desk", {"prompt": "b" * 64}, uses={"late": save(stores, model("late"))}))
    make_live(stores, desk, system="desk", environment="staging")
    assert list(stores.pinned("late")) == []


def test_what_a_composite_uses_through_another_one_is_wanted_too(stores):
    late = save(stores, model("late"))
    desk = save(stores, compose("desk", {"prompt": "b" * 64}, uses={"late": late}))
    office = save(stores, compose("office", {"prompt": "c" * 64}, uses={"desk": desk}))
    make_live(stores, office, system="office")
    assert list(stores.pinned("late")) == [late]


@pytest.fixture
def clock(tmp_path):
    return ProjectClock(tmp_path)


def test_without_a_replay_both_times_are_the_walls(clock):
    watched = WatchedClock(clock)
    assert abs(watched.as_of() - watched.wall()) < timedelta(seconds=10)


def test_a_replay_is_followed_at_the_next_look(clock):
    watched = WatchedClock(clock)
    clock.set(MARCH)
    assert watched.as_of() > MARCH + timedelta(days=365)
    watched.follow()
    assert MARCH <= watched.as_of() < MARCH + timedelta(minutes=5)


@pytest.mark.parametrize("damage", ["", "{", '{"as_of": "2013-03-12"}', "[]"])
def test_a_position_that_cannot_be_read_leaves_the_last_one_in_force(clock, tmp_path, damage):
    clock.set(MARCH)
    watched = WatchedClock(clock)
    (tmp_path / "clock.json").write_text(damage)
    watched.follow()
    assert MARCH <= watched.as_of() < MARCH + timedelta(minutes=5)
