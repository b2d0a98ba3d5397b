"""The walk knows no kind: things here are letters that were made from letters."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.core.walk import Node, Room, explain, finders_of, locate, walk

LETTERS = st.sampled_from("abcdef")


def room(made_from: Mapping[str, list[str]], *, kind: str = "thing") -> Room:
    """A room of one kind whose things were made from each other; what is not in it is gone."""

    def find(id: str) -> Node:
        if id not in made_from:
            raise DataError(f"{id} is gone", expected="it", action="Look")
        return Node(kind, id, {}, tuple((kind, parent) for parent in made_from[id]))

    return Room({kind: find}, lambda name: (kind, name) if name in made_from else None, (f"the name of a {kind}",))


def test_the_walk_shows_the_nearest_first_and_each_thing_once() -> None:
    found = explain("d", [room({"d": ["b", "c"], "b": ["a"], "c": ["a"], "a": []})])
    assert [(depth, node.id) for depth, node in found.nodes] == [(0, "d"), (1, "b"), (1, "c"), (2, "a")]


def test_the_walk_ends_where_things_were_made_from_each_other() -> None:
    assert len(explain("a", [room({"a": ["b"], "b": ["a"]})]).nodes) == 2


def test_a_kind_that_nobody_registered_is_a_leaf() -> None:
    ((_, node),) = walk("stranger", "x", {})
    assert node == Node("stranger", "x", {})


def test_nothing_further_than_the_depth_is_looked_up_and_a_direct_parent_is_near_whatever_else_leads_to_it() -> None:
    made_from = {"a": ["b", "d"], "b": ["c"], "d": []}
    found = explain("a", [room(made_from)], depth=1)
    assert [(depth, node.id) for depth, node in found.nodes] == [(0, "a"), (1, "b"), (1, "d")]
    assert not found.missing


def test_a_parent_that_cannot_be_found_is_a_node_that_says_so() -> None:
    found = explain("a", [room({"a": ["b", "c"], "c": []})])
    assert [(node.id, node.missing) for node in found.missing] == [("b", "b is gone")]
    told = found.to_json()
    assert (told["complete"], told["missing"]) == (False, [{"what": "thing", "id": "b", "why": "b is gone"}])
    assert [row["facts"] for row in told["nodes"]] == [{}, {"state": "missing: b is gone"}, {}]


def test_what_was_asked_for_has_to_be_there() -> None:
    with pytest.raises(DataError, match="x is gone"):
        list(walk("thing", "x", room({}).finders))


@given(st.dictionaries(LETTERS, st.lists(LETTERS, max_size=3)), LETTERS)
def test_an_explanation_is_complete_exactly_where_everything_that_it_names_is_there(
    made_from: dict[str, list[str]], start: str
) -> None:
    made_from.setdefault(start, [])
    found = explain(start, [room(made_from)])
    named = {parent for _, node in found.nodes for _, parent in node.parents}
    assert {node.id for node in found.missing} == named - made_from.keys()


def test_a_name_is_asked_of_each_room_in_turn_and_one_room_is_walked_into_from_another() -> None:
    letters, numbers = room({"1": []}, kind="number"), room({"a": []}, kind="letter")
    both = Node("letter", "a", {}, (("number", "1"),))
    joined = Room({"letter": lambda _: both}, numbers.named, numbers.forms)
    assert [node.kind for _, node in explain("a", [letters, joined]).nodes] == ["letter", "number"]


def test_a_name_of_no_room_is_answered_with_what_can_be_named() -> None:
    with pytest.raises(ConfigError, match="the name of a letter, or the name of a number"):
        locate("?", [room({}, kind="letter"), room({}, kind="number")])


def test_two_rooms_with_one_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match="Two rooms find things of the kind 'thing'"):
        finders_of([room({}), room({})])
