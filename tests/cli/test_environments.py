import pytest

PROMOTE = ("promote", "flight_delay")


def live(home, environment: str) -> list[str]:
    return [move.release for move in home.platform.releases.history("flight_delay", environment)]


def test_the_digest_that_is_live_in_staging_moves_to_production(ops, staged):
    first = staged.release("first")
    assert ops(*PROMOTE, first, "--environment", "staging").code == 0
    (row,) = ops(*PROMOTE, "--from", "staging", "--reason", "a quiet day", "--json").json()
    assert (row["live"], row["in"], row["because"]) == (first[:12], "production", "a quiet day")
    assert live(staged, "staging") == live(staged, "production") == [first]


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_what_was_never_in_staging_does_not_go_to_production(ops, staged, dry):
    first = staged.release("first")
    said = ops(*PROMOTE, first, *dry)
    assert (said.code, live(staged, "production")) == (1, [])
    assert "never live in staging" in said.err
    assert f"ops promote flight_delay {first[:12]} --environment staging" in said.err


def test_what_was_in_staging_once_may_go_to_production_later(ops, staged):
    first, second = staged.release("first"), staged.release("second")
    for release in (first, second):
        ops(*PROMOTE, release, "--environment", "staging")
    assert ops(*PROMOTE, first).code == 0


def test_staging_is_gated_against_production(ops, staged):
    first = staged.release("first")
    ops(*PROMOTE, first, "--environment", "staging")
    ops(*PROMOTE, "--from", "staging")
    for model in ("second", "third"):
        assert ops(*PROMOTE, staged.release(model, against=first), "--environment", "staging").code == 0
    assert ops(*PROMOTE, staged.release("late", against=None), "--environment", "staging").code == 3


def test_a_rollback_of_production_needs_no_staging(ops, staged):
    first = staged.release("first")
    second = staged.release("second", against=first)
    for release in (first, second):
        ops(*PROMOTE, release, "--environment", "staging")
        ops(*PROMOTE, "--from", "staging")
    assert ops("rollback", "flight_delay").code == 0
    assert live(staged, "production") == [first, second, first]
    assert live(staged, "staging") == [first, second]


def test_staging_is_rolled_back_by_itself(ops, staged):
    for model in ("first", "second"):
        ops(*PROMOTE, staged.release(model), "--environment", "staging")
    (row,) = ops("rollback", "flight_delay", "--environment", "staging", "--json").json()
    assert row["in"] == "staging"
    assert len(live(staged, "staging")) == 3


def test_releases_are_listed_by_environment(ops, staged):
    first = staged.release("first")
    ops(*PROMOTE, first, "--environment", "staging")
    shown = {
        where: ops("releases", "flight_delay", "--environment", where, "--json").json()[0]["live"]
        for where in ("staging", "production")
    }
    assert shown == {"staging": "live", "production": ""}


@pytest.mark.parametrize(
    "words",
    [
        (*PROMOTE, "ab", "--environment", "stagin"),
        (*PROMOTE, "--from", "stagin"),
        ("rollback", "flight_delay", "--environment", "stagin"),
        ("releases", "flight_delay", "--environment", "stagin"),
    ],
)
def test_an_unknown_environment_is_answered_with_the_nearest(ops, staged, words):
    staged.release("first")
    said = ops(*words)
    assert said.code == 2
    assert "Did you mean 'staging'?" in said.err


def test_a_project_that_lists_none_has_production_alone(ops, home):
    said = ops(*PROMOTE, home.release("first"), "--environment", "staging")
    assert said.code == 2
    assert "'staging' is no environment of this project" in said.err


@pytest.mark.parametrize("words", [(), ("ab", "--from", "staging"), ("--from", "staging")])
def test_what_names_no_release_or_two_is_wrong_usage(ops, staged, words):
    staged.release("first")
    assert ops(*PROMOTE, *words).code == 2


@pytest.mark.parametrize(
    "listed", ['["staging"]', '["production", "staging"]', '"production"', '["dev", "production"]']
)
def test_environments_that_are_no_way_to_production_are_refused(ops, tmp_path, home, monkeypatch, listed):
    (tmp_path / "pyproject.toml").write_text(f"[tool.ops]\nenvironments = {listed}\n")
    monkeypatch.chdir(tmp_path)
    said = ops("releases", "flight_delay")
    assert said.code == 2
    assert '["staging", "production"]' in said.err


def test_a_token_for_staging_moves_nothing_in_production(ops, staged, monkeypatch):
    first = staged.release("first")
    (ada,) = ops("principal", "add", "ada", "--role", "admin", "--json").json()
    monkeypatch.setenv("OPS_TOKEN", ada["token"])
    (bob,) = ops("principal", "add", "bob", "--role", "promoter", "--environment", "staging", "--json").json()
    monkeypatch.setenv("OPS_TOKEN", bob["token"])
    assert ops(*PROMOTE, first, "--environment", "staging").code == 0
    said = ops(*PROMOTE, "--from", "staging")
    assert (said.code, live(staged, "production")) == (1, [])
    assert "bob may not: granted is promoter of every system in staging" in said.err
