"""A composite made by its two assets, in a home in which releases are texts."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pyarrow as pa
import pytest

from ops_pipelines.adapters.lineage_sources import rooms_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.release import Release, make_composition
from ops_pipelines.core.errors import ReleaseError
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.pointer import PRODUCTION
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Blocked, Passed, verdict_to_json
from ops_pipelines.core.walk import explain
from ops_pipelines.testing.release_store import evidence_against

DESK = "name: desk\nuses: {delay: live}\n"
NOON = datetime(2013, 1, 8, 12, tzinfo=UTC)


@pytest.fixture
def platform(tmp_path, monkeypatch) -> Iterator[Platform]:
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.delenv("OPS_HOME", raising=False)
    yield Platform.embedded(find_project(tmp_path))
    find_project.cache_clear()


def go_live(platform: Platform, text: str) -> str:
    """Another release of `delay`, live; its digest."""
    manifest = Manifest("delay", {"text": platform.objects.put(text.encode())})
    platform.releases.save(manifest, evidence_against(platform.live(PRODUCTION, "delay")))
    platform.promote("delay", manifest.digest, actor="ann", reason="it is better")
    return manifest.digest


def made(platform: Platform, yaml: str = DESK, *assets: str) -> dg.ExecuteInProcessResult:
    defs = Release.resolve_from_yaml(yaml).build_defs(None)
    wanted = [f"desk/{asset}" for asset in assets or ("composition", "release")]
    return dg.materialize(list(defs.assets), resources={"platform": platform}, selection=wanted, raise_on_error=False)


def test_what_is_live_is_pinned_gated_and_live_as_a_whole_and_its_parts_stay_where_they_are(platform):
    first = go_live(platform, "first")
    assert made(platform).success
    whole = platform.release("desk", platform.live(PRODUCTION, "desk"))
    assert whole.manifest.uses == {"delay": first}
    go_live(platform, "second")
    assert platform.live(PRODUCTION, "desk") == whole.digest
    assert explain(whole.digest, rooms_of(platform)).missing == ()


def test_composed_again_after_a_part_has_moved_it_is_another_release_and_the_first_can_come_back(platform):
    go_live(platform, "first")
    assert made(platform).success
    before = platform.live(PRODUCTION, "desk")
    go_live(platform, "second")
    assert made(platform).success
    assert platform.live(PRODUCTION, "desk") != before
    assert platform.roll_back("desk", None, actor="ann", reason="complaints").move.release == before


def test_a_used_release_may_be_named_by_its_first_digits(platform):
    first = go_live(platform, "first")
    go_live(platform, "second")
    assert made(platform, f"name: desk\nuses: {{delay: '{first[:8]}'}}\n").success
    assert platform.release("desk", platform.live(PRODUCTION, "desk")).manifest.uses == {"delay": first}


def test_a_used_system_of_which_nothing_is_live_is_named(platform):
    with pytest.raises(ReleaseError, match="Nothing of 'delay' is live"):
        make_composition(Release.resolve_from_yaml(DESK), platform, run_id="r")


@pytest.mark.parametrize(
    ("findings", "live"), [({"performance": Blocked(("worse",))}, False), ({"performance": Passed()}, True)]
)
def test_what_is_required_of_another_asset_has_to_have_passed_with_its_findings(platform, findings, live):
    go_live(platform, "first")
    facts = {"findings": {name: verdict_to_json(verdict) for name, verdict in findings.items()}}
    origin = Origin("r", "c", "code", NOON)
    platform.lake.publish(
        pa.table({"a": [1]}), Artefact("delay/performance", "2013-01-01", "d" * 64, Passed(), {}, origin, facts)
    )
    made(platform, DESK + "require: [delay/performance]\n")
    assert (platform.live(PRODUCTION, "desk") is not None) is live


def test_a_required_asset_that_was_never_written_is_not_a_pass(platform):
    go_live(platform, "first")
    made(platform, DESK + "require: [delay/performance]\n")
    (release,) = platform.releases.releases("desk")
    assert release.latest.verdict.why == "delay/performance: was never written"
    assert platform.live(PRODUCTION, "desk") is None


def test_a_composition_that_is_not_there_yet_cannot_go_live(platform):
    go_live(platform, "first")
    assert not made(platform, DESK, "release").success
