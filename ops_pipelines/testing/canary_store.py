"""The fake of `mlops.canary.CanaryStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`:

    class TestOurStore(CanaryStoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return OurStore(tmp_path)
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from threading import Barrier, Lock

import pytest

from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated
from ops_pipelines.mlops.canary import Canary, CanaryStore, Ending, check_begins, check_ends

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
HERE = ("flight_delay", "production")


class MemoryCanaryStore:
    """A CanaryStore that forgets with its process. Like a real one it keeps JSON and not the caller's objects."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._begun: list[bytes] = []
        self._ended: list[bytes] = []

    def begin(self, canary: Canary) -> None:
        with self._lock:
            check_begins(canary, self.running(canary.system, canary.environment))
            self._begun.append(canonical_json(canary.to_json()))

    def end(self, ending: Ending) -> None:
        with self._lock:
            check_ends(ending, self.running(ending.system, ending.environment))
            self._ended.append(canonical_json(ending.to_json()))

    def running(self, system: str, environment: str) -> Canary | None:
        begun = self._canaries(system, environment)
        return begun[-1] if len(begun) > len(self._endings(system, environment)) else None

    def past(self, system: str, environment: str) -> tuple[tuple[Canary, Ending], ...]:
        pairs = zip(self._canaries(system, environment), self._endings(system, environment), strict=False)
        return tuple(pairs)

    def _canaries(self, system: str, environment: str) -> list[Canary]:
        rows = [Canary.from_json(json.loads(content)) for content in self._begun]
        return [row for row in rows if (row.system, row.environment) == (system, environment)]

    def _endings(self, system: str, environment: str) -> list[Ending]:
        rows = [Ending.from_json(json.loads(content)) for content in self._ended]
        return [row for row in rows if (row.system, row.environment) == (system, environment)]


def canary_of(candidate: str = "c" * 64, *, share: float = 0.1, actor: str = "ada", salt: str = "salt") -> Canary:
    """A canary of the flights in production, begun an hour after Monday by the wall clock."""
    at = MONDAY + timedelta(hours=1, microseconds=7)
    return Canary(*HERE, candidate, "a" * 64, share, salt, actor, "it won its gate", MONDAY, at)


def ending_of(canary: Canary, *, actor: str = "bob", reason: str = "enough seen") -> Ending:
    """The end of a canary by a person, who did not wait for its verdict."""
    told = (canary.system, canary.environment, canary.candidate, actor, reason)
    return Ending(*told, NotEvaluated("cannot tell yet"), canary.as_of, canary.at)


class CanaryStoreConformance:
    """What every CanaryStore guarantees, as tests of the fixture `store`."""

    def test_nothing_runs_and_nothing_is_past_where_nothing_was_begun(self, store: CanaryStore) -> None:
        assert store.running(*HERE) is None
        assert store.past(*HERE) == ()

    def test_what_was_begun_runs_and_comes_back_unchanged(self, store: CanaryStore) -> None:
        canary = replace(canary_of(actor="Zoë", salt="☂"), reason='"quoted"\n; and more')
        store.begin(canary)
        assert store.running(*HERE) == canary
        assert store.past(*HERE) == ()

    def test_an_instant_comes_back_as_the_same_instant_in_utc(self, store: CanaryStore) -> None:
        store.begin(replace(canary_of(), as_of=MONDAY.astimezone(timezone(timedelta(hours=-5)))))
        running = store.running(*HERE)
        assert running is not None
        assert (running.as_of, running.as_of.tzinfo) == (MONDAY, UTC)

    def test_a_second_one_is_refused_and_told_who_runs_the_first(self, store: CanaryStore) -> None:
        first = canary_of("1" * 64)
        store.begin(first)
        with pytest.raises(ReleaseError, match="111111111111 with 10% of the requests, begun by ada: it won its gate"):
            store.begin(canary_of("2" * 64, actor="bob"))
        assert store.running(*HERE) == first

    def test_what_ended_runs_no_more_and_is_past_with_its_verdict(self, store: CanaryStore) -> None:
        canary = canary_of()
        ending = replace(ending_of(canary), verdict=Blocked(("it does harm",), {"harm": 0.25}))
        store.begin(canary)
        store.end(ending)
        assert store.running(*HERE) is None
        assert store.past(*HERE) == ((canary, ending),)

    def test_the_next_one_may_begin_when_the_first_has_ended(self, store: CanaryStore) -> None:
        first, second = canary_of("1" * 64), canary_of("2" * 64)
        store.begin(first)
        store.end(ending_of(first))
        store.begin(second)
        assert store.running(*HERE) == second
        assert [canary for canary, _ in store.past(*HERE)] == [first]

    def test_one_release_may_be_tried_again_and_each_time_is_kept(self, store: CanaryStore) -> None:
        for actor in ("ada", "bob"):
            store.begin(canary_of(actor=actor))
            store.end(ending_of(canary_of(), reason=f"{actor} saw enough"))
        told = [(canary.actor, ending.reason) for canary, ending in store.past(*HERE)]
        assert told == [("ada", "ada saw enough"), ("bob", "bob saw enough")]

    def test_nothing_can_be_ended_where_nothing_runs(self, store: CanaryStore) -> None:
        with pytest.raises(ReleaseError, match="none runs"):
            store.end(ending_of(canary_of()))
        assert store.past(*HERE) == ()

    def test_the_end_of_another_candidate_leaves_the_one_that_runs(self, store: CanaryStore) -> None:
        canary = canary_of("1" * 64)
        store.begin(canary)
        with pytest.raises(ReleaseError, match="the one of 111111111111 runs"):
            store.end(ending_of(canary_of("2" * 64)))
        assert store.running(*HERE) == canary

    def test_systems_and_environments_do_not_see_each_other(self, store: CanaryStore) -> None:
        canary = canary_of()
        store.begin(canary)
        store.begin(replace(canary, system="desk"))
        store.begin(replace(canary, environment="staging"))
        store.end(ending_of(replace(canary, system="desk")))
        assert store.running("desk", "production") is None
        assert store.running(*HERE) == canary
        assert store.past(*HERE) == ()

    def test_of_threads_that_begin_at_once_one_does(self, store: CanaryStore) -> None:
        begun = _who_succeeds(lambda name: store.begin(canary_of(name * 64, actor=name)))
        running = store.running(*HERE)
        assert running is not None
        assert begun == [running.actor]

    def test_of_threads_that_end_at_once_one_does(self, store: CanaryStore) -> None:
        store.begin(canary_of())
        ended = _who_succeeds(lambda name: store.end(ending_of(canary_of(), actor=name)))
        assert [ending.actor for _, ending in store.past(*HERE)] == ended
        assert len(ended) == 1


def _who_succeeds(act: Callable[[str], None]) -> list[str]:
    """The names of the threads, of four at once, whose act was not refused."""
    start = Barrier(4)

    def attempt(name: str) -> bool:
        start.wait()
        try:
            act(name)
        except ReleaseError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        return [name for name, done in zip("abde", pool.map(attempt, "abde"), strict=True) if done]
