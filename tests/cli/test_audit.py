import sqlite3
from contextlib import closing

import pytest

PROMOTE = ("promote", "flight_delay")


@pytest.fixture
def told(ops, home):
    """A home in which two releases went live, and the first came back."""
    first = home.release("first")
    ops(*PROMOTE, first, "--reason", "the first one")
    ops(*PROMOTE, home.release("second", against=first))
    ops("rollback", "flight_delay")
    return home


def edited(home, *statements: str) -> None:
    with closing(sqlite3.connect(home.folder / "control.db")) as connection, connection:
        for table in ("audit", "moves"):
            for action in ("change", "vanish"):
                connection.execute(f"DROP TRIGGER {table}_never_{action}")
        for statement in statements:
            connection.execute(statement)


def test_every_move_has_its_entry_and_the_log_holds(ops, told):
    (row,) = ops("audit", "verify", "--json").json()
    assert (row["audit"], row["entries"], row["because"]) == ("passed", 4, "")
    entries = ops("audit", "list", "--json").json()
    assert [entry["did"] for entry in entries] == ["audit begins", "promote", "promote", "rollback"]
    assert entries[1]["facts"]["reason"] == "the first one"


def test_an_empty_log_exits_with_3(ops, home):
    home.release("first")
    assert [ops("audit", verb).code for verb in ("verify", "head", "list")] == [3, 3, 0]


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE audit SET content = replace(content, 'first', 'worst') WHERE sequence = 2", "entry 2 was edited"),
        ("DELETE FROM audit WHERE sequence = 3", "entry 3 is missing"),
        ("DELETE FROM audit WHERE sequence = 4", "row 3 of flight_delay in production (moves) is told of by 0 entries"),
        ("DELETE FROM moves WHERE sequence = 3", "entry 4 tells of a row of moves that is not there"),
        (
            "UPDATE moves SET content = replace(content, 'first', 'worst')",
            "row 1 of flight_delay in production (moves)",
        ),
    ],
)
def test_what_was_changed_is_named_and_exits_with_1(ops, told, statement, why):
    edited(told, statement)
    said = ops("audit", "verify", "--json")
    assert said.code == 1
    assert why in said.json()[0]["because"]
    assert ops("doctor", "--json").code == 1


def test_a_cut_end_is_found_by_its_head_alone(ops, told):
    (row,) = ops("audit", "head", "--json").json()
    assert ops("audit", "verify", "--head", row["head"]).code == 0
    edited(told, "DELETE FROM audit WHERE sequence = 4", "DELETE FROM moves WHERE sequence = 3")
    assert ops("audit", "verify").code == 0
    assert ops("audit", "verify", "--head", row["head"]).code == 1


def test_a_head_that_is_none_is_wrong_usage(ops, told):
    assert ops("audit", "verify", "--head", "abc").code == 2


def test_entries_are_listed_by_system_and_the_latest_of_them(ops, told):
    ops("principal", "add", "ada", "--role", "admin")
    shown = ops("audit", "list", "--system", "flight_delay", "--limit", "2", "--json").json()
    assert [entry["did"] for entry in shown] == ["promote", "rollback"]
    assert len(ops("audit", "list", "--limit", "0", "--json").json()) == 5
    assert ops("audit", "list", "--limit", "-1").code == 2


def test_an_override_says_until_when(ops, home):
    ops(*PROMOTE, home.release("first"), "--force", "--reason", "the live one answers nonsense")
    entry = ops("audit", "list", "--json").json()[-1]
    assert (entry["did"], entry["facts"]["reason"]) == ("override", "the live one answers nonsense")
    assert "until" in entry["facts"]


def test_a_dry_run_is_no_entry(ops, told):
    ops("rollback", "flight_delay", "--dry-run")
    assert ops("audit", "verify", "--json").json()[0]["entries"] == 4
