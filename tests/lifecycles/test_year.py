"""A model through its weeks: judged, found bad, trained again, shipped; and everything that must not happen twice.

The trips of a made-up town are late when it is windy, until the week of 5 February turns that around. The weeks are
walked once; each test goes on from a copy of the home as it was at some point, by the rules that it is about.
"""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.cli.demo_daemon import RealDaemon
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.admission import Ruling
from ops_pipelines.mlops.retraining import Request

from .town_year import (
    MODEL,
    RETRAIN,
    SCORE,
    SENSORS,
    W3,
    W4,
    W5,
    W6,
    W7,
    WATCH,
    at,
    end_of,
    project_root,
    story,
)

__all__ = ["at", "project_root", "story"]  # fixtures
KEY = f"performance/{W6}"


def test_two_bad_weeks_of_three_open_one_episode_that_one_run_answers(story, at):
    with at("it is closed") as town:
        assert isinstance(town.finding("performance", W4), Passed)
        assert [type(town.finding("performance", week)) for week in (W5, W6)] == [Blocked, Blocked]
        assert (town.told(W4), town.told(W5), town.told(W6)) == ([], [], [("performance", W6, None)])
        (episode,) = town.episodes(W7)
        assert episode.key.endswith(KEY)
        assert town.answers() == [(episode.key, "SUCCESS")]
        assert [run.job for run in story.seen["answer"].runs] == [f"train_{MODEL}"]
        assert story.seen["after"].runs == ()
        assert (episode.trained, episode.outcome) == (W6, "promoted")
        assert (episode.closed, episode.because) == (W7, "its challenger was promoted")
        first, second = town.moves()
        assert town.made("release", W6).facts["release"] == second.release
        assert second.actor.startswith("run ")
        scored = {week: town.made("predictions", week).facts["release"] for week in (W4, W5, W6, W7)}
        assert scored == {W4: first.release, W5: first.release, W6: first.release, W7: second.release}
        before = town.made("performance", W7).facts["before"]
        assert before["release"] == first.release
        assert before["low"] > 0.5
        assert isinstance(town.finding("performance", W7), Passed)


@pytest.mark.long
def test_with_patience_a_week_is_judged_one_week_later_with_the_labels_that_came_late(at):
    with at("after a good week", "patient") as town:
        judged = town.made("performance", W4).facts
        assert (judged["coverage"], judged["as_of"]) == (pytest.approx(139 / 150), end_of(W4).isoformat())
        town.live_through(W5)
        judged = town.made("performance", W4).facts
        assert (judged["coverage"], judged["as_of"]) == (1, end_of(W5).isoformat())
        assert town.made("performance", W5) is None
        assert f"{MODEL}/performance@{W4}" in town.made("episodes", W5).inputs


@pytest.mark.parametrize(
    ("special", "why"),
    [
        pytest.param({"copies": 2}, "150 keys of 'trip_ends' occur more than once", id="twice"),
        pytest.param({"labelled": 0}, "dataset 'trip_ends' has no rows", id="none", marks=pytest.mark.long),
        pytest.param({"labelled": 0.5}, "of the scored rows, under the floor of 70%", id="few"),
    ],
)
def test_a_week_whose_labels_cannot_be_judged_flags_nothing_and_says_why(at, special, why):
    with at("before the second bad week is scored") as town:
        town.deliver(W6, **special)
        town.tick(SCORE)
        finding = town.finding("performance", W6)
        assert isinstance(finding, NotEvaluated)
        assert why in finding.why
        town.watch()
        assert town.retrain().runs == ()
        assert town.rows() == ()
        assert town.made("episodes", W6) is None or town.told(W6) == []


def test_a_week_whose_labels_a_person_excluded_is_not_judged_and_says_who_did_it(at):
    with at("before the second bad week is scored") as town:
        town.deliver(W6, copies=2)
        refused = town.platform.lake.latest("trip_ends", W6)
        ruling = Ruling("exclude", refused.digest, "ann", "delivered twice", town.platform.clock.wall())
        town.platform.lake.decide("trip_ends", W6, ruling.to_json())
        town.tick(SCORE)
        assert town.finding("performance", W6).why == f"trip_ends@{W6} was excluded by ann: delivered twice"
        town.watch()
        assert town.retrain().runs == ()


@pytest.mark.long
def test_a_week_that_cannot_be_judged_is_not_quiet_and_one_that_can_ends_the_episode(at):
    with at("before the second bad week is scored", "hasty", without=RETRAIN) as town:
        town.daemon.run_job("town", WATCH, partition_key=W5)
        assert town.told(W5) == [("performance", W5, None)]
        town.deliver(W6, labelled=0.5)
        town.tick(SCORE)
        assert isinstance(town.finding("performance", W6), NotEvaluated)
        assert town.told(W6) == [("performance", W5, None)]
        town.deliver(W6, labelled=1, turned=False)
        assert town.watch() == [(W6, "SUCCESS")]
        assert town.told(W6) == [("performance", W5, "1 quiet weeks in a row")]


@pytest.mark.parametrize("week", [W5, W6])
def test_corrected_labels_change_the_verdict_of_a_week_and_not_what_was_answered(at, week):
    with at("it is closed") as town:
        told, moves, answers = town.told(W7), town.moves(), town.answers()
        before = town.finding("performance", week)
        assert town.deliver(week, turned=False).status == "SUCCESS"
        assert (week, "SUCCESS") in town.watch()
        after = town.finding("performance", week)
        assert (type(before), type(after)) == (Blocked, Passed)
        assert town.retrain().runs == ()
        assert (town.told(W7), town.moves(), town.answers()) == (told, moves, answers)


def test_what_was_judged_made_again_by_hand_is_the_same_and_launches_nothing(at):
    with at("it is answered") as town:
        parts = ("performance", "drift", "episodes")
        before = {part: town.made(part, W6) for part in parts}
        done = town.daemon.backfill([f"{MODEL}/{part}" for part in parts], [W6])
        assert done.status == "COMPLETED_SUCCESS"
        for part in parts:
            again = town.made(part, W6)
            assert (again.digest, again.findings) == (before[part].digest, before[part].findings)
            assert again.origin.run_id != before[part].origin.run_id
        assert town.watch() == []
        assert town.retrain().runs == ()
        assert len(town.answers()) == 1


def test_sensors_that_start_again_and_forget_their_cursors_do_nothing_twice(at):
    with at("it is closed") as town:
        answers, rows, moves = town.answers(), town.rows(), town.moves()
        assert set(town.forget_cursors()) == set(SENSORS)
        for _ in range(2):
            town.tick()
            town.daemon.tick_automation()
        assert (town.answers(), town.rows(), town.moves()) == (answers, rows, moves)


def test_a_run_that_dies_is_asked_for_three_times_and_then_no_more(at):
    with at("an episode is open") as town:
        town.tell(training="breaks")
        for _ in range(4):
            last = town.retrain()
        (row,) = town.rows()
        assert town.answers() == [(row.key + suffix, "FAILURE") for suffix in ("", "#2", "#3")]
        assert row.key.endswith(KEY)
        assert last.runs == ()
        assert last.skip_reason
        assert town.made("checkpoint", W6) is None


def test_a_person_who_trains_the_same_week_again_does_not_unanswer_its_episode(at):
    with at("it is answered") as town:
        again = Request("ours", MODEL, W6, end_of(W6), "once more", "ann", town.platform.clock.wall())
        town.platform.retraining.ask(again)
        assert len(town.retrain().runs) == 1
        assert town.retrain().runs == ()
        assert [key for key, _ in town.answers()] == [town.rows()[0].key, "ours"]


def test_a_run_that_works_at_the_second_time_makes_one_checkpoint_and_one_decision(at):
    with at("an episode is open") as town:
        town.tell(training="breaks")
        town.retrain()
        town.tell(training="works")
        town.retrain()
        assert town.retrain().runs == ()
        key = town.rows()[0].key
        assert town.answers() == [(key, "FAILURE"), (f"{key}#2", "SUCCESS")]
        town.daemon.settle_automation()
        assert [move.action for move in town.moves()] == ["promote", "promote"]
        assert len(town.platform.releases.releases(MODEL)) == 2


@pytest.mark.long
def test_two_episodes_of_one_week_are_answered_by_one_run_that_both_name(at):
    with at("after winter", "hasty") as town:
        town.tell(W4, windier=6)
        tick = town.live_through(W4)
        kinds = [("performance", W4, None), ("prediction_drift", W4, None)]
        assert town.told(W4) == kinds
        assert [run.partition_key for run in tick.runs] == [W4]
        (row,) = town.rows()
        assert row.episodes == tuple(episode.key for episode in town.episodes(W4))
        town.live_through(W5)
        assert [(e.trained, e.outcome) for e in town.episodes(W5) if e.opened == W4] == [(W4, "refused")] * 2
        assert [key for key, _ in town.answers()] == [row.key]


def test_nothing_is_launched_for_an_episode_whose_release_was_rolled_back(at):
    with at("after winter", "hasty", without=RETRAIN) as town:
        first, twin = town.moves()[0].release, town.twin(cut_off=end_of(W3), limits=True)
        town.tell(W4, turned=True)
        town.arrive(W4)
        town.tick(SCORE)
        assert [(episode.release, episode.is_due) for episode in town.episodes(W4)] == [(twin, True)]
        town.platform.roll_back(MODEL, first, actor="ann", reason="it was wrong all week")
        town.daemon.start_sensors(name=RETRAIN)
        assert town.retrain().runs == ()
        assert (town.rows(), town.backstop().run_requests) == ((), [])


@pytest.mark.long
def test_an_episode_ends_when_its_release_is_rolled_back_and_its_row_is_not_tried_again(at):
    with at("after winter", "hasty") as town:
        first = town.moves()[0].release
        town.twin(cut_off=end_of(W3), limits=True)
        town.tell(W4, turned=True, training="breaks")
        town.live_through(W4)
        assert [status for _, status in town.answers()] == ["FAILURE"]
        town.platform.roll_back(MODEL, first, actor="ann", reason="it was wrong all week")
        town.tell(training="works")
        town.live_through(W5)
        assert town.told(W5)[0] == ("performance", W4, "another release is live")
        assert not [key for key, _ in town.answers()[1:] if key.startswith(town.rows()[0].key)]


def test_a_release_without_limits_is_never_said_to_do_well_and_grows_old_all_the_same(at):
    with at("after winter", "hasty") as town:
        town.twin(cut_off=end_of(W4) - timedelta(weeks=13), limits=False)
        town.tell(W4, turned=True)
        town.live_through(W4)
        for name in ("performance", "prediction_drift", "feature_drift"):
            finding = town.finding(name, W4)
            assert isinstance(finding, NotEvaluated)
            assert "keeps no limits" in finding.why
        assert town.told(W4) == [("age", W4, None)]
        assert town.episodes(W4)[0].reasons == ("not challenged for 13 weeks",)
        assert [key.rpartition("/age/")[2] for key, _ in town.answers()] == [W4]


@pytest.mark.long
def test_a_refused_challenger_leaves_its_episode_open_and_age_tries_again_after_the_cooldown(at):
    with at("an episode is open", "brisk") as town:
        town.tell(training="spoilt")
        town.retrain()
        assert isinstance(town.made("checkpoint", W6).verdict, Blocked)
        assert "performance since 2013-02-12" in town.retrain().skip_reason
        town.tell(training="works")
        town.live_through(W7)
        trouble, age = town.episodes(W7)
        assert (trouble.kind, trouble.outcome, trouble.is_open) == ("performance", "refused", True)
        assert age.reasons == ("not challenged for 1 weeks, and an episode is open that its challenger did not end",)
        assert town.answers() == [(trouble.key, "FAILURE"), (age.key, "SUCCESS")]
        assert age.key.endswith(f"age/{W7}")


@pytest.mark.parametrize(
    ("rules", "held"),
    [
        ("town", "cooldown until 2013-03-12"),
        pytest.param("thrifty", "the budget of 1 runs in 26 weeks is spent", marks=pytest.mark.long),
    ],
)
def test_a_request_is_one_run_and_holds_back_the_next(at, rules, held):
    with at("before the second bad week is scored", rules) as town:
        asked = Request("ours", MODEL, W5, end_of(W5), "new buses", "ann", town.platform.clock.wall())
        for reason in ("new buses", "new buses, and trams"):
            town.platform.retraining.ask(replace(asked, reason=reason))
        town.retrain()
        assert town.retrain().runs == ()
        assert [key for key, _ in town.answers()] == ["ours"]
        town.tick(SCORE)
        assert [episode.held for episode in town.episodes(W6)] == [held]
        tick = town.retrain()
        assert tick.runs == ()
        assert held in tick.skip_reason
        assert [row.key for row in town.rows()] == ["ours"]


def test_the_schedule_launches_what_a_stopped_sensor_did_not(at):
    with at("an episode is open", without=RETRAIN) as town:
        (asked,) = town.backstop().run_requests
        assert asked.run_key.endswith(KEY)
        assert [(row.key, row.actor) for row in town.rows()] == [(asked.run_key, f"{RETRAIN}_backstop")]
        tags = {**asked.tags, "dagster/run_key": asked.run_key}
        town.daemon.run_job("town", f"train_{MODEL}", partition_key=asked.partition_key, tags=tags)
        assert town.answers() == [(asked.run_key, "SUCCESS")]
        assert "performance since 2013-02-12" in town.backstop().skip_message
        town.daemon.start_sensors(name=RETRAIN)
        assert town.retrain().runs == ()


def test_the_schedule_leaves_to_the_sensor_what_this_one_asked_for_less_than_an_hour_ago(at):
    with at("it is answered") as town:
        assert not town.backstop().run_requests
        now = town.platform.clock.wall()
        for key, at_ in (("fresh", now), ("stale", now - timedelta(hours=2))):
            town.platform.retraining.ask(Request(key, MODEL, W6, end_of(W6), "for the test", RETRAIN, at_))
        assert [asked.run_key for asked in town.backstop().run_requests] == ["stale"]


WORKSPACE = """
load_from:
  - python_module: {module_name: town_location, location_name: town, working_directory: .}
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_dagsters_own_daemon_walks_an_episode_by_itself(story, monkeypatch):
    story.go_back("after a good week")
    (story.root / "workspace.yaml").write_text(WORKSPACE)
    platform = Platform.embedded()
    monkeypatch.setenv("PYTHONPATH", str(story.root))
    monkeypatch.setenv("DAGSTER_HOME", str(story.home / "dagster"))
    with RealDaemon(story.home) as daemon:
        for week in (W5, W6):
            platform.clock.set(end_of(week))
            daemon.wait_until(lambda at=week: platform.lake.good(f"{MODEL}/episodes", at), f"{week} was judged")
        daemon.wait_until(lambda: len(platform.releases.history(MODEL, PRODUCTION)) == 2, "the challenger was live")
    (row,) = platform.retraining.requests(MODEL)
    assert row.key.endswith(KEY)
    with dg.DagsterInstance.from_config(str(story.home / "dagster")) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(tags={"ops/retraining": row.key}))
    assert (run.job_name, run.is_success) == (f"train_{MODEL}", True)
    assert platform.lake.latest(f"{MODEL}/checkpoint", W6).origin.run_id == run.run_id
