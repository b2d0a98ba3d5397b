"""The walk the other way knows no kind: things here are letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.reach import Edge, reach, things_named, unknown

LETTERS = st.sampled_from([("letter", name) for name in "abcdef"])
RELEASE = ("release", f"delay/{'ab' * 32}")


def edge(parent: str, child: str) -> Edge:
    return ("letter", parent), ("letter", child)


def test_direct_edges_come_first_and_each_thing_says_through_what_it_is_reached() -> None:
    edges = [edge("a", "c"), edge("a", "b"), edge("b", "c"), edge("c", "d")]
    found = [(row.distance, row.thing[1], row.through[1]) for row in reach([("letter", "a")], edges)]
    assert found == [(1, "b", "a"), (1, "c", "a"), (2, "d", "c")]


def test_a_circle_is_walked_once_and_does_not_reach_itself() -> None:
    assert [row.thing[1] for row in reach([("letter", "a")], [edge("a", "b"), edge("b", "a")])] == ["b"]


@given(st.lists(st.tuples(LETTERS, LETTERS)), LETTERS)
def test_exactly_what_has_a_way_from_the_start_is_reached_each_by_an_edge_of_its_own(
    edges: list[Edge], start: tuple[str, str]
) -> None:
    found = {row.thing: row for row in reach([start], edges)}
    expected, grown = {start}, True
    while grown:
        more = {child for parent, child in edges if parent in expected} - expected
        expected, grown = expected | more, bool(more)
    assert found.keys() == expected - {start}
    before = {start: 0, **{thing: row.distance for thing, row in found.items()}}
    assert all((row.through, row.thing) in edges and before[row.through] == row.distance - 1 for row in found.values())


def test_a_name_is_an_id_a_kind_with_an_id_or_the_first_digits_of_a_digest() -> None:
    edges = [(("asset", "aircraft"), ("view", "aircraft")), (("asset", "aircraft"), RELEASE)]
    assert things_named("aircraft", edges) == [("asset", "aircraft"), ("view", "aircraft")]
    assert things_named("view aircraft", edges) == [("view", "aircraft")]
    assert things_named("abab", edges) == [RELEASE]
    assert things_named("aba", edges) == things_named("boats", edges) == []


def test_one_kind_may_win_over_others_of_the_same_name() -> None:
    edges = [(("service", "delay"), ("system", "delay"))]
    assert things_named("delay", edges, first="system") == [("system", "delay")]


def test_a_name_of_nothing_is_answered_with_the_nearest() -> None:
    with pytest.raises(Exception, match="Did you mean 'seats'"):
        raise unknown("seat", [(("feature", "seats"), ("system", "delay"))], forms="a feature")
