"""Whatever stands in a report, nothing is acted upon that is not a clear loss in finite numbers."""

from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.defs.agentops.oncall.deciding import NOTHING, NOTIFY, RETRAIN, ROLL_BACK, Thresholds, decide

ODD = st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.just(float("nan")), st.just(float("inf")))
NUMBER = st.floats(0, 2)
JUDGED = st.fixed_dictionaries(
    {
        "loss": st.one_of(NUMBER, ODD),
        "loss_limit": st.one_of(NUMBER, ODD),
        "gap": st.one_of(st.floats(-1, 1), ODD),
        "gap_limit": st.one_of(NUMBER, ODD),
        "verdict": st.sampled_from(["passed", "blocked", "not evaluated", ""]),
    }
)
BEFORE = st.one_of(st.just({}), st.fixed_dictionaries({"release": st.just("b"), "loss": st.one_of(NUMBER, ODD)}))
HISTORY = {
    "live": "a",
    "moves": [
        {"action": "promote", "release": "b", "as_of": "2013-06-04"},
        {"action": "promote", "release": "a", "as_of": "2013-06-11"},
    ],
    "releases": [{"release": "b", "was_live": True}],
}


def report_of(judged, before, weeks_old=0):
    where = {"week": "2013-07-02", "weeks_old": weeks_old, "release": "a", "live": "a"}
    return where | {"performance": judged, "before": before, "drift": {}}


@given(JUDGED, BEFORE)
def test_it_acts_only_on_a_loss_beyond_its_limit_that_the_verdict_says_too(judged, before):
    plan = decide(report_of(judged, before), HISTORY, Thresholds())
    assert plan.action in (NOTHING, ROLL_BACK, RETRAIN, NOTIFY)
    if plan.action in (ROLL_BACK, RETRAIN):
        assert judged["verdict"] == "blocked"
        assert judged["loss"] > judged["loss_limit"] or abs(judged["gap"]) > judged["gap_limit"]


@given(JUDGED, BEFORE)
def test_it_goes_back_only_to_a_release_that_would_have_lost_less(judged, before):
    plan = decide(report_of(judged, before), HISTORY, Thresholds())
    if plan.action == ROLL_BACK:
        assert (plan.to, plan.seen) == ("b", "a")
        assert judged["loss"] - before["loss"] >= Thresholds().least_gain


@given(JUDGED, BEFORE, st.integers(3, 100))
def test_it_acts_on_no_report_that_is_stale(judged, before, weeks_old):
    plan = decide(report_of(judged, before, weeks_old), HISTORY, Thresholds())
    assert plan.action == NOTIFY
