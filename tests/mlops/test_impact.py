from datetime import UTC, datetime, timedelta

import pytest

from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.reach import reach
from ops_pipelines.core.release import Evidence, Manifest, Release
from ops_pipelines.core.verdict import Blocked, Passed, verdict_to_json
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable
from ops_pipelines.mlops.impact import (
    Live,
    edges_of_declared,
    edges_of_live,
    edges_of_records,
    edges_of_release,
    edges_of_service,
    thing_declared,
)

NOON = datetime(2013, 3, 5, 12, tzinfo=UTC)
TABLE = FeatureTable("planes", "aircraft", ("tailnum",), "known_at", ("seats",), timedelta(days=2))
SERVICE = FeatureService("delay_service", (TABLE,))
EVIDENCE = (Evidence(Passed(), None, NOON, {"training_set": "delay/training_set@w1"}),)
DELAY = Release(Manifest("delay", {"model": "m" * 64}), EVIDENCE)
LIVE = Live("production", DELAY, SERVICE, {"flights@w1": "f" * 64})
RELEASED = ("release", f"delay/{DELAY.digest}")


def record(key: str, partition: str, *read: str, **facts: object) -> Artefact:
    inputs = dict.fromkeys(read, "d" * 64)
    return Artefact(key, partition, "d" * 64, Passed(), inputs, Origin("r", "c", "code", NOON), facts)


def test_an_asset_reaches_what_was_made_from_it_and_a_partition_what_was_made_from_that() -> None:
    edges = set(edges_of_records([record("delay/predictions", "w2", "flights@w2")], ["delay"]))
    assert edges == {
        (("artefact", "flights@w2"), ("artefact", "delay/predictions@w2")),
        (("asset", "flights"), ("asset", "delay/predictions")),
        (("system", "delay"), ("asset", "delay/predictions")),
    }


def test_an_asset_reaches_its_gate_and_its_findings() -> None:
    findings = {"performance": verdict_to_json(Blocked(("worse",)))}
    edges = edges_of_records([record("delay/performance", "w2", check="is_measured", findings=findings)], ["delay"])
    checks = [child[1] for parent, child in edges if child[0] == "check"]
    assert checks == ["delay/performance: is_measured", "delay/performance: performance"]


@pytest.mark.parametrize(
    "start",
    [
        ("system", "delay"),
        ("feature", "seats"),
        ("feature view", "planes"),
        ("asset", "flights"),
        ("artefact", "flights@w1"),
        ("artefact", "delay/training_set@w1"),
    ],
)
def test_a_live_release_is_reached_by_all_that_it_stands_on_and_so_is_its_environment(start: tuple[str, str]) -> None:
    found = [row.thing for row in reach([start], edges_of_live([LIVE]))]
    assert found == [RELEASED, ("live release", "delay in production")]


def test_what_a_composite_uses_reaches_it_by_release_and_what_it_operates_by_name() -> None:
    desk = Live("staging", Release(Manifest("desk", {}, {"delay": DELAY.digest}, ("mail",)), EVIDENCE))
    for start in (RELEASED, ("system", "delay"), ("system", "mail")):
        assert ("live release", "desk in staging") in [row.thing for row in reach([start], edges_of_live([LIVE, desk]))]
    others = reach([("release", f"delay/{'0' * 64}")], edges_of_live([LIVE, desk]))
    assert list(others) == []


def test_applied_definitions_lead_from_a_dataset_over_views_and_features_to_the_feature_set() -> None:
    found = {row.thing: row.distance for row in reach([("asset", "aircraft")], edges_of_service(SERVICE, "features"))}
    assert found == {
        ("feature view", "planes"): 1,
        ("feature", "seats"): 2,
        ("feature service", "delay_service"): 2,
        ("feature set", "features"): 3,
    }


@pytest.mark.parametrize(
    ("kind", "attributes", "reached"),
    [
        ("Dataset", {"reads": {"landings": 2}}, [("asset", "landings")]),
        ("FeatureSet", {"service": "s", "datasets": ["flights"]}, [("feature service", "s"), ("asset", "flights")]),
        (
            "Model",
            {"features": "f", "entities": {"dataset": "flights"}, "labels": {"dataset": "landings"}},
            [("feature set", "f"), ("asset", "flights"), ("asset", "landings")],
        ),
        ("Release", {"uses": {"delay": "live"}, "operates": ["mail"]}, [("system", "delay"), ("system", "mail")]),
        ("Alarms", {}, []),
    ],
)
def test_what_yaml_declares_is_reached_by_what_it_reads(kind, attributes, reached) -> None:
    edges = list(edges_of_declared(kind, "x", attributes))
    assert edges == [(thing, thing_declared(kind, "x")) for thing in reached]


def test_a_release_reaches_the_weeks_that_it_scored_and_no_others() -> None:
    records = [
        record("delay/predictions", "w2", release=DELAY.digest),
        record("delay/predictions", "w3", release="0" * 64),
        record("flights", "w2"),
    ]
    assert list(edges_of_release(RELEASED, records)) == [(RELEASED, ("artefact", "delay/predictions@w2"))]
