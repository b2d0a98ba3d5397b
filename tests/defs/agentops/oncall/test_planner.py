"""What the rule-based planner does about an alarm: one branch a test, through the real tools, gate and stores."""

import pytest

from ops_pipelines.agentops.conduct import DONE, WAITING
from ops_pipelines.core.fingerprint import short
from ops_pipelines.testing.watched_system import FIRST_DAY


def tools_used(oncall, ran):
    return [step.name for step in oncall.recording(ran.run).steps if step.kind == "tool"]


def test_without_an_alarm_it_does_nothing(oncall):
    ran = oncall.start({})
    assert (ran.result["did"], tools_used(oncall, ran)) == ("nothing", [])


def test_drift_without_a_loss_is_looked_at_and_left(watched, oncall):
    watched.releases("first")
    watched.week(loss=0.5, drifted=["wind", "dew_point"])
    ran = oncall.start({"alarm": watched.alarm("feature_drift")})
    assert ran.result["did"] == "nothing"
    assert "the loss is 0.500 (limit 0.600)" in ran.result["why"]
    assert "feature drift in 2 columns" in ran.result["why"]
    assert tools_used(oncall, ran) == ["drift_report", "model_history"]


def test_a_loss_after_a_promotion_proposes_the_release_before(watched, waiting):
    assert waiting.state == WAITING
    asked = waiting.waits["arguments"]
    history = watched.platform.releases.history("flight_delay", "production")
    assert (asked["to"], asked["seen"]) == tuple(short(move.release) for move in history)
    assert "would have lost 0.600 on the same rows" in asked["reason"]


def test_a_release_before_that_was_worse_is_not_gone_back_to(watched, oncall):
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.8))
    ran = oncall.start({"alarm": watched.alarm()})
    assert ran.result["did"] == "retrain"
    assert "no better" in ran.result["why"]


def test_a_release_before_that_is_hardly_better_is_for_a_person_to_judge(watched, oncall, capsys):
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.699))
    assert oncall.start({"alarm": watched.alarm()}).result["did"] == "notify"
    assert "too little better to say" in capsys.readouterr().out


def test_a_loss_long_after_the_last_promotion_asks_for_a_retraining_once_an_alarm(watched, oncall):
    watched.releases("first", since=FIRST_DAY)
    watched.week(loss=0.7)
    ran = oncall.start({"alarm": watched.alarm()})
    again = oncall.start({"alarm": watched.alarm()})
    (row,) = watched.platform.retraining.requests("flight_delay")
    assert (ran.result["did"], row.actor) == ("retrain", "oncall")
    assert (ran.result["came of it"]["stood"], again.result["came of it"]["stood"]) == (False, True)


@pytest.mark.parametrize(
    ("week", "why"),
    [
        ({"loss": None}, "was not judged"),
        ({"loss": 0.7, "word": "not evaluated"}, "was not judged"),
        ({"loss": 0.7, "word": "passed"}, "do not go together"),
        ({"loss": 0.5, "word": "blocked"}, "do not go together"),
        ({"loss": 0.7}, "nobody knows what the release before would have lost"),
    ],
)
def test_what_is_unclear_is_told_and_never_acted_upon(watched, oncall, capsys, week, why):
    watched.releases("first", "second")
    watched.week(**week)
    ran = oncall.start({"alarm": watched.alarm()})
    assert (ran.state, ran.result["did"]) == (DONE, "notify")
    assert why in capsys.readouterr().out


def test_a_stale_report_is_told_and_never_acted_upon(watched, oncall):
    first, _ = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6), week="2013-06-11")
    ran = oncall.start({"alarm": watched.alarm(week="2013-06-11")})
    assert ran.result["did"] == "notify"
    assert "ended 3 weeks ago" in ran.result["why"]


def test_a_report_that_cannot_be_read_is_told(watched, oncall):
    watched.releases("first", "second")
    ran = oncall.start({"alarm": watched.alarm()})
    assert ran.result["did"] == "notify"
    assert "the report cannot be read" in ran.result["why"]


def test_an_alarm_of_a_release_that_is_not_live_any_more_needs_nothing(watched, oncall):
    first, second = watched.releases("first", "second")
    watched.week(loss=0.7, before=(first, 0.6))
    alarm = watched.alarm()
    watched.platform.roll_back("flight_delay", None, actor="anna", reason="by hand")
    ran = oncall.start({"alarm": alarm})
    assert ran.result == {"did": "nothing", "why": f"{short(second)} was judged, and {short(first)} is live since"}


def test_a_system_that_it_does_not_operate_is_not_looked_at(watched, oncall):
    watched.releases("first", "second")
    ran = oncall.start({"alarm": {**watched.alarm(), "system": "flight_duration"}})
    assert "does not operate 'flight_duration'" in ran.result["why"]
