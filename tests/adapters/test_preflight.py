"""A composite through the platform's own promotion and rollback, with releases whose parts are texts."""

from collections.abc import Iterator

import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.composite import compose, resolve
from ops_pipelines.core.errors import NotPromotable
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Manifest
from ops_pipelines.testing.release_store import evidence_against


@pytest.fixture
def platform(tmp_path, monkeypatch) -> Iterator[Platform]:
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    yield Platform.embedded(find_project(tmp_path))
    find_project.cache_clear()


def part(platform: Platform, system: str, text: str) -> str:
    """A release of a system whose only part is a text; its digest."""
    return saved(platform, Manifest(system, {"text": platform.objects.put(text.encode())}))


def desk(platform: Platform, text: str, **named) -> str:
    prompt = {"prompt": platform.objects.put(text.encode())}
    return saved(platform, compose("desk", prompt, **{"uses": {}, **named}))


def saved(platform: Platform, manifest: Manifest) -> str:
    platform.releases.save(manifest, evidence_against(platform.live(PRODUCTION, manifest.system)))
    return manifest.digest


def promote(platform: Platform, system: str, digest: str) -> None:
    platform.promote(system, digest, actor="ann", reason="it is better")


def test_a_composite_goes_live_alone_and_calls_what_was_pinned_after_that_has_moved_on(platform):
    first = part(platform, "delay", "first")
    promote(platform, "delay", first)
    promote(platform, "desk", desk(platform, "hello", uses={"delay": first}))
    assert len(platform.releases.history("delay", PRODUCTION)) == 1
    promote(platform, "delay", part(platform, "delay", "second"))
    whole = platform.release("desk", platform.live(PRODUCTION, "desk"))
    assert resolve(whole.manifest, "delay", lambda system: platform.live(PRODUCTION, system)) == first


def test_a_composite_whose_used_release_lost_a_part_is_not_promoted(platform):
    used = part(platform, "delay", "first")
    composite = desk(platform, "hello", uses={"delay": used})
    lost = platform.objects.put(b"first")
    (platform.objects.root / lost[:2] / lost).unlink()
    with pytest.raises(NotPromotable, match="of delay, which it uses, cannot be found"):
        promote(platform, "desk", composite)
    assert platform.live(PRODUCTION, "desk") is None


def test_a_composite_that_operates_what_is_not_live_is_not_promoted(platform):
    part(platform, "mail", "first")
    with pytest.raises(NotPromotable, match="it operates mail, of which nothing is live"):
        promote(platform, "desk", desk(platform, "hello", operates=("mail",)))


def test_a_composite_is_put_back_with_what_it_used_and_whatever_has_become_of_what_it_operates(platform):
    mail, used = part(platform, "mail", "first"), part(platform, "delay", "first")
    promote(platform, "mail", mail)
    before = desk(platform, "before", uses={"delay": used}, operates=("mail",))
    promote(platform, "desk", before)
    promote(platform, "desk", desk(platform, "after"))
    assert platform.roll_back("desk", None, actor="ann", reason="complaints").move.release == before


def test_a_composite_whose_used_release_is_lost_is_not_put_back(platform):
    promote(platform, "desk", desk(platform, "before", uses={"delay": part(platform, "delay", "first")}))
    promote(platform, "desk", desk(platform, "after"))
    lost = platform.objects.put(b"first")
    (platform.objects.root / lost[:2] / lost).unlink()
    with pytest.raises(NotPromotable, match="cannot be found"):
        platform.roll_back("desk", None, actor="ann", reason="complaints")
