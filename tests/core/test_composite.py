"""A desk uses a model and operates a mail system; who is who does not matter to the rules."""

import pytest

from ops_pipelines.core.composite import Fits, compose, judge_composition, resolve
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.release import Manifest, Release, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, Verdict, reasons_of
from ops_pipelines.testing.release_store import InMemoryReleaseStore, evidence_against, manifest_of

GONE = "f" * 64


class World:
    """Some releases, and what is live; every part is there unless it is lost."""

    def __init__(self) -> None:
        self.store, self.live, self.lost = InMemoryReleaseStore(), {"mail": "e" * 64}, set[str]()

    def release(self, manifest: Manifest) -> Release:
        self.store.save(manifest, evidence_against(None))
        return find_release(self.store, manifest.system, manifest.digest)

    def find(self, system: str, digest: str) -> Release | None:
        every = [release for name in self.store.systems() for release in self.store.releases(name)]
        return next((release for release in every if release.digest == digest), None)

    def judge(self, release: Release, **fits: Fits) -> Verdict:
        return judge_composition(
            release, find=self.find, resolves=lambda _, digest: digest not in self.lost, live=self.live.get, fits=fits
        )


@pytest.fixture
def world() -> World:
    return World()


def desk(*, uses: dict[str, str] | None = None, operates: tuple[str, ...] = ()) -> Manifest:
    return compose("desk", {"prompt": "a" * 64}, uses=uses or {}, operates=operates)


def test_a_composite_of_known_parts_passes_and_names_what_it_uses(world: World) -> None:
    model = world.release(manifest_of("a"))
    whole = world.release(desk(uses={"flight_delay": model.digest}, operates=("mail",)))
    verdict = world.judge(whole)
    assert isinstance(verdict, Passed)
    assert verdict.evidence["composition"]["uses"] == {"flight_delay": model.digest}


def test_a_release_that_uses_nothing_passes(world: World) -> None:
    assert isinstance(world.judge(world.release(manifest_of("a"))), Passed)


def test_a_used_release_that_nobody_knows_is_refused(world: World) -> None:
    whole = world.release(desk(uses={"flight_delay": GONE}))
    assert reasons_of(world.judge(whole)) == (f"desk uses flight_delay {GONE[:12]}, which nobody knows",)


def test_a_used_release_of_another_system_is_refused(world: World) -> None:
    whole = world.release(desk(uses={"duration": world.release(manifest_of("a")).digest}))
    assert "as duration, and it is a release of flight_delay" in reasons_of(world.judge(whole))[0]


@pytest.mark.parametrize("depth", [1, 3])
def test_a_lost_part_is_found_however_far_down(world: World, depth: int) -> None:
    below = world.release(manifest_of("a", system="s0"))
    world.lost = set(below.manifest.behaviour.values())
    for level in range(1, depth):
        below = world.release(Manifest(f"s{level}", {}, uses={f"s{level - 1}": below.digest}))
    whole = world.release(desk(uses={below.manifest.system: below.digest}))
    assert reasons_of(world.judge(whole)) == (
        f"the model {min(world.lost)[:12]} of s0, which it uses, cannot be found",
    )


def test_a_system_that_uses_an_older_release_of_itself_is_refused(world: World) -> None:
    older = world.release(desk())
    model = world.release(Manifest("delay", {}, uses={"desk": older.digest}))
    whole = world.release(desk(uses={"delay": model.digest}))
    assert reasons_of(world.judge(whole)) == ("it is a part of itself: desk uses delay uses desk",)


def test_an_operated_system_has_to_be_live_in_the_environment(world: World) -> None:
    whole = world.release(desk(operates=("mail",)))
    assert isinstance(world.judge(whole), Passed)
    world.live.clear()
    assert reasons_of(world.judge(whole)) == ("it operates mail, of which nothing is live",)


def test_what_it_operates_is_not_looked_at_where_nobody_asks_what_is_live(world: World) -> None:
    whole = world.release(desk(operates=("nowhere",)))
    assert isinstance(judge_composition(whole, find=world.find, resolves=lambda *_: True, fits={}), Passed)


def test_what_rooms_say_is_asked_of_every_release_of_the_tree(world: World) -> None:
    model = world.release(manifest_of("a"))
    whole = world.release(desk(uses={"flight_delay": model.digest}))

    def refuse_models(release: Release) -> Verdict:
        return Blocked(("it has no seats",)) if "model" in release.manifest.behaviour else Passed()

    assert reasons_of(world.judge(whole, features=refuse_models)) == ("it has no seats",)


def test_a_room_that_could_not_tell_does_not_let_it_pass(world: World) -> None:
    verdict = world.judge(world.release(manifest_of("a")), features=lambda _: NotEvaluated("no schema"))
    assert verdict == NotEvaluated("features of flight_delay: no schema", verdict.evidence)


def test_a_used_system_is_called_by_its_pinned_digest_whatever_is_live_by_now(world: World) -> None:
    whole = world.release(desk(uses={"flight_delay": GONE}, operates=("mail",)))
    assert resolve(whole.manifest, "flight_delay", {"flight_delay": "0" * 64}.get) == GONE


def test_an_operated_system_is_called_by_its_pointer_at_each_call(world: World) -> None:
    whole, live = world.release(desk(operates=("mail",))), {"mail": "1" * 64}
    assert resolve(whole.manifest, "mail", live.get) == "1" * 64
    live["mail"] = "2" * 64
    assert resolve(whole.manifest, "mail", live.get) == "2" * 64


@pytest.mark.parametrize(("system", "why"), [("mail", "nothing of it is live"), ("bank", "neither uses nor operates")])
def test_what_cannot_be_called_says_why(world: World, system: str, why: str) -> None:
    with pytest.raises(ReleaseError, match=why):
        resolve(world.release(desk(operates=("mail",))).manifest, system, {}.get)


@pytest.mark.parametrize(
    ("uses", "operates"), [({"desk": GONE}, ()), ({}, ("desk",)), ({"mail": GONE}, ("mail",)), ({}, ("mail", "mail"))]
)
def test_a_composite_of_itself_or_of_one_system_twice_is_no_composite(uses: dict[str, str], operates: tuple) -> None:
    with pytest.raises(ReleaseError, match="is itself, or is named twice"):
        desk(uses=uses, operates=operates)


def test_the_order_in_which_things_are_named_does_not_make_another_release() -> None:
    assert desk(operates=("mail", "bank")).digest == desk(operates=("bank", "mail")).digest
