"""The fake of `core.principal.PrincipalStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`:

    class TestOurStore(PrincipalStoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return OurStore(tmp_path)
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock

import pytest

from ops_pipelines.core.errors import LostRace
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.principal import ADMIN, PROMOTER, Grant, Principal, PrincipalStore, lost_row, token_digest

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)


class InMemoryPrincipalStore:
    """A PrincipalStore that forgets with its process. Like a real one it keeps JSON and not the caller's objects."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rows: list[bytes] = []

    def everybody(self) -> tuple[Principal, ...]:
        with self._lock:
            rows = [Principal.from_json(json.loads(content)) for content in self._rows]
        latest = {principal.name: principal for principal in rows}
        return tuple(sorted(latest.values(), key=lambda principal: principal.sequence))

    def by_token(self, token: str) -> Principal | None:
        digest = token_digest(token)
        return next((principal for principal in self.everybody() if principal.token_digest == digest), None)

    def register(self, principal: Principal) -> None:
        content = canonical_json(principal.to_json())
        with self._lock:
            if principal.sequence != len(self._rows) + 1:
                raise lost_row(principal)
            self._rows.append(content)


def principal_of(
    name: str, *grants: Grant, sequence: int = 1, token: str | None = None, expires: datetime | None = None
) -> Principal:
    """A row of a principal whose token is its name, unless told otherwise; an admin over everything without a grant."""
    digest = token_digest(name if token is None else token)
    return Principal(sequence, name, digest, grants or (Grant(ADMIN),), "ada", MONDAY, expires)


class PrincipalStoreConformance:
    """What every PrincipalStore guarantees, as tests of the fixture `store`."""

    def test_returns_what_was_registered_unchanged(self, store: PrincipalStore) -> None:
        grants = (Grant(PROMOTER, "flight_delay", "staging"), Grant(ADMIN))
        row = principal_of("ada", *grants, expires=MONDAY + timedelta(days=1, microseconds=7))
        store.register(row)
        assert store.everybody() == (row,)

    def test_nobody_is_known_at_first(self, store: PrincipalStore) -> None:
        assert (store.everybody(), store.by_token("ada"), store.by_token("")) == ((), None, None)

    def test_a_token_finds_its_principal_and_no_other_text_does(self, store: PrincipalStore) -> None:
        ada, bob = principal_of("ada"), principal_of("bob", sequence=2)
        for row in (ada, bob):
            store.register(row)
        assert [store.by_token(token) for token in ("ada", "bob", "ad", "adaa", "", ada.token_digest)] == [
            ada,
            bob,
            *[None] * 4,
        ]

    def test_a_later_row_of_a_name_supersedes_and_the_token_before_finds_nobody(self, store: PrincipalStore) -> None:
        first, second = principal_of("ada", token="old"), principal_of("ada", sequence=2, token="new")
        store.register(first)
        store.register(second)
        assert (store.everybody(), store.by_token("old"), store.by_token("new")) == ((second,), None, second)

    def test_a_revoked_principal_is_still_found_by_its_token(self, store: PrincipalStore) -> None:
        store.register(principal_of("ada"))
        revoked = replace(principal_of("ada", sequence=2), revoked=True)
        store.register(revoked)
        assert store.by_token("ada") == revoked

    def test_everybody_comes_in_the_order_of_their_last_rows(self, store: PrincipalStore) -> None:
        for number, name in enumerate(("cyd", "ada", "bob", "cyd"), start=1):
            store.register(principal_of(name, sequence=number, token=f"{name}{number}"))
        assert [row.name for row in store.everybody()] == ["ada", "bob", "cyd"]

    @pytest.mark.parametrize("number", [0, 1, 3])
    def test_a_row_takes_the_number_after_the_last_or_loses(self, store: PrincipalStore, number: int) -> None:
        store.register(principal_of("ada"))
        with pytest.raises(LostRace, match="principals changed"):
            store.register(principal_of("bob", sequence=number))
        assert [row.name for row in store.everybody()] == ["ada"]

    def test_threads_that_register_at_once_have_one_winner(self, store: PrincipalStore) -> None:
        start = Barrier(4)

        def wins(name: str) -> bool:
            start.wait()
            try:
                store.register(principal_of(name))
            except LostRace:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(wins, ["ada", "bob", "eve", "zoe"])) == 1
        assert len(store.everybody()) == 1
