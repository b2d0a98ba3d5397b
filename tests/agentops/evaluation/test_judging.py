import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.evaluation.judging import judge_task
from ops_pipelines.agentops.evaluation.task import CallPattern, Expected, ExpectedCall, Reading, Task
from ops_pipelines.agentops.evaluation.task_verdict import (
    MISREAD,
    NEEDLESS,
    OUT_OF_ORDER,
    REPEATED_ERROR,
    RIGHT,
    UNJUDGED,
    WRONG_ACTION,
    WRONG_ARGUMENTS,
    WRONG_TOOL,
    TaskVerdict,
)
from ops_pipelines.agentops.run_log import Recording
from ops_pipelines.testing.task_runs import Did, denied, did, failed, recorded

ACTS = frozenset({"roll_back", "notify", "retrain"})
RELEASES = did("releases", {"live": "r700", "before": ["r600", "r500"]}, system="flight_delay")
REPORT = did("drift_report", {"psi": 0.4}, system="flight_delay")
BACK = did("roll_back", "done", system="flight_delay", to="r600")
EXPECTED = Expected(
    calls=(
        ExpectedCall("drift_report", {"system": "flight_delay"}, "report"),
        ExpectedCall("releases", None, "releases"),
        ExpectedCall("roll_back", {"to": "r600"}, "back"),
    ),
    before=(("report", "back"),),
    never=(CallPattern("roll_back", {"to": "r500"}),),
    reads=(Reading("releases", "before.0", "roll_back", "to"),),
    may=(CallPattern("notify"),),
)


def judged(*calls: Did, expected: Expected = EXPECTED, returned: object = None, **task: object) -> TaskVerdict:
    return judge_task(Task("june", {}, expected, **task), recorded(*calls, returned=returned), acts=ACTS)


def kinds(verdict: TaskVerdict) -> list[str]:
    return [step.kind for step in verdict.steps]


def test_a_run_that_did_what_was_needed_succeeds_and_each_step_is_right():
    verdict = judged(RELEASES, REPORT, BACK, did("notify", text="done"))
    assert (verdict.success, verdict.why, kinds(verdict)) == (True, (), [RIGHT] * 4)


def test_what_was_never_called_is_missing_by_name():
    verdict = judged(RELEASES, REPORT)
    assert (verdict.success, verdict.missing[0]) == (False, "roll_back(to='r600')")
    assert verdict.missing[1] == "before.0 of releases as to of roll_back"


def test_another_value_of_the_same_result_is_a_misread_result_with_its_step_and_the_right_value():
    live = did("roll_back", "done", system="flight_delay", to="r700")
    verdict = judged(RELEASES, REPORT, live)
    found = verdict.decisive
    assert (found.kind, found.should, found.source) == (MISREAD, "r600", verdict.steps[0].step)
    assert "live of an earlier result" in found.why


def test_a_misread_result_is_found_without_a_declared_reading_too():
    expected = Expected(calls=(ExpectedCall("releases", None), ExpectedCall("roll_back", {"to": "r600"})))
    verdict = judged(RELEASES, did("roll_back", to="r500"), expected=expected)
    assert (verdict.decisive.kind, verdict.decisive.should) == (MISREAD, "r600")


def test_an_argument_that_no_result_holds_is_a_wrong_argument():
    verdict = judged(RELEASES, REPORT, did("roll_back", "done", to="r999"))
    assert (verdict.decisive.kind, verdict.decisive.source) == (WRONG_ARGUMENTS, "")


def test_an_effect_that_came_too_early_is_decisive_even_if_the_rest_follows():
    verdict = judged(RELEASES, BACK, REPORT)
    assert (verdict.success, verdict.decisive.kind) == (False, OUT_OF_ORDER)


def test_a_read_that_came_too_early_is_made_good_by_another_one():
    expected = Expected(
        calls=(ExpectedCall("drift_report", None, "report"), ExpectedCall("releases", None, "releases")),
        before=(("report", "releases"),),
    )
    verdict = judged(RELEASES, REPORT, RELEASES, expected=expected)
    assert (verdict.success, verdict.recovered, kinds(verdict)) == (True, True, [OUT_OF_ORDER, RIGHT, RIGHT])


def test_what_may_never_be_done_is_a_wrong_action_and_one_that_was_stopped_is_not_decisive():
    wrong = did("roll_back", "done", to="r500")
    assert judged(RELEASES, REPORT, wrong, BACK).decisive.kind == WRONG_ACTION
    stopped = judged(RELEASES, REPORT, denied("roll_back", "policy", to="r500"), BACK)
    assert (stopped.success, stopped.recovered, kinds(stopped)[2]) == (True, True, WRONG_ACTION)


def test_what_nobody_knows_counts_as_done():
    wrong = Did("roll_back", {"to": "r500"}, error="it did not answer", unknown=True)
    assert judged(RELEASES, REPORT, wrong, BACK).success is False


def test_an_effect_that_is_done_twice_is_a_wrong_action():
    verdict = judged(RELEASES, REPORT, BACK, BACK)
    assert (verdict.success, verdict.decisive.kind) == (False, WRONG_ACTION)


def test_a_tool_in_place_of_the_one_that_was_needed_is_the_wrong_tool():
    verdict = judged(did("history", {}), REPORT, denied("rollback", "validate", to="r600"))
    assert kinds(verdict) == [WRONG_TOOL, RIGHT, WRONG_TOOL]
    assert [verdict.steps[0].should, verdict.steps[2].should] == ["releases(any)", "roll_back(to='r600')"]


def test_an_error_that_is_tried_again_unchanged_is_repeated_and_another_try_recovers():
    down = failed("drift_report", system="flight_delay")
    verdict = judged(down, down, REPORT, RELEASES, BACK)
    assert kinds(verdict)[:3] == [RIGHT, REPEATED_ERROR, RIGHT]
    assert verdict.recovered


def test_several_small_missteps_add_up_where_none_is_decisive():
    needless = [did("history", number, page=number) for number in range(3)]
    verdict = judged(RELEASES, REPORT, BACK, *needless, returned="nothing", expected=_with_outcome({"done": True}))
    assert (verdict.success, verdict.decisive, verdict.added_up) == (False, None, 3)
    assert verdict.why == ("it returned 'nothing' where {'done': True} was expected",)


def test_a_result_is_judged_by_what_was_expected_of_it_alone():
    expected = _with_outcome({"done": True})
    assert judged(RELEASES, REPORT, BACK, returned={"done": True, "at": "noon"}, expected=expected).success is True
    wrong = judged(RELEASES, REPORT, BACK, returned={"done": 1}, expected=expected)
    assert wrong.why == ("it returned 1 at done where True was expected",)
    assert judged(RELEASES, REPORT, BACK, expected=expected).why == ("it returned nothing",)


def test_a_run_that_broke_is_no_success():
    recording = recorded(RELEASES, REPORT, BACK, broke="KeyError: 'before'")
    assert judge_task(Task("june", {}, EXPECTED), recording, acts=ACTS).why == ("it failed: KeyError: 'before'",)


@pytest.mark.parametrize(("person", "succeeds"), [("deny", True), ("absent", True), ("approve", False)])
def test_a_call_that_a_person_refuses_counts_as_made_where_the_task_says_that_they_do(person, succeeds):
    refused = denied("roll_back", "approve", system="flight_delay", to="r600")
    verdict = judged(RELEASES, REPORT, refused, person=person)
    assert (verdict.success, verdict.recovered) == (succeeds, False)


def test_a_run_without_a_step_and_one_whose_payload_is_gone_are_not_judged():
    assert judge_task(Task("june", {}, EXPECTED), Recording("r", (), {}), acts=ACTS).success is None
    whole = recorded(RELEASES)
    gone = judge_task(Task("june", {}, EXPECTED), Recording("r", whole.steps, {}), acts=ACTS)
    assert (gone.success, "not there" in gone.why[0]) == (None, True)


def test_a_run_of_ours_that_was_cut_off_has_not_succeeded_by_doing_nothing_wrong():
    cut = recorded(REPORT)
    cut = replace(cut, steps=tuple(replace(step, release="r600") for step in cut.steps))
    verdict = judge_task(Task("june", {}, Expected(never=(CallPattern("retrain"),))), cut, acts=ACTS)
    assert (verdict.success, verdict.why) == (None, ("it has not ended",))


def test_where_no_calls_are_expected_only_what_is_forbidden_or_read_is_judged():
    expected = Expected(never=(CallPattern("retrain"),), outcome="waits")
    verdict = judged(REPORT, did("history"), expected=expected, returned="waits")
    assert (verdict.success, kinds(verdict)) == (True, [UNJUDGED, UNJUDGED])
    assert judged(did("retrain"), expected=expected, returned="waits").success is False


def test_what_a_run_took_is_told_and_an_unknown_price_is_unknown():
    priced = judge_task(Task("june", {}, EXPECTED), recorded(REPORT, models=(2_000_000, 1_000_000)), acts=ACTS)
    assert (str(priced.effort.usd), priced.effort.tool_calls, priced.effort.steps) == ("0.003", 1, 4)
    unpriced = judge_task(Task("june", {}, EXPECTED), recorded(REPORT, models=(2_000_000, None)), acts=ACTS)
    assert unpriced.effort.usd is None


def test_a_verdict_is_read_back_as_it_was_written():
    verdict = judged(RELEASES, REPORT, did("roll_back", "done", to="r700"), failed("history"))
    assert TaskVerdict.from_json(verdict.to_json()) == verdict


CALLS = st.lists(
    st.sampled_from(
        [REPORT, RELEASES, BACK, did("history", 1), failed("releases"), did("roll_back", "done", to="r500")]
    ),
    max_size=7,
)
UNORDERED = Expected(
    calls=(
        ExpectedCall("drift_report", None),
        ExpectedCall("releases", None),
        ExpectedCall("roll_back", {"to": "r600"}),
    )
)


@given(CALLS, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_calls_changes_no_success_where_none_is_asked_for(calls: list[Did], dice: random.Random):
    shuffled = list(calls)
    dice.shuffle(shuffled)
    first, second = judged(*calls, expected=UNORDERED), judged(*shuffled, expected=UNORDERED)
    assert (first.success, sorted(first.missing)) == (second.success, sorted(second.missing))


@given(CALLS, st.integers(0, 7), st.sampled_from([REPORT, RELEASES, did("history", 1), failed("look")]))
@settings(max_examples=60, deadline=None)
def test_one_more_call_that_only_reads_takes_no_success_away(calls: list[Did], at: int, extra: Did):
    more = [*calls[:at], extra, *calls[at:]]
    before, after = judged(*calls, expected=UNORDERED), judged(*more, expected=UNORDERED)
    assert after.success or not before.success
    assert sum(step.kind == WRONG_ACTION for step in after.steps) == sum(
        step.kind == WRONG_ACTION for step in before.steps
    )


def test_of_calls_that_serve_the_same_needs_as_many_as_can_be_are_served():
    needs = (ExpectedCall("look", {"week": 1}), ExpectedCall("look", None))
    verdict = judged(did("look", week=1), did("look", week=2), expected=Expected(calls=needs))
    assert (verdict.success, kinds(verdict)) == (True, [RIGHT, RIGHT])
    turned = judged(did("look", week=2), did("look", week=1), expected=Expected(calls=needs[::-1]))
    assert turned.success is True


def test_many_calls_of_one_tool_serve_as_many_needs_and_no_more():
    calls = [did("look", page=page) for page in range(200)]
    needs = Expected(calls=(ExpectedCall("look", None),) * 201)
    verdict = judged(*calls, expected=needs)
    assert (verdict.missing, kinds(verdict)) == (("look(any)",), [RIGHT] * 200)


def test_a_needless_call_alone_is_no_stumble():
    verdict = judged(did("history", 1), RELEASES, REPORT, BACK)
    assert (kinds(verdict)[0], verdict.success, verdict.recovered) == (NEEDLESS, True, False)


def _with_outcome(outcome: object) -> Expected:
    return Expected(outcome=outcome, calls=EXPECTED.calls)


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.floats(-1, 1), st.sampled_from(["r600", "r700", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(["to", "live", "0"]), inner, max_size=2)
    ),
    max_leaves=5,
)
ODD = st.builds(
    Did,
    st.sampled_from(["releases", "roll_back", "drift_report"]),
    VALUES,
    VALUES,
    error=st.sampled_from(["", "down"]),
    stage=st.sampled_from(["", "validate", "approve", "policy"]),
    unknown=st.booleans(),
)


@given(st.lists(ODD, max_size=5), VALUES)
@settings(max_examples=80, deadline=None)
def test_whatever_an_agent_did_it_is_judged_and_a_failure_has_a_reason(calls: list[Did], returned: object):
    verdict = judged(*calls, returned=returned)
    assert (verdict.success is True) is not bool(verdict.why)
    assert len(verdict.steps) == len(calls)
    assert not (verdict.success and verdict.decisive)
