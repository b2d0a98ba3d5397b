import json
from datetime import UTC, datetime

import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.lineage import Artefact, Node, Origin, address, walk
from ops_pipelines.core.verdict import Blocked

ARTEFACT = Artefact(
    key="features",
    partition="2013-01-01",
    digest="ab" * 32,
    verdict=Blocked(("too few rows",), {"rows": 3}),
    inputs={"flights@2013-01-01": "cd" * 32, "aircraft@-": "ef" * 32},
    origin=Origin("run-1", "c0ffee", "code-1", datetime(2013, 1, 8, tzinfo=UTC)),
    facts={"rows": 3},
)


def test_an_artefact_survives_json() -> None:
    assert Artefact.from_json(json.loads(json.dumps(ARTEFACT.to_json()))) == ARTEFACT


def test_an_asset_without_partitions_has_an_address_too() -> None:
    assert address("aircraft") == "aircraft@-"
    assert ARTEFACT.address == "features@2013-01-01"


def test_the_walk_shows_the_nearest_first_and_each_thing_once() -> None:
    made_from = {"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []}
    walked = walk("thing", "d", {"thing": lambda thing: _node(thing, made_from[thing])})
    assert [(depth, node.id) for depth, node in walked] == [(0, "d"), (1, "b"), (1, "c"), (2, "a")]


def test_the_walk_ends_where_things_were_made_from_each_other() -> None:
    made_from = {"a": ["b"], "b": ["a"]}
    assert len(list(walk("thing", "a", {"thing": lambda thing: _node(thing, made_from[thing])}))) == 2


def test_a_kind_that_nobody_registered_is_a_leaf() -> None:
    ((_, node),) = walk("stranger", "x", {})
    assert node == Node("stranger", "x", {})


def test_the_walk_says_what_cannot_be_found() -> None:
    def lost(id: str) -> Node:
        raise DataError(f"{id} is gone", expected="it", action="Look")

    with pytest.raises(DataError, match="x is gone"):
        list(walk("thing", "x", {"thing": lost}))


def _node(id: str, parents: list[str]) -> Node:
    return Node("thing", id, {}, tuple(("thing", parent) for parent in parents))


def test_a_direct_parent_is_near_even_where_a_longer_way_leads_to_it() -> None:
    made_from = {"a": ["b", "d"], "b": ["c"], "c": ["d"], "d": []}
    looked_up: list[str] = []

    def find(thing: str) -> Node:
        looked_up.append(thing)
        return _node(thing, made_from[thing])

    assert [(level, node.id) for level, node in walk("thing", "a", {"thing": find}, depth=1)] == [
        (0, "a"),
        (1, "b"),
        (1, "d"),
    ]
    assert looked_up == ["a", "b", "d"]
