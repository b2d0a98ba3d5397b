import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.rebuild import Rebuilt, rebuild
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed, reasons_of

Kept = dict[str, bytes]
PARTS = {"model": b"trees", "recipe": b"seed 7", "environment": b"numpy==2"}


def kept(parts: dict[str, bytes] = PARTS) -> tuple[Manifest, Kept]:
    """A release of some parts, and the store that holds their bytes by digest."""
    digests = {name: digest_bytes(content) for name, content in parts.items()}
    return Manifest("delay", digests), {digests[name]: content for name, content in parts.items()}


def again(manifest: Manifest, store: Kept, *others: Manifest) -> Rebuilt:
    known = {(other.system, other.digest): other for other in others}
    return rebuild(manifest.digest, manifest, store.get, lambda *named: known.get(named))


def test_the_same_bytes_make_the_same_release() -> None:
    manifest, store = kept()
    made = again(manifest, store)
    assert (made.again, made.verdict) == (
        manifest.digest,
        Passed({"release": manifest.digest, "rebuilt": manifest.digest, "parts": 3}),
    )


@given(st.sampled_from(sorted(PARTS)), st.data())
def test_one_flipped_bit_of_any_part_gives_another_release_and_names_the_part(part: str, data: st.DataObject) -> None:
    manifest, store = kept()
    content = bytearray(PARTS[part])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    made = again(manifest, {**store, manifest.behaviour[part]: bytes(content)})
    assert made.again != manifest.digest
    assert isinstance(made.verdict, Blocked)
    assert reasons_of(made.verdict)[0].startswith(f"its {part} ")
    assert [each.name for each in made.parts if each.problem] == [part]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_gone_is_named(part: str) -> None:
    manifest, store = kept()
    del store[manifest.behaviour[part]]
    made = again(manifest, store)
    assert reasons_of(made.verdict) == (f"its {part} {manifest.behaviour[part][:12]} is missing",)
    assert made.again != manifest.digest


def test_a_composite_is_rebuilt_from_the_parts_of_what_it_uses() -> None:
    used, store = kept()
    desk = Manifest("desk", {"prompt": digest_bytes(b"hello")}, uses={"delay": used.digest}, operates=("mail",))
    store[desk.behaviour["prompt"]] = b"hello"
    assert again(desk, store, used).again == desk.digest
    store[used.behaviour["model"]] = b"other trees"
    assert reasons_of(again(desk, store, used).verdict)[0].startswith("its delay's model ")


def test_a_used_release_that_nobody_knows_is_named() -> None:
    desk = Manifest("desk", {}, uses={"delay": "ab" * 32})
    assert reasons_of(again(desk, {}).verdict) == ("its delay's release abababababab is missing",)


def test_a_release_without_parts_proves_nothing() -> None:
    assert isinstance(again(Manifest("empty", {}), {}).verdict, NotEvaluated)
