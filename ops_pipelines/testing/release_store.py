"""The fake of `core.release.ReleaseStore`, and the conformance suite that the fake and every adapter run.

A team that writes a store of its own subclasses the suite and gives it a fixture named `store`:

    class TestOurStore(ReleaseStoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return OurStore(tmp_path)
"""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Lock
from typing import Any

import pytest

from ops_pipelines.core.errors import LostRace
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes
from ops_pipelines.core.pointer import PRODUCTION, check_chain, lost_race
from ops_pipelines.core.release import Evidence, IndexedReleaseStore, Manifest, Move, Release, ReleaseStore
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict

NEW_YEAR = datetime(2013, 1, 1, tzinfo=UTC)


class InMemoryReleaseStore:
    """A ReleaseStore that forgets with its process. Like a real one it keeps JSON and not the caller's objects."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._manifests: dict[str, bytes] = {}
        self._evidence: dict[str, dict[str, bytes]] = {}
        self._moves: dict[tuple[str, str], list[Move]] = {}

    def save(self, manifest: Manifest, evidence: Evidence) -> None:
        content, proof = canonical_json(manifest.to_json()), canonical_json(evidence.to_json())
        with self._lock:
            self._manifests.setdefault(manifest.digest, content)
            self._evidence.setdefault(manifest.digest, {}).setdefault(evidence.digest, proof)

    def releases(self, system: str) -> tuple[Release, ...]:
        with self._lock:
            kept = [
                Release(
                    Manifest.from_json(json.loads(content)),
                    tuple(Evidence.from_json(json.loads(proof)) for proof in self._evidence[digest].values()),
                )
                for digest, content in self._manifests.items()
            ]
        return tuple(release for release in kept if release.manifest.system == system)

    def systems(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(sorted({json.loads(content)["system"] for content in self._manifests.values()}))

    def append(self, move: Move) -> None:
        with self._lock:
            moves = self._moves.setdefault((move.system, move.environment), [])
            expected = (moves[-1].sequence + 1, moves[-1].hash) if moves else (1, "")
            if (move.sequence, move.previous) != expected:
                raise lost_race(move)
            moves.append(move)

    def history(self, system: str, environment: str) -> tuple[Move, ...]:
        with self._lock:
            return tuple(self._moves.get((system, environment), ()))


def manifest_of(model: str, *, system: str = "flight_delay") -> Manifest:
    """A manifest whose only behaviour is a model with this text as its content."""
    return Manifest(system, {"model": digest_bytes(model.encode())})


def evidence_against(
    baseline: str | None, *, verdict: Verdict | None = None, cut_off: datetime = NEW_YEAR, run: str = "run-1"
) -> Evidence:
    """Evidence of a gate (that passed, unless told otherwise) which compared with the release `baseline`."""
    return Evidence(verdict or Passed({"gain": 0.0125}), baseline, cut_off, {"run": run})


def move_after(
    last: Move | None,
    release: str,
    *,
    system: str = "flight_delay",
    environment: str = PRODUCTION,
    actor: str = "ada",
    as_of: datetime = NEW_YEAR,
) -> Move:
    """The promotion of a release's digest that follows a row, or that opens a history."""
    return Move(
        system=system,
        environment=environment,
        sequence=last.sequence + 1 if last else 1,
        release=release,
        evidence=digest_bytes(b"evidence"),
        action="promote",
        actor=actor,
        reason="it is better",
        as_of=as_of,
        at=as_of + timedelta(hours=1, microseconds=7),
        previous=last.hash if last else "",
    )


class ReleaseStoreConformance:
    """What every ReleaseStore guarantees, as tests of the fixture `store`."""

    def test_returns_a_saved_manifest_unchanged(self, store: ReleaseStore) -> None:
        manifest = Manifest("flight_delay", {"model": "ab" * 32, "naïve ☂": "cd" * 32}, {"rag": "ef" * 32}, ("desk",))
        store.save(manifest, evidence_against(None))
        assert [release.manifest for release in store.releases("flight_delay")] == [manifest]

    @pytest.mark.parametrize(
        "verdict",
        [
            Passed({"gain": 0.1 + 0.2, "rows": 3, "slices": [{"name": "ewr"}]}),
            Blocked(("worse", "old")),
            NotEvaluated("?"),
        ],
        ids=["passed", "blocked", "not evaluated"],
    )
    def test_returns_saved_evidence_unchanged(self, store: ReleaseStore, verdict: Verdict) -> None:
        cut_off = NEW_YEAR + timedelta(microseconds=1)
        evidence = Evidence(verdict, "ab" * 32, cut_off, {"auc": 0.7123456789012345, "notes": None, "who": "Zoë"})
        store.save(manifest_of("a"), evidence)
        assert store.releases("flight_delay")[0].evidence == (evidence,)

    def test_saving_the_same_pair_again_changes_nothing(self, store: ReleaseStore) -> None:
        first, second = evidence_against(None, run="run-1"), evidence_against(None, run="run-2")
        for evidence in (first, second, first):
            store.save(manifest_of("a"), evidence)
        assert store.releases("flight_delay") == (Release(manifest_of("a"), (first, second)),)

    def test_appends_evidence_in_the_order_in_which_it_came(self, store: ReleaseStore) -> None:
        came = tuple(evidence_against(None, run=f"run-{number}") for number in (3, 1, 2))
        for evidence in came:
            store.save(manifest_of("a"), evidence)
        assert store.releases("flight_delay")[0].evidence == came

    def test_the_same_evidence_may_belong_to_two_releases(self, store: ReleaseStore) -> None:
        for model in ("a", "b"):
            store.save(manifest_of(model), evidence_against(None))
        assert [release.evidence for release in store.releases("flight_delay")] == [(evidence_against(None),)] * 2

    def test_lists_releases_in_the_order_in_which_they_were_first_saved(self, store: ReleaseStore) -> None:
        for model in ("c", "a", "b", "c"):
            store.save(manifest_of(model), evidence_against(None))
        expected = [manifest_of(model).digest for model in ("c", "a", "b")]
        assert [release.digest for release in store.releases("flight_delay")] == expected

    def test_keeps_what_was_saved_and_not_the_callers_object(self, store: ReleaseStore) -> None:
        behaviour = {"model": "ab" * 32}
        store.save(Manifest("flight_delay", behaviour), evidence_against(None))
        behaviour["model"] = "cd" * 32
        assert store.releases("flight_delay")[0].manifest.behaviour == {"model": "ab" * 32}

    def test_lists_only_the_releases_of_the_system_asked_for(self, store: ReleaseStore) -> None:
        store.save(manifest_of("a", system="flight_delay"), evidence_against(None))
        store.save(manifest_of("a", system="desk"), evidence_against(None))
        assert [release.manifest.system for release in store.releases("desk")] == ["desk"]

    def test_names_every_system_that_has_a_release(self, store: IndexedReleaseStore) -> None:
        assert store.systems() == ()
        for system in ("flight_delay", "desk", "flight_delay"):
            store.save(manifest_of("a", system=system), evidence_against(None))
        assert store.systems() == ("desk", "flight_delay")

    def test_an_unknown_system_has_no_release_and_no_history(self, store: ReleaseStore) -> None:
        assert store.releases("nobody") == ()
        assert store.history("nobody", PRODUCTION) == ()

    def test_moves_come_back_unchanged_and_in_order(self, store: ReleaseStore) -> None:
        moves = _append_chain(store, ["a", "b", "a"])
        assert store.history("flight_delay", PRODUCTION) == tuple(moves)
        check_chain(store.history("flight_delay", PRODUCTION))

    def test_of_two_first_moves_the_second_loses(self, store: ReleaseStore) -> None:
        store.append(move_after(None, "a"))
        with pytest.raises(LostRace):
            store.append(move_after(None, "b"))
        assert [move.release for move in store.history("flight_delay", PRODUCTION)] == ["a"]

    def test_of_two_moves_after_the_same_row_the_second_loses(self, store: ReleaseStore) -> None:
        last = _append_chain(store, ["a", "b"])[-1]
        store.append(move_after(last, "c"))
        with pytest.raises(LostRace):
            store.append(move_after(last, "d"))
        assert [move.release for move in store.history("flight_delay", PRODUCTION)] == ["a", "b", "c"]

    def test_a_move_that_was_appended_cannot_be_appended_again(self, store: ReleaseStore) -> None:
        (move,) = _append_chain(store, ["a"])
        with pytest.raises(LostRace):
            store.append(move)
        assert store.history("flight_delay", PRODUCTION) == (move,)

    @pytest.mark.parametrize("wrong", [{"previous": "ab" * 32}, {"previous": ""}, {"sequence": 3}, {"sequence": 1}])
    def test_a_move_has_to_name_both_the_hash_and_the_number_of_the_last_row(
        self, store: ReleaseStore, wrong: dict[str, Any]
    ) -> None:
        (move,) = _append_chain(store, ["a"])
        with pytest.raises(LostRace):
            store.append(replace(move_after(move, "b"), **wrong))
        assert store.history("flight_delay", PRODUCTION) == (move,)

    def test_a_move_after_a_row_that_is_not_there_loses(self, store: ReleaseStore) -> None:
        with pytest.raises(LostRace):
            store.append(move_after(move_after(None, "a"), "b"))
        assert store.history("flight_delay", PRODUCTION) == ()

    def test_threads_that_move_at_once_have_one_winner(self, store: ReleaseStore) -> None:
        last = _append_chain(store, ["start"])[-1]
        start = Barrier(4)

        def wins(release: str) -> bool:
            start.wait()
            try:
                store.append(move_after(last, release))
            except LostRace:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(wins, "abcd")) == 1
        assert len(store.history("flight_delay", PRODUCTION)) == 2

    def test_environments_and_systems_have_pointers_of_their_own(self, store: ReleaseStore) -> None:
        for system, environment in (("x", "production"), ("x", "staging"), ("y", "production")):
            store.append(move_after(None, f"{system} in {environment}", system=system, environment=environment))
        assert [move.release for move in store.history("x", "staging")] == ["x in staging"]
        assert [move.release for move in store.history("y", "production")] == ["y in production"]


def _append_chain(store: ReleaseStore, releases: list[str]) -> list[Move]:
    moves: list[Move] = []
    for release in releases:
        moves.append(move_after(moves[-1] if moves else None, release))
        store.append(moves[-1])
    return moves
