from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.principal import (
    ADMIN,
    ADMINISTER,
    APPROVE,
    APPROVER,
    CALLER,
    CANARY,
    EVERY,
    OVERRIDE,
    PREDICT,
    PROMOTE,
    PROMOTER,
    PROPOSE,
    PROPOSER,
    RETAIN,
    ROLES,
    ROLL_BACK,
    Grant,
    Principal,
    add,
    authorise,
    revoke,
    token_digest,
)
from ops_pipelines.core.verdict import Blocked, Passed, Verdict

NOW = datetime(2013, 3, 4, 12, tzinfo=UTC)
ACTIONS = (PREDICT, PROPOSE, APPROVE, PROMOTE, ROLL_BACK, CANARY, OVERRIDE, ADMINISTER, RETAIN)
grants = st.builds(
    Grant, st.sampled_from(list(ROLES)), st.sampled_from(["a", "b", EVERY]), st.sampled_from(["staging", EVERY])
)


def somebody(name: str, *granted: Grant, sequence: int = 1, expires: datetime | None = None) -> Principal:
    return Principal(sequence, name, token_digest(name), granted, "ada", NOW, expires)


ADA = somebody("ada", Grant(ADMIN))
BOB = somebody("bob", Grant(PROMOTER, "flight_delay", "staging"), sequence=2)


def asked(
    who: Principal | None, action: str, *, system: str = "flight_delay", environment: str = "production"
) -> Verdict:
    everybody = [one for one in (ADA, BOB) if who is None or one.name != who.name]
    return authorise(who, action, system, environment, everybody=[*everybody, *([who] if who else [])], now=NOW)


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (CALLER, {PREDICT}),
        (PROPOSER, {PROPOSE}),
        (PROMOTER, {PROPOSE, PROMOTE, ROLL_BACK, CANARY}),
        (APPROVER, {APPROVE, OVERRIDE}),
        (ADMIN, {PROPOSE, PROMOTE, ROLL_BACK, CANARY, OVERRIDE, ADMINISTER, RETAIN}),
    ],
)
def test_a_role_allows_what_it_says_and_nothing_else(role, allowed) -> None:
    who = somebody("cyd", Grant(role))
    assert {action for action in ACTIONS if isinstance(asked(who, action), Passed)} == allowed


def test_a_platform_without_principals_is_open_and_says_so() -> None:
    found = authorise(None, PROMOTE, "flight_delay", "production", everybody=[], now=NOW)
    assert isinstance(found, Passed)
    assert "whoever may write the files" in found.evidence["open"]


def test_once_there_is_a_principal_every_action_needs_a_token() -> None:
    refused = [asked(None, action) for action in ACTIONS]
    assert all(isinstance(found, Blocked) for found in refused)
    assert "No token of a principal was given" in refused[0].reasons[0]


def test_a_refusal_names_who_lacks_what_and_who_may() -> None:
    assert asked(BOB, PROMOTE) == Blocked(
        ("bob may not: granted is promoter of flight_delay in staging; ada may promote flight_delay in production",)
    )


@pytest.mark.parametrize(("system", "environment"), [("fares", "staging"), ("flight_delay", "production")])
def test_a_grant_holds_in_its_own_system_and_environment_alone(system, environment) -> None:
    assert isinstance(asked(BOB, PROMOTE, environment="staging"), Passed)
    assert isinstance(asked(BOB, PROMOTE, system=system, environment=environment), Blocked)


def test_an_action_on_everything_needs_a_grant_over_everything() -> None:
    narrow = somebody("cyd", Grant(ADMIN, "flight_delay"))
    assert isinstance(asked(narrow, ADMINISTER, system=EVERY, environment=EVERY), Blocked)
    assert isinstance(asked(ADA, ADMINISTER, system=EVERY, environment=EVERY), Passed)


def test_a_token_expires_at_its_instant() -> None:
    late = somebody("cyd", Grant(PROMOTER), expires=NOW)
    assert "expired at 2013-03-04 12:00" in asked(late, PROMOTE).reasons[0]
    assert isinstance(asked(replace(late, expires=NOW + timedelta(microseconds=1)), PROMOTE), Passed)


def test_a_revoked_token_says_who_revoked_it() -> None:
    gone = replace(somebody("cyd", Grant(PROMOTER)), revoked=True)
    assert "The token of cyd was revoked by ada" in asked(gone, PROMOTE).reasons[0]


def test_nobody_is_named_who_may_no_longer() -> None:
    gone = replace(ADA, revoked=True)
    found = authorise(None, PROMOTE, "flight_delay", "production", everybody=[gone, BOB], now=NOW)
    assert "nobody may promote flight_delay in production" in found.reasons[0]


@given(st.lists(grants, max_size=3), st.sampled_from(ACTIONS), st.sampled_from(["a", "b"]))
def test_nothing_is_allowed_that_no_single_grant_allows(granted, action, system) -> None:
    found = asked(somebody("cyd", *granted), action, system=system, environment="production")
    matching = [grant for grant in granted if grant.system in (system, EVERY) and grant.environment == EVERY]
    assert isinstance(found, Passed) == any(action in ROLES[grant.role] for grant in matching)


def test_neither_a_refusal_nor_a_principals_text_holds_its_token_or_digest() -> None:
    texts = (repr(BOB), str(asked(BOB, PROMOTE)))
    assert [text for text in texts if BOB.token_digest in text] == []


def test_an_unknown_role_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'promoter'"):
        Grant("promotor")


@pytest.mark.parametrize("name", ["", " ", "a b", "-a", "a\n", "a" * 65, "ad\u0430/x"])
def test_a_name_has_to_be_plain(name) -> None:
    with pytest.raises(ConfigError, match="cannot be the name"):
        add([ADA], name, [Grant(PROMOTER)], digest="x", by="ada", at=NOW)


def test_a_principal_needs_a_grant_and_a_time_ahead() -> None:
    with pytest.raises(ConfigError, match="granted nothing"):
        add([ADA], "bob", [], digest="x", by="ada", at=NOW)
    with pytest.raises(ConfigError, match="would have expired already"):
        add([ADA], "bob", [Grant(PROMOTER)], digest="x", by="ada", at=NOW, expires=NOW)


@pytest.mark.parametrize(
    ("grant", "expires"), [(Grant(PROMOTER), None), (Grant(ADMIN, "a"), None), (Grant(ADMIN), NOW + timedelta(1))]
)
def test_the_first_principal_is_an_admin_over_everything_who_does_not_expire(grant, expires) -> None:
    with pytest.raises(ConfigError, match="would be the first principal, and nobody could add another"):
        add([], "bob", [grant], digest="x", by="bob", at=NOW, expires=expires)
    assert add([], "ada", [Grant(ADMIN)], digest="x", by="ada", at=NOW).sequence == 1


def test_the_last_admin_can_neither_be_revoked_nor_granted_less() -> None:
    with pytest.raises(ConfigError, match="nobody could add a principal any more"):
        revoke([ADA, BOB], "ada", by="ada", at=NOW)
    with pytest.raises(ConfigError, match="nobody could add a principal any more"):
        add([ADA, BOB], "ada", [Grant(PROMOTER)], digest="x", by="ada", at=NOW)


def test_a_revocation_is_the_next_row_with_the_same_token() -> None:
    row = revoke([ADA, BOB], "bob", by="ada", at=NOW)
    assert (row.sequence, row.revoked, row.token_digest, row.by) == (3, True, BOB.token_digest, "ada")


def test_an_unknown_principal_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'bob'"):
        revoke([ADA, BOB], "bobb", by="ada", at=NOW)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.one_of(st.none(), grants)), max_size=12))
def test_whatever_is_added_and_revoked_an_admin_over_everything_remains(acts) -> None:
    rows: dict[str, Principal] = {}
    for name, grant in [("a", Grant(ADMIN)), *acts]:
        try:
            known = list(rows.values())
            row = (
                add(known, name, [grant], digest=name, by="a", at=NOW) if grant else revoke(known, name, by="a", at=NOW)
            )
        except ConfigError:
            continue
        rows[name] = row
    assert any(row.may(ADMINISTER, EVERY, EVERY, NOW) for row in rows.values())
