import sqlite3

import pytest

from ops_pipelines.core.verdict import Blocked, NotEvaluated


def test_promotes_a_release_that_passed_its_gate(ops, home):
    first = home.release("first")
    said = ops("promote", "flight_delay", first[:12], "--reason", "the first one", "--json")
    (row,) = said.json()
    assert (said.code, row["live"], row["because"]) == (0, first[:12], "the first one")
    assert home.live() == [first]


def test_promoting_what_is_live_changes_nothing(ops, home):
    first = home.release("first")
    ops("promote", "flight_delay", first)
    assert ops("promote", "flight_delay", first).code == 0
    assert home.live() == [first]


def test_a_refused_promotion_exits_with_1_and_the_reasons(ops, home):
    worse = home.release("worse", verdict=Blocked(("log loss is worse by 0.02", "JFK got worse")))
    said = ops("promote", "flight_delay", worse[:8], "--json")
    assert said.code == 1
    assert said.json()["facts"]["reasons"] == ["log loss is worse by 0.02", "JFK got worse"]
    assert "log loss is worse by 0.02; JFK got worse" in said.err
    assert home.live() == []


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_a_release_that_was_never_judged_exits_with_3(ops, home, dry):
    unknown = home.release("unknown", verdict=NotEvaluated("no rows to judge it by"))
    said = ops("promote", "flight_delay", unknown, *dry)
    assert said.code == 3
    assert "no rows to judge it by" in said.err


def test_a_release_judged_against_another_champion_exits_with_3(ops, home):
    first, late = home.release("first"), home.release("late")
    ops("promote", "flight_delay", first)
    said = ops("promote", "flight_delay", late)
    assert (said.code, home.live()) == (3, [first])
    assert "gate it again" in said.err


def test_a_release_whose_model_is_lost_exits_with_3(ops, home):
    lost = home.release("lost", kept=False)
    said = ops("promote", "flight_delay", lost, "--dry-run")
    assert said.code == 3
    assert "cannot be found" in said.err


def test_an_unknown_release_is_answered_with_the_known_ones(ops, home):
    first = home.release("first")
    said = ops("promote", "flight_delay", f"{first[:10]}xy")
    assert said.code == 2
    assert f"Did you mean '{first[:12]}'?" in said.err


@pytest.mark.parametrize("verb", [("promote", "flight_dely", "ab"), ("rollback", "flight_dely")])
def test_an_unknown_system_is_answered_with_the_nearest_one(ops, home, verb):
    home.release("first")
    said = ops(*verb)
    assert said.code == 2
    assert "Did you mean 'flight_delay'?" in said.err


def test_a_dry_promotion_meets_the_gate_and_changes_nothing(ops, home):
    good, bad = home.release("good"), home.release("bad", verdict=Blocked(("worse",)))
    ops("releases", "flight_delay")
    assert ops("promote", "flight_delay", good, "--dry-run", "--json").json() == [
        {"would be live": good[:12], "by": "promote"}
    ]
    assert ops("promote", "flight_delay", bad, "--dry-run").code == 1
    assert home.live() == []


def test_a_rollback_puts_the_earlier_release_back(ops, home):
    first = home.release("first")
    second = home.release("second", against=first)
    ops("promote", "flight_delay", first)
    ops("promote", "flight_delay", second)
    (row,) = ops("rollback", "flight_delay", "--reason", "complaints", "--json").json()
    assert (row["live"], row["because"]) == (first[:12], "complaints")
    assert home.live() == [first, second, first]


def test_a_dry_rollback_changes_nothing(ops, home):
    first = home.release("first")
    second = home.release("second", against=first)
    ops("promote", "flight_delay", first)
    ops("promote", "flight_delay", second)
    (row,) = ops("rollback", "flight_delay", "--dry-run", "--json").json()
    assert row == {"would be live": first[:12], "by": "rollback"}
    assert home.live() == [first, second]


def test_there_is_nothing_to_roll_back_to_after_one_promotion(ops, home):
    first = home.release("first")
    ops("promote", "flight_delay", first)
    for dry in ((), ("--dry-run",)):
        said = ops("rollback", "flight_delay", *dry)
        assert said.code == 2
        assert "no earlier release" in said.err


def test_a_rollback_to_a_release_that_never_was_live_says_to_promote_it(ops, home):
    first, other = home.release("first"), home.release("other")
    ops("promote", "flight_delay", first)
    said = ops("rollback", "flight_delay", "--to", other[:12])
    assert said.code == 2
    assert f"ops promote flight_delay {other[:12]}" in said.err


def test_lists_releases_with_their_gates_and_the_live_one(ops, home):
    first = home.release("first")
    worse = home.release("worse", against=first, verdict=Blocked(("worse",)))
    ops("promote", "flight_delay", first)
    rows = ops("releases", "flight_delay", "--json").json()
    assert [(row["release"], row["live"], row["gate"], row["because"]) for row in rows] == [
        (first[:12], "live", "passed", ""),
        (worse[:12], "", "blocked", "worse"),
    ]
    assert ops("releases", "flight_delay").out.splitlines()[0].startswith("release\tlive\t")


@pytest.mark.parametrize("verb", [("releases",), ("canary", "status")])
def test_an_empty_list_is_not_told_of_a_system_that_nobody_knows(ops, home, verb):
    home.release("first")
    said = ops(*verb, "flight_dely")
    assert said.code == 2
    assert "Did you mean 'flight_delay'?" in said.err


@pytest.mark.parametrize("verb", [("releases",), ("canary", "status")])
def test_a_system_that_is_declared_and_was_never_trained_has_an_empty_list(ops, home, verb):
    said = ops(*verb, "flight_duration", "--json")
    assert (said.code, said.json()) == (0, [])


def test_an_edited_history_is_not_believed(ops, home):
    ops("promote", "flight_delay", home.release("first"))
    with sqlite3.connect(home.folder / "control.db") as edited:
        edited.execute("DROP TRIGGER moves_never_change")
        edited.execute("UPDATE moves SET content = replace(content, 'by hand', 'by nobody')")
    edited.close()
    said = ops("releases", "flight_delay")
    assert said.code == 3
    assert "was edited" in said.err
