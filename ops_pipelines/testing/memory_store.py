"""The fake of `agentops.memory.MemoryStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Lock
from typing import Any

import pytest

from ops_pipelines.agentops.memory import Change, MemoryScope, MemoryStore, held, lost_race
from ops_pipelines.core.clock import utc
from ops_pipelines.core.errors import DataError, LostRace
from ops_pipelines.core.fingerprint import canonical_json

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TENANT, AGENT, OF_RUN = MemoryScope("acme"), MemoryScope("acme", "oncall"), MemoryScope("acme", "oncall", "r1")


class MemoryMemoryStore:
    """A MemoryStore that forgets with its process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._changes: dict[MemoryScope, list[Change]] = {}

    def append(self, scope: MemoryScope, changes: Sequence[Change], *, expected: int | None = None) -> int:
        kept = [_as_kept(change) for change in changes]
        with self._lock:
            before = len(self._changes.get(scope, ()))
            if expected is not None and before != expected:
                raise lost_race(scope, expected, before)
            if kept:
                self._changes.setdefault(scope, []).extend(kept)
            return before + len(kept)

    def changes(self, scope: MemoryScope, upto: int | None = None) -> tuple[Change, ...]:
        with self._lock:
            return tuple(self._changes.get(scope, ())[:upto])

    def scopes(self, tenant: str = "") -> tuple[MemoryScope, ...]:
        with self._lock:
            return tuple(sorted(scope for scope in self._changes if tenant in ("", scope.tenant)))


def change_of(key: str, value: Any = "x", **changes: Any) -> Change:
    """A change of a key by `oncall` on Monday, from a user; `changes` are fields of it."""
    return replace(Change(key, value, "oncall", "user", MONDAY, "r1", "00f067aa0ba902b7"), **changes)


class MemoryStoreConformance:
    """What every MemoryStore guarantees, as tests of the fixture `store`."""

    def test_returns_what_was_kept_unchanged_and_in_order(self, store: MemoryStore) -> None:
        changes = (change_of("naïve ☂", {"a": [1, None, "☂"]}, reason="r"), change_of("b", None), change_of("b", 0))
        assert store.append(AGENT, changes[:1]) == 1
        assert store.append(AGENT, changes[1:]) == 3
        assert store.changes(AGENT) == changes

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, store: MemoryStore) -> None:
        store.append(AGENT, [change_of("a", at=MONDAY.astimezone(timezone(timedelta(hours=-5))))])
        (found,) = store.changes(AGENT)
        assert (found.at, found.at.tzinfo) == (MONDAY, UTC)

    def test_a_version_is_what_its_first_changes_come_to(self, store: MemoryStore) -> None:
        store.append(AGENT, [change_of("a", 1), change_of("a", 2), change_of("a", None)])
        assert [held(store.changes(AGENT, version)) for version in range(4)] == [{}, {"a": 1}, {"a": 2}, {}]

    def test_scopes_are_kept_apart_and_no_tenant_sees_anothers(self, store: MemoryStore) -> None:
        other = MemoryScope("globex", "oncall")
        for number, scope in enumerate((TENANT, AGENT, OF_RUN, other)):
            store.append(scope, [change_of("a", number)])
        assert [held(store.changes(scope))["a"] for scope in (TENANT, AGENT, OF_RUN, other)] == [0, 1, 2, 3]
        assert (store.scopes("acme"), store.scopes("globex")) == ((TENANT, AGENT, OF_RUN), (other,))
        assert store.scopes() == (TENANT, AGENT, OF_RUN, other)

    def test_a_change_of_another_version_than_expected_is_refused_and_not_kept(self, store: MemoryStore) -> None:
        assert store.append(AGENT, [change_of("a")], expected=0) == 1
        with pytest.raises(LostRace, match="at version 1 by now, not 0"):
            store.append(AGENT, [change_of("b")], expected=0)
        assert len(store.changes(AGENT)) == 1

    def test_what_cannot_be_kept_is_refused_with_all_that_came_with_it(self, store: MemoryStore) -> None:
        with pytest.raises(DataError, match="'bad'"):
            store.append(AGENT, [change_of("a"), change_of("bad", float("nan"))])
        assert (store.changes(AGENT), store.scopes("acme")) == ((), ())

    def test_an_empty_store_holds_nothing_and_no_change_makes_no_version(self, store: MemoryStore) -> None:
        assert (store.changes(AGENT), store.scopes("acme"), store.append(AGENT, []), store.scopes("acme")) == (
            (),
            (),
            0,
            (),
        )

    def test_of_writers_who_expect_the_same_version_one_wins(self, store: MemoryStore) -> None:
        def write(number: int) -> bool:
            try:
                store.append(AGENT, [change_of("a", number)], expected=0)
            except LostRace:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(write, range(20))) == 1

    def test_threads_that_write_at_once_lose_nothing(self, store: MemoryStore) -> None:
        with ThreadPoolExecutor(4) as pool:
            versions = list(pool.map(lambda n: store.append(AGENT, [change_of(str(n))]), range(40)))
        assert sorted(versions) == list(range(1, 41))
        assert len(held(store.changes(AGENT))) == 40


def _as_kept(change: Change) -> Change:
    try:
        canonical_json(change.value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The value of {change.key!r} cannot be remembered: {error}",
            expected="plain JSON",
            action="Keep text instead",
        ) from error
    return replace(change, at=utc(change.at))
