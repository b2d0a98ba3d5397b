"""A prediction is followed to its raw data through stores that are dictionaries."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ops_pipelines.core.errors import ConfigError, NoAcceptedData
from ops_pipelines.core.lineage import Artefact, Origin, address
from ops_pipelines.core.release import Evidence, Manifest
from ops_pipelines.core.verdict import Passed
from ops_pipelines.core.walk import Explanation, explain
from ops_pipelines.mlops.prediction_log import LIVE, Answer
from ops_pipelines.mlops.provenance import Sources, room_of
from ops_pipelines.testing.release_store import InMemoryReleaseStore

NOON = datetime(2013, 3, 5, 12, tzinfo=UTC)
WEEK = "2013-03-05"
MANIFEST = Manifest("delay", {"model": "m" * 64, "dataset": "d" * 64})
RELEASE = MANIFEST.digest
BATCH, ONLINE = f"delay/{WEEK}/UA1/{RELEASE[:12]}", f"delay/online/7f3a/{RELEASE[:12]}"


def artefact(key: str, partition: str, digest: str, **inputs: str) -> Artefact:
    read = {name.replace("__", "@"): found for name, found in inputs.items()}
    return Artefact(key, partition, digest, Passed(), read, Origin("run-1", "c0ffee", "code", NOON))


RAW = artefact("flights", "w1", "f" * 64)
LAKE = [
    RAW,
    artefact("delay/training_set", "w1", "d" * 64, flights__w1="f" * 64),
    artefact("delay/predictions", WEEK, "p" * 64, flights__w1="f" * 64),
    artefact("delay/served", WEEK, "s" * 64),
]
ROW = {"score": 0.25, "release": RELEASE}
SERVED = {**ROW, "arm": LIVE, "asked_at": NOON, "served_at": NOON}


def sources(lake: list[Artefact] = LAKE, **others: Any) -> Sources:
    """A world in which one release made one prediction in a batch, and nothing online."""
    store = InMemoryReleaseStore()
    store.save(MANIFEST, Evidence(Passed(), None, NOON, {"run": "r", "training_set": "delay/training_set@w1"}))
    there = {found.address: found for found in lake}
    world = {"row": lambda at, name: ROW if (at, name) == (address("delay/predictions", WEEK), BATCH) else None}
    return Sources(
        store,
        ("delay",),
        there.get,
        there.get,
        **{**world, "size": {"m" * 64: 5, "d" * 64: 7}.get, "written": lambda: there, **others},
    )


def why(name: str, world: Sources) -> Explanation:
    return explain(name, [room_of(world)])


def steps(found: Explanation) -> list[tuple[int, str, str]]:
    return [(level, node.kind, node.id.partition("@")[0]) for level, node in found.nodes]


BEHIND = [(2, "artefact", "delay/training_set"), (2, "part", "dataset"), (2, "part", "model")]


def test_a_prediction_is_followed_to_its_release_its_training_set_and_the_raw_data() -> None:
    found = why(BATCH, sources())
    above = [(0, "prediction", BATCH), (1, "release", f"delay/{RELEASE}"), (1, "artefact", "delay/predictions")]
    assert steps(found) == [*above, *BEHIND, (2, "artefact", "flights")]
    assert found.missing == ()


def test_a_prediction_that_still_lies_in_the_log_leads_to_its_release() -> None:
    answer = Answer(ONLINE, "delay", RELEASE, LIVE, "UA1", NOON, NOON, 0.25, {"wind": 3.0})
    found = why(ONLINE, sources(online={ONLINE: answer}.get))
    assert steps(found)[:2] == [(0, "prediction", ONLINE), (1, "release", f"delay/{RELEASE}")]
    assert (found.nodes[0][1].facts["arm"], found.nodes[0][1].facts["entity"]) == (LIVE, "UA1")
    assert found.missing == ()


def test_a_prediction_that_was_compacted_leads_to_its_release_and_to_the_week_it_lies_in() -> None:
    found = why(ONLINE, sources(served={ONLINE: (f"delay/served@{WEEK}", SERVED)}.get))
    assert steps(found)[1:3] == [(1, "release", f"delay/{RELEASE}"), (1, "artefact", "delay/served")]
    assert found.missing == ()


def test_a_prediction_that_neither_the_log_nor_the_lake_has_is_said_to_be_nowhere() -> None:
    with pytest.raises(NoAcceptedData, match="in the log or in delay/served"):
        why(ONLINE, sources())


def test_raw_data_that_was_written_again_is_explained_by_the_record_of_what_was_read() -> None:
    world = sources([*LAKE[1:], replace(RAW, digest="e" * 64)])
    world = replace(world, replaced=lambda at, digest: RAW if (at, digest) == ("flights@w1", "f" * 64) else None)
    found = why(BATCH, world)
    (raw,) = [node for _, node in found.nodes if node.id == "flights@w1"]
    assert (raw.facts["digest"], raw.facts["run"], raw.facts["state"]) == (
        "f" * 12,
        "run-1",
        f"replaced since by {'e' * 12}",
    )
    assert found.missing == ()


def test_raw_data_of_which_nothing_is_left_is_a_missing_link() -> None:
    assert [(node.id, node.missing) for node in why(BATCH, sources(LAKE[1:])).missing] == [
        ("flights@w1", "no longer in the lake")
    ]


def test_a_training_set_that_is_gone_is_followed_by_its_kept_manifest() -> None:
    found = why(RELEASE[:8], sources([RAW], inputs=lambda digest: RAW_INPUT if digest == "d" * 64 else {}))
    assert [node.id for _, node in found.nodes][-1] == "flights@w1"
    assert found.missing == ()


RAW_INPUT = {"flights@w1": "f" * 64}


def test_a_part_whose_bytes_are_gone_is_a_missing_link() -> None:
    found = why(BATCH, sources(size={"d" * 64: 7}.get))
    assert [node.missing for node in found.missing] == [f"the bytes of model {'m' * 12} are not kept"]


def test_a_composite_leads_to_the_releases_that_it_uses() -> None:
    world = sources()
    desk = Manifest("desk", {"prompt": "q" * 64}, uses={"delay": RELEASE})
    world.releases.save(desk, Evidence(Passed(), None, NOON))
    found = why(desk.digest, replace(world, systems=("delay", "desk")))
    assert steps(found)[:3] == [
        (0, "release", f"desk/{desk.digest}"),
        (1, "release", f"delay/{RELEASE}"),
        (1, "part", "prompt"),
    ]


def test_an_entity_whose_key_holds_an_at_sign_is_still_a_prediction() -> None:
    with pytest.raises(NoAcceptedData, match="There is no prediction 'delay/w/a@b/0f3a'"):
        why("delay/w/a@b/0f3a", sources())


def test_an_address_at_which_nothing_was_written_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'flights@w1'"):
        why("flights@w2", sources())
