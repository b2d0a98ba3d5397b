import pytest

from ops_pipelines.core.verdict import Blocked

PROMOTE = ("promote", "flight_delay")


@pytest.fixture
def ada(ops, monkeypatch):
    """Acts as an admin from here on; her token."""
    (row,) = ops("principal", "add", "ada", "--role", "admin", "--json").json()
    monkeypatch.setenv("OPS_TOKEN", row["token"])
    return row["token"]


@pytest.fixture
def become(ops, ada, monkeypatch):
    """Adds a principal with some options, and acts as it; its token."""

    def become(name: str, *options: str) -> str:
        monkeypatch.setenv("OPS_TOKEN", ada)
        (row,) = ops("principal", "add", name, *options, "--json").json()
        monkeypatch.setenv("OPS_TOKEN", row["token"])
        return row["token"]

    return become


def test_without_principals_anybody_promotes_and_the_login_name_is_in_the_history(ops, home):
    assert ops(*PROMOTE, home.release("first")).code == 0
    said = ops("principal", "list")
    assert (said.code, said.out) == (0, "principals: nothing yet\n")
    assert "open to whoever may write its files" in said.err


def test_a_token_is_shown_once_and_kept_nowhere(ops, home, ada):
    assert ada.startswith("ops_")
    assert len(ada) == 47
    for words in (("principal", "list"), ("audit", "list"), ("doctor",)):
        assert ada not in "".join((ops(*words).out, ops(*words, "--json").out))
    assert not any(ada.encode() in content for content in home.files().values())


def test_two_principals_have_two_tokens(ops, ada, become):
    assert len({ada, become("bob", "--role", "promoter"), become("cyd", "--role", "promoter")}) == 3


def test_a_promoter_promotes_what_they_proposed_under_their_own_name(ops, home, become):
    become("bob", "--role", "proposer", "--role", "promoter")
    (row,) = ops(*PROMOTE, home.release("first"), "--json").json()
    assert row["by"] == "bob"


@pytest.mark.parametrize("token", [None, "", "ops_nobodys"])
def test_without_a_known_token_an_action_is_refused_with_who_may(ops, home, ada, monkeypatch, token):
    monkeypatch.delenv("OPS_TOKEN") if token is None else monkeypatch.setenv("OPS_TOKEN", token)
    said = ops(*PROMOTE, home.release("first"), "--json")
    assert (said.code, said.json()["error"], home.live()) == (1, "NotAllowed", [])
    assert "No token of a principal was given; ada may promote flight_delay in production" in said.err
    assert "ops_nobodys" not in said.err + said.out


@pytest.mark.parametrize(
    "options",
    [
        ("--role", "caller"),
        ("--role", "proposer"),
        ("--role", "approver"),
        ("--role", "promoter", "--system", "fares"),
    ],
)
def test_a_token_of_another_role_or_system_moves_nothing(ops, home, become, options):
    become("bob", *options)
    for words in ((*PROMOTE, home.release("first")), (*PROMOTE, home.release("first"), "--dry-run")):
        said = ops(*words)
        assert (said.code, home.live()) == (1, [])
        assert "bob may not" in said.err


def test_a_rollback_needs_a_promoter_too(ops, home, become):
    become("eve", "--role", "proposer")
    home.release("first")
    assert ops("rollback", "flight_delay").code == 1


def test_a_revoked_token_moves_nothing_and_says_who_revoked_it(ops, home, ada, become, monkeypatch):
    bobs = become("bob", "--role", "promoter")
    monkeypatch.setenv("OPS_TOKEN", ada)
    assert ops("principal", "revoke", "bob").code == 0
    monkeypatch.setenv("OPS_TOKEN", bobs)
    said = ops(*PROMOTE, home.release("first"))
    assert (said.code, home.live()) == (1, [])
    assert "The token of bob was revoked by ada" in said.err


def test_a_new_token_takes_the_one_before_out_of_force(ops, home, become, monkeypatch):
    old = become("bob", "--role", "promoter")
    new = become("bob", "--role", "promoter")
    first = home.release("first")
    monkeypatch.setenv("OPS_TOKEN", old)
    assert ops(*PROMOTE, first).code == 1
    monkeypatch.setenv("OPS_TOKEN", new)
    assert ops(*PROMOTE, first).code == 0


def test_only_an_admin_over_everything_adds_and_revokes(ops, become):
    become("bob", "--role", "admin", "--system", "flight_delay")
    for words in (("add", "eve", "--role", "admin"), ("revoke", "ada")):
        said = ops("principal", *words)
        assert said.code == 1
        assert "ada may administer principals" in said.err


def test_asking_for_a_retraining_is_a_proposal(ops, home, become):
    home.release("first")
    become("eve", "--role", "caller")
    said = ops("drift", "retrain", "flight_delay", "--reason", "a new airline")
    assert said.code == 1
    assert "ada may propose flight_delay in production" in said.err
    become("bob", "--role", "proposer")
    assert "bob may not" not in ops("drift", "retrain", "flight_delay", "--reason", "a new airline").err


def test_what_was_refused_is_accepted_by_an_approver_alone_and_in_their_name(ops, home, become):
    home.publish("landings", "2013-02-05", Blocked(("half of it",)), facts={"summary": {"rows": 1}})
    rule = ("data", "accept", "landings", "2013-02-05", "--reason", "it was a storm")
    become("bob", "--role", "promoter")
    assert "nobody may approve landings" in ops(*rule).err
    become("cyd", "--role", "approver", "--system", "landings")
    (row,) = ops(*rule, "--json").json()
    assert row["actor"] == "cyd"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("bob", "--role", "promotor"), "Did you mean 'promoter'?"),
        (("b b", "--role", "promoter"), "cannot be the name"),
        (("bob", "--role", "promoter", "--environment", "producton"), "Did you mean 'production'?"),
        (("bob", "--role", "promoter", "--expires-days", "0"), "expired already"),
        (("bob", "--role", "promoter", "--expires-days", "999999999"), "Name fewer days"),
        (("ada", "--role", "promoter"), "nobody could add a principal any more"),
    ],
)
def test_what_cannot_be_a_principal_is_wrong_usage(ops, ada, words, why):
    said = ops("principal", "add", *words)
    assert said.code == 2
    assert why in said.err


def test_the_first_principal_is_an_admin(ops, home):
    said = ops("principal", "add", "bob", "--role", "promoter")
    assert said.code == 2
    assert "nobody could add another" in said.err


def test_a_dry_addition_and_a_dry_revocation_change_nothing(ops, ada, become):
    become("bob", "--role", "promoter")
    before = ops("principal", "list", "--json").json()
    assert ops("principal", "add", "cyd", "--role", "caller", "--dry-run").code == 1  # bob is no admin
    assert ops("principal", "list", "--json").json() == before


def test_a_dry_addition_shows_no_token(ops, ada):
    (row,) = ops("principal", "add", "bob", "--role", "caller", "--dry-run", "--json").json()
    assert row["token"] == "in force"
    assert [row["principal"] for row in ops("principal", "list", "--json").json()] == ["ada"]


def test_the_list_says_who_may_what_and_until_when(ops, ada, become):
    become("bob", "--role", "promoter", "--system", "flight_delay", "--expires-days", "30")
    ada_row, bob_row = ops("principal", "list", "--json").json()
    assert ada_row["may"] == "admin of every system in every environment"
    assert bob_row["may"] == "promoter of flight_delay in every environment"
    assert (ada_row["until"], bob_row["until"] != "", bob_row["token"]) == ("", True, "in force")
