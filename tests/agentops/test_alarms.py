from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.agentops.alarms import (
    UNKNOWN,
    Alarm,
    Finding,
    advance,
    findings_in,
    message,
    rows,
    stamped,
    untold,
)
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, verdict_to_json
from ops_pipelines.mlops.retraining import FINDINGS

W0, W1, W2, W3 = "2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22"
FIRST, SECOND = "a" * 64, "b" * 64
BAD, QUIET, UNJUDGED = Blocked(("log loss 0.7, at most 0.5",)), Passed(), NotEvaluated("3 rows")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def found(verdict: Verdict, name: str = "performance", release: str = FIRST, system: str = "delays") -> Finding:
    return Finding(system, name, release, verdict)


def after(*weeks: Sequence[Finding]) -> tuple[Alarm, ...]:
    inbox: tuple[Alarm, ...] = ()
    for week, findings in zip((W0, W1, W2, W3), weeks, strict=False):
        inbox = advance(inbox, week, findings)
    return inbox


def test_a_quiet_week_leaves_an_empty_inbox():
    assert after([found(QUIET)]) == ()
    assert rows(()) == []


def test_the_first_week_that_is_not_quiet_opens_an_alarm_with_its_reasons():
    (alarm,) = after([found(BAD)])
    assert alarm == Alarm("delays", "performance", FIRST, W0, W0, 1, "blocked", BAD.reasons)
    assert alarm.key == "delays/performance/aaaaaaaaaaaa/2013-01-01"


def test_an_alarm_goes_on_under_its_key_while_its_release_is_not_quiet():
    (alarm,) = after([found(BAD)], [found(UNJUDGED)], [found(BAD)])
    assert (alarm.key, alarm.week, alarm.weeks) == ("delays/performance/aaaaaaaaaaaa/2013-01-01", W2, 3)


def test_a_quiet_week_ends_an_alarm_and_the_next_trouble_is_another_one():
    assert after([found(BAD)], [found(QUIET)]) == ()
    (alarm,) = after([found(BAD)], [found(QUIET)], [found(BAD)])
    assert (alarm.since, alarm.weeks) == (W2, 1)


def test_another_release_that_is_not_quiet_is_another_alarm():
    (alarm,) = after([found(BAD)], [found(BAD, release=SECOND)])
    assert (alarm.release, alarm.since, alarm.weeks) == (SECOND, W1, 1)


def test_a_week_in_which_a_system_was_not_judged_leaves_its_alarm_open():
    (open_one,) = after([found(BAD)])
    assert after([found(BAD)], [found(QUIET, system="durations")]) == (open_one,)
    (alarm,) = after([found(BAD)], [], [found(BAD)])
    assert (alarm.since, alarm.week, alarm.weeks) == (W0, W2, 2)


def test_a_finding_without_a_release_goes_on_with_the_open_alarm_and_else_says_that_it_is_unknown():
    (alarm,) = after([found(BAD)], [found(UNJUDGED, release="")])
    assert (alarm.release, alarm.weeks) == (FIRST, 2)
    assert after([found(UNJUDGED, release="")])[0].release == UNKNOWN


@pytest.mark.parametrize("verdict", [BAD, UNJUDGED])
def test_everything_that_is_not_quiet_is_shown_and_only_what_starts_a_training_is_told(verdict):
    inbox = stamped(after([found(verdict, name) for name in (*FINDINGS, "feature_drift", "label_drift")]), {})
    assert {alarm.finding for alarm in untold(inbox)} == set(FINDINGS)
    assert len(inbox) == 4


def test_of_a_feature_set_people_are_told_of_skew_and_shown_what_is_old():
    inbox = after([found(BAD, name, release="", system="trip_features") for name in ("parity", "freshness")])
    assert {alarm.finding: alarm.is_told for alarm in inbox} == {"parity": True, "freshness": False}


def test_people_are_told_of_a_canary_that_does_harm():
    inbox = after([found(BAD, name="canary")])
    assert untold(inbox) == inbox


def test_could_not_tell_is_told_once_and_the_alarm_that_it_becomes_once_more():
    told: dict[str, datetime] = {}
    titles = []
    for weeks in ([UNJUDGED], [UNJUDGED] * 2, [UNJUDGED] * 2 + [BAD], [UNJUDGED] * 2 + [BAD, UNJUDGED]):
        due = untold(stamped(after(*([found(verdict)] for verdict in weeks)), told))
        titles += [message(alarm)[0] for alarm in due]
        told |= {alarm.notice: NOW for alarm in due}
    assert titles == [
        f"delays performance: could not tell in the week of {W0}",
        f"delays performance: alarm in the week of {W2}",
    ]


def test_a_message_holds_the_reasons_the_release_and_the_key():
    title, body = message(after([found(BAD)], [found(BAD)])[0])
    assert title == f"delays performance: alarm in the week of {W1}"
    assert body.splitlines() == [
        "- log loss 0.7, at most 0.5",
        f"release aaaaaaaaaaaa, 2 weeks in a row, since {W0}",
        f"alarm delays/performance/aaaaaaaaaaaa/{W0}",
    ]


def test_the_table_shows_alarms_first_and_who_was_told():
    inbox = after([found(BAD), found(UNJUDGED, "feature_drift"), found(BAD, "label_drift")])
    table = rows(stamped(inbox, {f"delays/performance/aaaaaaaaaaaa/{W0}": NOW}))
    seen = [(row["finding"], row["state"], row["told"]) for row in table]
    assert seen == [
        ("label_drift", "alarm", "shown only"),
        ("performance", "alarm", "2026-01-01 00:00"),
        ("feature_drift", "could not tell", "shown only"),
    ]


def test_an_alarm_is_read_back_as_it_was_written():
    (alarm,) = after([found(BAD)])
    for one in (alarm, replace(alarm, notified_at=NOW)):
        assert Alarm.from_json(one.to_json()) == one


def stored(key: str, **facts: object) -> Artefact:
    return Artefact(key, W0, FIRST, Passed(), {}, Origin("run", "commit", "code", NOW), facts)


def test_the_findings_of_a_stored_part_carry_the_release_that_was_judged():
    verdicts = {"feature_drift": verdict_to_json(BAD), "prediction_drift": verdict_to_json(QUIET)}
    findings = findings_in(stored("delays/drift", release=SECOND, findings=verdicts))
    assert findings == (found(QUIET, "prediction_drift", SECOND), found(BAD, "feature_drift", SECOND))


def test_a_part_that_holds_no_finding_could_not_be_judged():
    (finding,) = findings_in(stored("delays/performance"))
    why = "delays/performance@2013-01-01 holds no finding 'performance'"
    assert finding == found(NotEvaluated(why), release="")


# what holds whatever the weeks bring

VERDICTS = st.sampled_from([BAD, QUIET, UNJUDGED])
JUDGED = st.builds(
    found,
    VERDICTS,
    st.sampled_from(["performance", "prediction_drift", "feature_drift"]),
    st.sampled_from([FIRST, SECOND]),
)
WEEKS = st.lists(st.lists(JUDGED, max_size=2, unique_by=lambda finding: finding.name), min_size=1, max_size=8)


def fold(weeks: Sequence[Sequence[Finding]], upto: int) -> tuple[Alarm, ...]:
    inbox: tuple[Alarm, ...] = ()
    for n, findings in enumerate(weeks[: upto + 1]):
        inbox = advance(inbox, f"week {n}", findings)
    return inbox


def tell(inbox: tuple[Alarm, ...], told: dict[str, datetime]) -> list[str]:
    due = [alarm.notice for alarm in untold(stamped(inbox, told))]
    told |= dict.fromkeys(due, NOW + timedelta(seconds=len(told)))
    return due


@given(WEEKS, st.data())
def test_made_in_any_order_and_again_nothing_is_told_twice_and_every_streak_is_told(weeks, data):
    numbers = list(range(len(weeks)))
    order = data.draw(st.permutations(numbers)) + data.draw(st.lists(st.sampled_from(numbers), max_size=4))
    told: dict[str, datetime] = {}
    heard = [notice for n in order for notice in tell(fold(weeks, n), told)]
    assert len(heard) == len(set(heard))
    wanted = {alarm.key for n in numbers for alarm in fold(weeks, n) if alarm.is_told}
    assert {notice.rstrip("?") for notice in heard} == wanted
    refused = {alarm.key for n in numbers for alarm in fold(weeks, n) if alarm.is_judged and alarm.is_told}
    assert refused <= set(heard)


@given(WEEKS)
def test_made_in_their_order_each_streak_of_refusals_is_told_exactly_once(weeks):
    refusals = [[finding for finding in week if isinstance(finding.verdict, Blocked | Passed)] for week in weeks]
    told: dict[str, datetime] = {}
    heard = [notice for n in range(len(weeks)) for notice in tell(fold(refusals, n), told)]
    inboxes = [fold(refusals, n) for n in range(len(weeks))]
    assert sorted(heard) == sorted({alarm.key for inbox in inboxes for alarm in inbox if alarm.is_told})


@given(WEEKS)
def test_a_week_made_again_has_the_same_inbox_and_tells_nobody(weeks):
    told: dict[str, datetime] = {}
    last = len(weeks) - 1
    for n in range(last + 1):
        tell(fold(weeks, n), told)
    first = stamped(fold(weeks, last), told)
    assert tell(fold(weeks, last), told) == []
    assert stamped(fold(weeks, last), told) == first
