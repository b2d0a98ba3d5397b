import json
from dataclasses import replace

import pytest

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.mlops.drift import FEATURE_DRIFT, PREDICTION_DRIFT
from ops_pipelines.mlops.performance import PERFORMANCE
from ops_pipelines.mlops.retraining import AGE, Episode, due
from ops_pipelines.mlops.retraining_log import Request, TrainingStep
from ops_pipelines.mlops.retraining_requests import ROLLED_BACK
from ops_pipelines.mlops.retraining_rule import RetrainingRule
from ops_pipelines.testing.release_store import NEW_YEAR

from .retraining_weeks import (
    FIRST,
    SECOND,
    SYSTEM,
    VERDICTS,
    after,
    asked,
    by_hand,
    end_of,
    key_of,
    open_kinds,
    week,
)


@pytest.mark.parametrize("setting", ["flagged", "of", "quiet", "max_age_weeks", "budget_runs", "budget_weeks"])
def test_a_rule_of_nothing_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"{setting} under `retraining` is 0\. Expected: at least 1"):
        RetrainingRule(**{setting: 0})


def test_a_rule_may_do_without_a_cooldown_and_not_with_less_than_none() -> None:
    assert RetrainingRule(cooldown_weeks=0).cooldown_weeks == 0
    with pytest.raises(ConfigError, match=r"cooldown_weeks under `retraining` is -1\. Expected: at least 0"):
        RetrainingRule(cooldown_weeks=-1)


def test_more_flagged_weeks_than_there_are_cannot_be_asked_for() -> None:
    with pytest.raises(ConfigError, match="Expected: at most the 3 of `of`"):
        RetrainingRule(flagged=4)


# Opening


@pytest.mark.parametrize("kind", [PERFORMANCE, PREDICTION_DRIFT])
@pytest.mark.parametrize(
    ("findings", "opens"),
    [
        ("", False),
        ("B", False),
        ("BB", True),
        ("BpB", True),
        ("BppB", False),
        ("BBp", False),
        ("BnB", True),
        ("BBn", False),
        ("nB", False),
        ("nnB", False),
        ("ppp", False),
    ],
)
def test_two_flagged_weeks_of_three_the_last_among_them_open_an_episode(kind: str, findings: str, opens: bool) -> None:
    found = after(week(9, **{"performance" if kind == PERFORMANCE else "prediction": findings}))
    assert open_kinds(found) == ([kind] if opens else [])


def test_a_rule_of_one_week_opens_at_once() -> None:
    assert open_kinds(after(week(9, "B"), rule=RetrainingRule(flagged=1, of=1))) == [PERFORMANCE]


def test_feature_drift_starts_nothing() -> None:
    assert after(week(9, findings={FEATURE_DRIFT: [VERDICTS["B"]] * 3})) == ()


def test_an_episode_says_when_it_opened_and_why() -> None:
    (episode,) = after(week(9, "BpB"))
    assert episode == Episode(
        SYSTEM,
        FIRST,
        PERFORMANCE,
        opened=key_of(9),
        reasons=("2 of the last 3 weeks; log loss 0.7", "10 points more positives"),
    )
    assert episode.key == f"desk/{'a' * 12}/performance/2013-03-05"


def test_an_open_episode_is_not_opened_again() -> None:
    found = after(week(9, "BB"), week(10, "BBB"), week(11, "BBB"))
    assert [episode.opened for episode in found] == [key_of(9)]


def test_an_episode_survives_json() -> None:
    (episode,) = after(week(9, "BB"))
    for each in (episode, replace(episode, trained=key_of(9), outcome="refused", closed=key_of(12), because="quiet")):
        assert Episode.from_json(json.loads(canonical_json(each.to_json()))) == each


# Answering


def test_what_is_due_is_answered_by_one_row_that_knows_the_week() -> None:
    found = after(week(9, "BB", "BB"))
    row = asked(found, 9)
    assert (row.key, row.week, row.as_of) == (found[0].key, key_of(9), end_of(9))
    assert row.episodes == tuple(episode.key for episode in found)
    assert row.reason.count("2 of the last 2 weeks; log loss 0.7") == 2
    answered = after(week(10, "BBB", "BBB", requests=[row]), before=found)
    assert [episode.trained for episode in answered] == [key_of(9)] * 2
    assert due(answered) == ()


def test_nothing_due_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="no episode is due"):
        asked((), 9)


def test_an_episode_that_opens_while_another_waits_shares_its_run() -> None:
    held = after(week(9, "BB", requests=[by_hand(7)]))
    assert [episode.is_due for episode in held] == [False]
    found = after(week(11, "BBB", "BB", requests=[by_hand(7)]), before=held)
    assert asked(found, 11).episodes == tuple(episode.key for episode in found)
    assert len(found) == 2


def test_a_request_survives_json() -> None:
    row = asked(after(week(9, "BB", "BB")), 9)
    assert Request.from_json(json.loads(canonical_json(row.to_json()))) == row


def test_a_persons_row_answers_no_episode() -> None:
    (episode,) = after(week(9, "BB"), week(10, "BBB", requests=[by_hand(9)]))
    assert (episode.trained, episode.held) == (None, "cooldown until 2013-04-09")


def test_what_became_of_the_answer_is_noted_even_after_the_episode_closed() -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    closed = after(week(10, "BBppp", requests=[row]), before=found)
    late = after(week(11, "ppp", requests=[row], outcomes={row.key: "refused"}), before=closed)
    assert [(e.closed, e.trained, e.outcome) for e in late] == [(key_of(10), key_of(9), "refused")]
    assert after(week(12, "ppp", requests=[row]), before=late) == late


# Closing


@pytest.mark.parametrize(
    ("findings", "closes"),
    [("ppp", True), ("pp", False), ("ppB", False), ("Bpp", False), ("ppn", False), ("npp", False), ("Bppp", True)],
)
def test_three_quiet_weeks_in_a_row_close_an_episode(findings: str, closes: bool) -> None:
    (episode,) = after(week(9, "BB"), week(13, findings))
    assert episode.is_open is not closes
    assert (episode.closed, episode.because) == ((key_of(13), "3 quiet weeks in a row") if closes else (None, None))


def test_quiet_weeks_of_one_kind_close_no_episode_of_another() -> None:
    assert open_kinds(after(week(9, "BB", "BB"), week(12, "Bpp", "ppp"))) == [PERFORMANCE]


def test_another_release_closes_every_episode_of_the_one_before() -> None:
    found = after(week(9, "BB", "BB"), week(10, release=SECOND))
    assert {(e.closed, e.because) for e in found} == {(key_of(10), "another release is live")}


def test_a_promoted_challenger_closes_the_episode_that_it_answers() -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    promoted = week(10, release=SECOND, requests=[row], outcomes={row.key: "promoted"})
    (episode,) = after(promoted, before=found)
    assert (episode.outcome, episode.because) == ("promoted", "its challenger was promoted")


def test_a_refused_challenger_leaves_the_episode_open() -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    (episode,) = after(week(10, "BBB", requests=[row], outcomes={row.key: "refused"}), before=found)
    assert (episode.is_open, episode.outcome, episode.is_due) == (True, "refused", False)


def test_a_closed_episode_stays_as_it_is_and_the_next_has_a_key_of_its_own() -> None:
    found = after(week(9, "BB"), week(12, "ppp"), week(20, "BB"), week(21, "BBB"))
    assert [(e.opened, e.closed) for e in found] == [(key_of(9), key_of(12)), (key_of(20), None)]
    assert len({episode.key for episode in found}) == 2


def test_a_kind_that_closes_and_is_flagged_again_by_another_release_opens_anew() -> None:
    found = after(week(9, "BB"), week(10, "BB", release=SECOND))
    assert [(e.release, e.is_open) for e in found] == [(FIRST, False), (SECOND, True)]


def test_a_week_that_is_walked_again_while_another_release_is_live_opens_nothing_twice() -> None:
    found = after(week(9, "BB"), week(9, "BB", release=SECOND), week(9, "BB"))
    assert len({episode.key for episode in found}) == len(found) == 2


# Age


@pytest.mark.parametrize(("number", "opens"), [(12, False), (13, True), (20, True)])
def test_a_release_that_was_not_challenged_for_thirteen_weeks_is(number: int, opens: bool) -> None:
    found = after(week(number, trained=0))
    assert open_kinds(found) == ([AGE] if opens else [])
    if opens:
        assert found[0].reasons == (f"not challenged for {number} weeks",)


def test_a_challenge_makes_a_release_young_again() -> None:
    assert after(week(20, trained=0, requests=[by_hand(8)])) == ()
    assert open_kinds(after(week(21, trained=0, requests=[by_hand(8)]))) == [AGE]


@pytest.mark.parametrize("outcome", ["refused", "failed"])
def test_age_is_answered_once_and_closes_when_its_challenger_is_decided(outcome: str) -> None:
    old = after(week(13, trained=0))
    row = asked(old, 13)
    (waiting,) = after(week(14, trained=0, requests=[row]), before=old)
    assert (waiting.is_open, waiting.trained) == (True, key_of(13))
    (closed,) = after(week(15, trained=0, requests=[row], outcomes={row.key: outcome}), before=(waiting,))
    assert (closed.closed, closed.because) == (key_of(15), f"its challenger was {outcome}")


def test_an_age_episode_whose_run_decided_nothing_makes_room_for_the_next_one() -> None:
    old = after(week(13, trained=0))
    row = asked(old, 13)
    assert open_kinds(after(week(16, trained=0, requests=[row]), before=old)) == [AGE]
    closed = after(week(17, trained=0, requests=[row]), before=old)
    assert (closed[0].closed, closed[0].because) == (key_of(17), "its run decided nothing")
    assert open_kinds(after(week(26, trained=0, requests=[row]), before=closed)) == [AGE]


@pytest.mark.parametrize(
    ("number", "outcome", "opens"),
    [(12, "refused", False), (13, "refused", True), (13, "", True), (13, "promoted", False)],
)
def test_age_comes_sooner_while_an_episode_is_open_that_its_challenger_did_not_end(number, outcome, opens) -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    known = {"requests": [row], "outcomes": {row.key: outcome} if outcome else {}}
    later = after(week(number, "BBB", trained=8, **known), before=found)
    assert open_kinds(later) == [PERFORMANCE] + [AGE] * opens
    if opens:
        assert later[-1].reasons == (
            "not challenged for 4 weeks, and an episode is open that its challenger did not end",
        )
        assert asked(later, number).key != row.key


def test_age_does_not_come_sooner_once_the_trouble_is_over() -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    known = {"requests": [row], "outcomes": {row.key: "refused"}}
    assert open_kinds(after(week(13, "Bppp", trained=8, **known), before=found)) == []


def test_without_a_cooldown_trouble_is_answered_every_week_and_not_at_once() -> None:
    rule = RetrainingRule(cooldown_weeks=0)
    found = after(week(9, "BB"), rule=rule)
    row = asked(found, 9)
    known = {"requests": [row], "outcomes": {row.key: "refused"}}
    assert open_kinds(after(week(9, "BB", trained=8, **known), before=found, rule=rule)) == [PERFORMANCE]
    assert open_kinds(after(week(10, "BBB", trained=8, **known), before=found, rule=rule)) == [PERFORMANCE, AGE]


# Promoted, then rolled back


@pytest.mark.parametrize(("number", "opens"), [(12, False), (13, True)])
def test_a_challenger_that_was_rolled_back_within_its_week_leaves_trouble_that_age_answers_sooner(
    number, opens
) -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    known = {"requests": [row], "outcomes": {row.key: ROLLED_BACK}}
    trouble, *age = after(week(number, "BBB", trained=8, **known), before=found)
    assert (trouble.is_open, trouble.outcome) == (True, "promoted, then rolled back")
    assert [episode.kind for episode in age] == [AGE] * opens


def test_an_age_episode_whose_challenger_was_rolled_back_ends_and_says_so() -> None:
    old = after(week(13, trained=0))
    row = asked(old, 13)
    (closed,) = after(week(14, trained=0, requests=[row], outcomes={row.key: ROLLED_BACK}), before=old)
    assert closed.because == "its challenger was promoted, then rolled back"


def test_a_rollback_after_the_episode_ended_is_noted_and_opens_nothing_by_itself() -> None:
    found = after(week(9, "BB"))
    row = asked(found, 9)
    promoted = after(week(10, release=SECOND, requests=[row], outcomes={row.key: "promoted"}), before=found)
    (episode,) = after(week(11, requests=[row], outcomes={row.key: ROLLED_BACK}), before=promoted)
    assert (episode.closed, episode.outcome) == (key_of(10), ROLLED_BACK)


# Cooldown and budget


@pytest.mark.parametrize(("number", "held"), [(10, True), (12, True), (13, False)])
def test_after_a_run_the_next_waits_for_the_cooldown(number: int, held: bool) -> None:
    (episode,) = after(week(number, "BB", requests=[by_hand(9)]))
    assert episode.held == ("cooldown until 2013-04-09" if held else None)
    assert episode.is_due is not held


def test_an_episode_that_was_held_is_due_when_nothing_holds_it() -> None:
    rows = [by_hand(9)]
    found = after(*(week(number, "BBB", requests=rows) for number in (10, 11, 12, 13)))
    assert [(e.opened, e.is_due) for e in found] == [(key_of(10), True)]


def test_the_latest_row_counts_in_whatever_order_they_were_written() -> None:
    (episode,) = after(week(13, "BB", requests=[by_hand(11), by_hand(2)]))
    assert episode.held == "cooldown until 2013-04-23"


@pytest.mark.parametrize(("number", "held"), [(14, True), (15, False)])
def test_a_spent_budget_holds_what_is_open_until_a_run_is_old_enough(number: int, held: bool) -> None:
    rule = RetrainingRule(cooldown_weeks=1, budget_runs=3, budget_weeks=10)
    rows = [by_hand(5), by_hand(8), by_hand(11), by_hand(1)]
    (episode,) = after(week(number, "BB", requests=rows), rule=rule)
    assert episode.held == ("the budget of 3 runs in 10 weeks is spent" if held else None)


def test_a_spent_budget_of_cpu_seconds_holds_what_is_open_and_says_what_is_unknown() -> None:
    rule = RetrainingRule(cooldown_weeks=1, budget_cpu_seconds=10)
    rows = [by_hand(5), by_hand(8)]
    steps = [TrainingStep("ada/5", SYSTEM, "r1", "checkpoint", NEW_YEAR, cost) for cost in (None, 4.0)]
    (free,) = after(week(12, "BB", requests=rows, steps=steps), rule=rule)
    assert free.is_due
    killed = TrainingStep("ada/8", SYSTEM, "r2", "checkpoint", NEW_YEAR)
    (episode,) = after(week(12, "BB", requests=rows, steps=[*steps, killed]), rule=rule)
    assert episode.held == (
        "the budget of 10 CPU seconds in 26 weeks: 8.0 are spent, 1 run of unknown cost counted as the dearest, and the "
        "next run may cost 4.0"
    )


def test_what_holds_an_episode_back_is_forgotten_when_it_closes() -> None:
    (episode,) = after(week(10, "BB", requests=[by_hand(9)]), week(11, "Bppp", requests=[by_hand(9)]))
    assert (episode.is_open, episode.held) == (False, None)
