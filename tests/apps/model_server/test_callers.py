"""Who may ask a served system: tokens, grants, and what holds while nobody can look them up."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ops_pipelines.apps.model_server.callers import Callers
from ops_pipelines.apps.model_server.http import Refused
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.principal import CALLER, PROMOTER, Grant
from ops_pipelines.testing.principal_store import MONDAY, InMemoryPrincipalStore, principal_of

SYSTEM = "flight_delay"
HERE = Grant(CALLER, SYSTEM, PRODUCTION)


class Door:
    """Callers over principals in memory: each registered one is known at the next look, unless the store is gone."""

    def __init__(self):
        self.principals, self.rows = InMemoryPrincipalStore(), 0
        self.now, self.written, self.gone = MONDAY, False, None
        self.callers = Callers(self, self.has_changed, lambda: self.now, environment=PRODUCTION)

    def has_changed(self):
        changed, self.written = self.written, False
        return changed

    def everybody(self):
        if self.gone:
            raise self.gone
        return self.principals.everybody()

    def register(self, name, *grants, **more):
        return self.write(principal_of(name, *grants, **more))

    def revoke(self, row):
        return self.write(replace(row, revoked=True))

    def write(self, row):
        self.rows += 1
        row = replace(row, sequence=self.rows)
        self.principals.register(row)
        self.written = True
        self.callers.follow()
        return row

    def status(self, token, *, system=SYSTEM, scheme="Bearer "):
        headers = [] if token is None else [(b"authorization", f"{scheme}{token}".encode())]
        try:
            self.callers.check({"headers": headers}, system)
        except Refused as error:
            return error.status
        return 200


@pytest.fixture
def door():
    door = Door()
    door.register("ada")
    return door


def test_whoever_was_granted_the_system_here_may_ask_it(door):
    door.register("bob", HERE)
    assert (door.status("bob"), door.status("bob", scheme="bearer   ")) == (200, 200)


@pytest.mark.parametrize("token", [None, "", "nobody", "bo", "bobb", "BOB"])
def test_no_token_and_an_unknown_one_are_asked_for_one(door, token):
    door.register("bob", HERE)
    assert door.status(token) == 401


@pytest.mark.parametrize("scheme", ["", "Basic ", "Bearer", "Token "])
def test_a_token_by_another_scheme_is_none(door, scheme):
    door.register("bob", HERE)
    assert door.status("bob", scheme=scheme) == 401


def test_a_digest_that_was_read_in_the_store_is_no_token(door):
    assert door.status(door.register("bob", HERE).token_digest) == 401


@pytest.mark.parametrize(
    "grant",
    [Grant(PROMOTER, SYSTEM, PRODUCTION), Grant(CALLER, "desk", PRODUCTION), Grant(CALLER, SYSTEM, "staging")],
    ids=["another role", "another system", "another environment"],
)
def test_a_known_token_without_this_grant_is_refused(door, grant):
    door.register("bob", grant)
    assert door.status("bob") == 403


def test_a_token_holds_until_the_instant_of_its_expiry(door):
    door.register("bob", HERE, expires=MONDAY + timedelta(days=1))
    assert door.status("bob") == 200
    door.now = MONDAY + timedelta(days=1)
    assert door.status("bob") == 403


def test_a_revoked_token_is_refused_at_the_next_look(door):
    door.revoke(door.register("bob", HERE))
    assert door.status("bob") == 403


def test_before_anybody_is_registered_nobody_may_ask_since_tokens_were_asked_for():
    empty = Door()
    empty.callers.follow()
    assert (empty.status(None), empty.status("ada")) == (401, 401)


@pytest.mark.parametrize("raised", [DataError("gone", expected="-", action="-"), OSError("gone"), RuntimeError("?")])
def test_while_the_store_is_gone_the_last_known_still_hold(door, raised):
    door.register("bob", HERE)
    door.gone = raised
    door.written = True
    door.callers.follow()
    assert (door.status("bob"), door.status("nobody")) == (200, 401)


def test_a_revocation_that_could_not_be_read_is_read_at_the_next_look(door):
    bob = door.register("bob", HERE)
    door.gone = DataError("locked", expected="-", action="-")
    door.revoke(bob)
    door.gone = None
    door.callers.follow()
    assert door.status("bob") == 403
