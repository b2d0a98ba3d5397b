"""Runs of a home that go on by themselves: answered or killed, once, and not for ever."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.adapters.access import TOKEN, new_token
from ops_pipelines.adapters.agents import live_agent
from ops_pipelines.adapters.going_on import go_on, go_on_with_all, open_runs, stuck_runs
from ops_pipelines.adapters.objects import ObjectStore
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.adapters.run_lock import is_held, run_held
from ops_pipelines.agentops.approval import Answer
from ops_pipelines.agentops.effects import Intent
from ops_pipelines.agentops.going_on import FOR_A_PERSON, GOES_ON, MOST_TRIES, NOT_YET, PAUSE
from ops_pipelines.agentops.run_state import DONE, WAITING
from ops_pipelines.core.errors import DataError, NotAllowed
from ops_pipelines.core.principal import Grant, add, token_digest
from ops_pipelines.testing.clock import FixedClock
from ops_pipelines.testing.open_agents import Desk, agent_at, answer_all
from ops_pipelines.testing.refund_agent import paid, refund_agent, released

TASK = {"order": "A17"}


class Died(BaseException):
    """A process that ends here."""


@pytest.fixture
def platform(empty_project):
    platform = Platform.embedded(find_project(empty_project))
    released(platform, refund_agent())
    return platform


def home(platform):
    return platform.project.home


def later(platform, **span):
    return replace(platform, clock=FixedClock(platform.clock.wall() + timedelta(**span)))


def asked(platform, *, granted=None):
    """A run that waits, answered or not."""
    ran = live_agent(platform, "refunds").start(TASK)
    if granted is not None:
        platform.approvals.answer(ran.waits["approval"], Answer("ben", granted, platform.clock.wall()))
    return ran.run


def killed(platform, run="d" * 32):
    """A run whose process died at its first call."""
    with pytest.raises(Died):
        dying(platform).start(TASK, run=run)
    return run


def outcomes(platform):
    return [one.outcome for one in open_runs(platform)]


@pytest.mark.parametrize(("granted", "effects"), [(True, 2), (False, 0)])
def test_a_run_that_was_answered_goes_on_under_its_id_and_once(platform, granted, effects):
    run = asked(platform, granted=granted)
    assert outcomes(platform) == [GOES_ON]
    (went,) = go_on_with_all(platform)
    assert (went.ran.run, went.ran.state, len(paid(home(platform)))) == (run, DONE, effects)
    assert (outcomes(platform), list(go_on_with_all(platform)), go_on(platform, run).ran) == ([], [], None)


def test_a_run_that_nobody_answered_stays_where_it_is(platform):
    run = asked(platform)
    assert go_on(platform, run).judged.outcome == NOT_YET
    assert (len(platform.runs.steps(run)), outcomes(platform)) == (3, [NOT_YET])


def test_a_run_that_was_killed_goes_on_once_it_was_quiet_for_a_while_and_nobody_has_it(platform):
    run = killed(platform)
    assert outcomes(platform) == [NOT_YET]
    quiet = later(platform, minutes=3)
    with run_held(home(platform), run):
        assert outcomes(quiet) == [NOT_YET]
        assert go_on(quiet, run).ran is None
    assert go_on(quiet, run).ran.state == WAITING
    assert outcomes(quiet) == [NOT_YET]


def test_a_killed_run_with_an_effect_of_which_nobody_knows_waits_for_a_person(platform):
    run, now = killed(platform), platform.clock.wall()
    platform.effects.start(Intent(f"{run}/k", "refund", "{}", f"{run}/child", "r"), at=now, until=now)
    (stuck,) = stuck_runs(later(platform, minutes=3))
    assert "nobody knows whether refund was done" in stuck.why
    assert [went.ran for went in go_on_with_all(later(platform, minutes=3))] == [None]


def dying(platform):
    """The agent with a program that ends its process each time."""

    def dies(session):
        raise Died

    return replace(live_agent(platform, "refunds"), program=dies)


def without_its_parts(platform):
    """The platform of a machine on which the release cannot be opened."""
    return replace(platform, objects=ObjectStore(home(platform) / "elsewhere"))


def test_a_run_that_ends_its_process_each_time_goes_on_twice_and_then_waits_for_a_person(platform):
    run = killed(platform)
    for hours in (1, 2):
        then = later(platform, hours=hours)
        assert outcomes(then) == [GOES_ON]
        with pytest.raises(Died):
            dying(then).resume(run)
    assert outcomes(later(platform, hours=3)) == [FOR_A_PERSON]


def test_what_is_in_the_way_is_tried_again_after_a_while_and_then_told_to_people(platform):
    run, at = asked(platform, granted=False), platform
    for number in range(1, MOST_TRIES):
        went = go_on(without_its_parts(at), run)
        assert "elsewhere" in str(went.error)
        assert go_on(at, run).judged.outcome == NOT_YET
        at = later(at, seconds=number * PAUSE.total_seconds() + 1)
    go_on(without_its_parts(at), run)
    (stuck,) = stuck_runs(later(at, days=1))
    assert "tried 3 times" in stuck.why
    assert "elsewhere" in stuck.why
    assert live_agent(at, "refunds").resume(run).state == DONE


def test_a_token_that_may_not_go_on_with_a_run_takes_none_of_its_tries(platform, monkeypatch):
    run, token = asked(platform, granted=True), new_token()
    grants, now = [Grant("admin"), Grant("proposer")], platform.clock.wall()
    platform.principals.register(add({}, "ben", grants, digest=token_digest(token), by="ben", at=now))
    for _ in range(MOST_TRIES):
        assert isinstance(go_on(platform, run).error, NotAllowed)
    monkeypatch.setenv(TOKEN, token)
    assert go_on(platform, run).ran.state == DONE


def test_whoever_dies_while_it_is_tried_has_tried(platform):
    class Dying:
        def get(self, digest):
            raise Died

    run = asked(platform, granted=True)
    with pytest.raises(Died):
        go_on(replace(platform, objects=Dying()), run)
    assert "is tried again at" in go_on(platform, run).judged.why
    assert outcomes(later(platform, minutes=11)) == [GOES_ON]


def test_a_run_that_no_release_of_ours_made_is_left_alone(platform):
    clerk = agent_at(platform, Desk(), lambda session: session.tool("pay", order="A17", amount_cents=1).to_json())
    run = clerk.start(TASK).run
    answer_all(clerk)
    assert (outcomes(platform), go_on(platform, run).ran) == ([], None)
    with pytest.raises(DataError, match="no run"):
        go_on(platform, "f" * 32)


def test_to_look_whether_a_run_is_held_leaves_nothing_behind(tmp_path):
    assert not is_held(tmp_path, "a")
    assert not (tmp_path / "running").exists()
    with run_held(tmp_path, "a"):
        assert is_held(tmp_path, "a")
    assert not is_held(tmp_path, "a")
