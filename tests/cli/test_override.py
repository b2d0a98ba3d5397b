import pytest

from ops_pipelines.core.verdict import Blocked

PROMOTE, WHY = ("promote", "flight_delay"), ("--reason", "the live one answers nonsense")


@pytest.fixture
def worse(home) -> str:
    """A release that its gate refused."""
    return home.release("worse", verdict=Blocked(("log loss is worse by 0.02",)))


def test_a_refused_release_is_forced_and_red_wherever_people_look(ops, home, worse):
    (row,) = ops(*PROMOTE, worse, "--force", *WHY, "--json").json()
    assert row["live"] == worse[:12]
    (listed,) = ops("releases", "flight_delay", "--json").json()
    assert listed["live"].startswith("live, forced by ")
    assert listed["live"].endswith("UTC: the live one answers nonsense")
    said = ops("doctor", "--json")
    red = [found["what"] for found in said.json() if found["state"] == "bad"]
    assert said.code == 1
    assert any(what.startswith("forced by ") for what in red)


def test_it_lasts_a_day_unless_told_otherwise(ops, home, worse):
    for hours in ((), ("--hours", "168")):
        ops(*PROMOTE, worse, "--force", *WHY, *hours)
    moves = home.platform.releases.history("flight_delay", "production")
    assert [(move.expires - move.at).total_seconds() / 3600 for move in moves] == [24, 168]
    assert {move.action for move in moves} == {"override"}


@pytest.mark.parametrize("words", [(), ("--reason", ""), ("--reason", "  ")])
def test_a_blank_reason_forces_nothing(ops, home, worse, words):
    said = ops(*PROMOTE, worse, "--force", *words)
    assert (said.code, home.live()) == (2, [])
    assert "not forced without a reason" in said.err


@pytest.mark.parametrize("hours", ["0", "-1", "169", "99999999"])
def test_hours_out_of_range_force_nothing(ops, home, worse, hours):
    said = ops(*PROMOTE, worse, "--force", *WHY, "--hours", hours)
    assert (said.code, home.live()) == (2, [])


def test_hours_without_force_are_wrong_usage(ops, home, worse):
    assert ops(*PROMOTE, worse, "--hours", "3").code == 2


def test_a_release_whose_model_is_lost_is_not_forced(ops, home):
    said = ops(*PROMOTE, home.release("lost", kept=False), "--force", *WHY)
    assert (said.code, home.live()) == (3, [])
    assert "cannot be found" in said.err


def test_a_dry_override_changes_nothing(ops, home, worse):
    (row,) = ops(*PROMOTE, worse, "--force", *WHY, "--dry-run", "--json").json()
    assert (row, home.live()) == ({"would be live": worse[:12], "by": "override"}, [])


def test_a_rollback_ends_it(ops, home):
    first = home.release("first")
    ops(*PROMOTE, first)
    ops(*PROMOTE, home.release("worse", against=first, verdict=Blocked(("worse",))), "--force", *WHY)
    ops("rollback", "flight_delay")
    assert [row["live"] for row in ops("releases", "flight_delay", "--json").json()] == ["live", ""]


def test_break_glass_skips_staging(ops, staged):
    worse = staged.release("worse", verdict=Blocked(("worse",)))
    assert ops(*PROMOTE, worse).code == 1
    assert ops(*PROMOTE, worse, "--force", *WHY).code == 0
    assert staged.live() == [worse]


@pytest.mark.parametrize(
    ("role", "code"), [("promoter", 1), ("proposer", 1), ("caller", 1), ("approver", 0), ("admin", 0)]
)
def test_only_an_approver_or_an_admin_forces(ops, home, worse, monkeypatch, role, code):
    (ada,) = ops("principal", "add", "ada", "--role", "admin", "--json").json()
    monkeypatch.setenv("OPS_TOKEN", ada["token"])
    (bob,) = ops("principal", "add", "bob", "--role", role, "--json").json()
    monkeypatch.setenv("OPS_TOKEN", bob["token"])
    said = ops(*PROMOTE, worse, "--force", *WHY)
    assert (said.code, len(home.live())) == (code, 1 - code)
    assert code == 0 or "ada may override flight_delay in production" in said.err
