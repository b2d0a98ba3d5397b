"""What the rule-based planner does about an alarm through the real tools, gate and stores; `test_tasks` has each branch."""

from ops_pipelines.agentops.run_state import WAITING
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


def test_a_loss_long_after_the_last_promotion_asks_for_a_retraining_once_an_alarm(watched, oncall):
    watched.releases("first", since=FIRST_DAY)
    watched.week(loss=0.7)
    ran = oncall.start({"alarm": watched.alarm()})
    again = oncall.start({"alarm": watched.alarm()})
    (row,) = watched.platform.retraining.requests("flight_delay")
    assert (ran.result["did"], row.actor) == ("retrain", "oncall")
    assert (ran.result["came of it"]["stood"], again.result["came of it"]["stood"]) == (False, True)


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
