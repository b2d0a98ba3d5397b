from dataclasses import replace

import pytest

from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.release import Manifest, Move, Release, find_release
from ops_pipelines.testing.release_store import InMemoryReleaseStore, evidence_against, manifest_of, move_after

SYSTEM = "flight_delay"


@pytest.fixture
def store() -> InMemoryReleaseStore:
    return InMemoryReleaseStore()


def saved(store: InMemoryReleaseStore, model: str) -> Release:
    store.save(manifest_of(model), evidence_against(None))
    return find_release(store, SYSTEM, manifest_of(model).digest)


def test_a_release_is_its_behaviour_and_not_how_it_came_about() -> None:
    one, other = Release(manifest_of("a"), (evidence_against(None),)), Release(manifest_of("a"), ())
    assert one.digest == other.digest == manifest_of("a").digest


@pytest.mark.parametrize(
    "changed",
    [
        {"system": "other"},
        {"behaviour": {"model": "cd" * 32}},
        {"behaviour": {"model": "ab" * 32, "prompt": "ab" * 32}},
        {"uses": {"rag": "ab" * 32}},
        {"operates": ("desk",)},
    ],
)
def test_anything_that_decides_behaviour_moves_the_digest(changed) -> None:
    manifest = Manifest(SYSTEM, {"model": "ab" * 32})
    assert replace(manifest, **changed).digest != manifest.digest


def test_finding_a_release_needs_the_digits_of_exactly_one(store) -> None:
    release = saved(store, "a")
    assert find_release(store, SYSTEM, release.digest[:6]) == release
    for digits in ("", "zz"):
        with pytest.raises(ReleaseError, match="No release"):
            find_release(store, SYSTEM, digits)


def test_an_ambiguous_digest_is_refused(store) -> None:
    digests = [saved(store, str(number)).digest for number in range(17)]  # one more than there are first digits
    shared = next(digest[0] for digest in digests if sum(other[0] == digest[0] for other in digests) > 1)
    with pytest.raises(ReleaseError, match="More than one release"):
        find_release(store, SYSTEM, shared)


def test_a_move_survives_json() -> None:
    move = move_after(move_after(None, "a"), "b")
    assert Move.from_json(move.to_json()) == move
