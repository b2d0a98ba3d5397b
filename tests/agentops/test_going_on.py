"""Which runs go on by themselves, and why the others do not."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.approval import Answer, Held
from ops_pipelines.agentops.effects import DONE as EFFECT_DONE
from ops_pipelines.agentops.effects import NOT_DONE, UNKNOWN, Entry, Intent, Outcome
from ops_pipelines.agentops.going_on import (
    FOR_A_PERSON,
    FRESH,
    GOES_ON,
    NOT_YET,
    OpenRun,
    Past,
    judge_going_on,
    past_of,
    waited_for,
)
from ops_pipelines.agentops.notes import HINDERED, RESUMED, TRIED, WAITS
from ops_pipelines.agentops.run_log import AGENT, DECISION, step_id
from ops_pipelines.agentops.run_state import DONE, RUNNING, STOPPED, WAITING
from ops_pipelines.testing.approval_store import LATER, NOON, request_of
from ops_pipelines.testing.run_log import entry_of

NOW = NOON + timedelta(minutes=30)
RUN = OpenRun("r", "oncall", STOPPED, NOON)
ASKED = Held(request_of("a"))
YES, NO = (ASKED.answered(Answer("anna", granted, NOON)) for granted in (True, False))
FIRST = entry_of("oncall", kind=AGENT)


def effect(outcome=None, until=NOON):
    return Entry(Intent("k", "pay", "{}", "r", "release"), NOON, until, outcome)


def waiting(*requests):
    return replace(RUN, state=WAITING, requests=requests)


def tried(*minutes_ago):
    return replace(RUN, past=Past(tries=tuple(NOW - timedelta(minutes=ago) for ago in minutes_ago), error="no token"))


TABLE = [
    (waiting(YES), GOES_ON, "was answered"),
    (waiting(NO), GOES_ON, "was answered"),
    (waiting(ASKED, NO), GOES_ON, "was answered"),
    (waiting(YES.consumed(NOON)), GOES_ON, "was answered"),
    (waiting(ASKED), NOT_YET, "nobody has answered"),
    (waiting(), NOT_YET, "nobody has answered"),
    (replace(waiting(YES), is_held=True), NOT_YET, "its process is alive"),
    (replace(waiting(YES), effects=(effect(),)), GOES_ON, "was answered"),
    (RUN, GOES_ON, "its process died"),
    (replace(RUN, is_held=True), NOT_YET, "its process is alive"),
    (replace(RUN, state=RUNNING), NOT_YET, "a moment ago"),
    (replace(RUN, state=DONE), NOT_YET, "it is done"),
    (replace(RUN, effects=(effect(Outcome(EFFECT_DONE, "1")), effect(Outcome(NOT_DONE)))), GOES_ON, "its process died"),
    (replace(RUN, effects=(effect(),)), FOR_A_PERSON, "nobody knows whether pay was done"),
    (replace(RUN, effects=(effect(until=LATER),)), FOR_A_PERSON, "nobody knows whether pay was done"),
    (replace(RUN, effects=(effect(Outcome(UNKNOWN)),)), FOR_A_PERSON, "can go on once that is settled"),
    (replace(RUN, past=Past(cut_off=1)), GOES_ON, "its process died"),
    (replace(RUN, written=NOW - FRESH), GOES_ON, "its process died"),
    (replace(RUN, written=NOON - FRESH), FOR_A_PERSON, "more than a day ago, after 2026-03-04 12:00 UTC"),
    (replace(waiting(NO), written=NOON - FRESH), GOES_ON, "was answered"),
    (replace(RUN, past=Past(cut_off=2)), FOR_A_PERSON, "died again each of the 2 times"),
    (tried(9), NOT_YET, "tried again at 2026-03-05 12:31 UTC: no token"),
    (tried(10), GOES_ON, "its process died"),
    (tried(30, 19), NOT_YET, "12:31"),
    (tried(31, 20), GOES_ON, "its process died"),
    (tried(60, 50, 30), FOR_A_PERSON, "tried 3 times to go on with it: no token"),
    (replace(tried(60, 50, 30), state=WAITING, requests=(NO,)), FOR_A_PERSON, "tried 3 times"),
]


@pytest.mark.parametrize(("run", "outcome", "why"), TABLE)
def test_whether_a_run_goes_on_by_itself(run, outcome, why):
    judged = judge_going_on(run, NOW)
    assert (judged.outcome, why in judged.why) == (outcome, True), judged.why


def noted(*names):
    """The past of a run that noted these, a minute apart; a note to wait is told by its number."""
    minute, entries = timedelta(minutes=1), [FIRST]
    for number, name in enumerate(names):
        at = NOON + number * minute
        place = {"parent": FIRST.step.id, "kind": DECISION, "occurrence": number}
        entries.append(entry_of(name, started=at, ended=at, **place))
    value = {"approval": "a", "error": "no token"}
    return past_of([entry.step for entry in entries], lambda step: {**value, "number": step.occurrence})


def test_what_a_run_waits_for_is_what_it_noted_since_it_went_on_last():
    assert noted(WAITS, WAITS).waits == ("a", "a")
    assert noted(WAITS, WAITS, RESUMED, WAITS).waits == ("a",)
    assert noted(WAITS, RESUMED).waits == ()


@pytest.mark.parametrize(
    ("names", "cut_off"),
    [
        ((), 0),
        ((RESUMED,), 1),
        ((RESUMED, RESUMED), 2),
        ((WAITS, RESUMED), 0),
        ((WAITS, RESUMED, RESUMED), 1),
        ((RESUMED, RESUMED, WAITS), 0),
    ],
)
def test_a_run_that_goes_on_since_it_was_answered_is_not_counted_as_cut_off(names, cut_off):
    assert noted(*names).cut_off == cut_off


def test_tries_count_until_the_run_goes_on_and_say_what_was_in_the_way():
    past = noted(TRIED, HINDERED, TRIED)
    assert (len(past.tries), past.error, past.notes) == (2, "no token", 3)
    assert noted(TRIED, HINDERED, RESUMED).tries == ()


@given(
    st.lists(st.sampled_from([WAITS, RESUMED, TRIED, HINDERED]), max_size=8), st.sampled_from([WAITS, RESUMED, TRIED])
)
def test_whatever_was_noted_the_next_note_makes_another_key(names, name):
    before, after = (judge_going_on(replace(RUN, past=noted(*some)), NOW) for some in (names, [*names, name]))
    assert before.key != after.key


def test_a_request_that_is_not_known_by_its_note_counts_where_it_was_answered_since():
    other = replace(NO, request=request_of("b"))
    assert waited_for([YES, other], Past(waits=("b",))) == (other,)
    assert waited_for([YES, replace(ASKED, request=request_of("b"))], Past(waits=("",))) == (YES,)
    assert waited_for([YES], Past(waits=("",), resumed=LATER)) == ()


def test_a_strangers_span_is_no_note_of_a_run():
    foreign = entry_of(RESUMED, kind=DECISION, parent=FIRST.step.id, id="f" * 16).step
    assert foreign.id != step_id(FIRST.step.id, DECISION, RESUMED, 0)
    assert past_of([FIRST.step, foreign], lambda _: {}).notes == 0
