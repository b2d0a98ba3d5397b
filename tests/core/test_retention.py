"""Releases, data and objects here are letters; what is marked and what is swept is the same for any of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.reach import Edge
from ops_pipelines.core.retention import Plan, Rule, Stored, plan_retention
from ops_pipelines.core.walk import Thing

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=900)
RULE = Rule(as_of=NOW, wall=NOW, keep_weeks=10)
NAMES = st.sampled_from([("thing", name) for name in "abcdefgh"])


def stored(name: str, *, written: datetime = LONG_AGO, ends: datetime | None = None, whole: bool = False) -> Stored:
    return Stored(("thing", name), 5, written, ends, whole)


def edge(parent: str, child: str) -> Edge:
    return ("thing", parent), ("thing", child)


def went(plan: Plan) -> set[str]:
    return {fate.stored.thing[1] for fate in plan.going}


def why(plan: Plan) -> dict[str, str]:
    return {fate.stored.thing[1]: fate.why for fate in plan.fates}


def below(roots: set[Thing], edges: list[Edge]) -> set[Thing]:
    """Everything that some things reach, by growing until nothing is added."""
    found, before = set(roots), set()
    while found != before:
        before = set(found)
        found |= {child for parent, child in edges if parent in found}
    return found


ages = st.builds(
    Stored,
    NAMES,
    st.just(5),
    st.integers(0, 40).map(lambda hours: NOW - timedelta(hours=hours * 2)),
    st.none() | st.integers(-2, 30).map(lambda weeks: NOW - timedelta(weeks=weeks)),
    st.booleans(),
)


@given(
    st.lists(ages, unique_by=lambda each: each.thing),
    st.sets(NAMES),
    st.lists(st.tuples(NAMES, NAMES)),
    st.lists(st.tuples(NAMES, NAMES)),
)
def test_nothing_that_a_release_or_a_kept_thing_stands_on_is_ever_deleted_and_all_else_that_is_old_is(
    things: list[Stored], roots: set[Thing], edges: list[Edge], chains: list[Edge]
) -> None:
    plan = plan_retention(things, RULE, roots=roots, edges=edges, chains=chains)
    young = {each.thing for each in things if RULE.stays(each)}
    stays = below(roots, edges + chains) | below(young, edges)
    assert {fate.stored.thing for fate in plan.going} == {each.thing for each in things} - stays


@given(st.lists(ages, unique_by=lambda each: each.thing), st.sets(NAMES), st.lists(st.tuples(NAMES, NAMES)))
def test_what_is_planned_again_after_a_sweep_is_nothing(
    things: list[Stored], roots: set[Thing], edges: list[Edge]
) -> None:
    there = {each.thing for each in things}  # what is not there names nothing
    edges = [pair for pair in edges if pair[0] in there or pair[0] in below(roots, edges)]
    first = plan_retention(things, RULE, roots=roots, edges=edges)
    left = [fate.stored for fate in first.fates if fate.stays]
    here = {each.thing for each in left}
    kept = [pair for pair in edges if pair[0] in here or pair[0] in below(roots, edges)]
    assert plan_retention(left, RULE, roots=roots, edges=kept).going == ()


def test_what_a_release_names_stays_however_far_down_and_however_old() -> None:
    plan = plan_retention(
        [stored("a"), stored("b"), stored("c")], RULE, roots=[("thing", "a")], edges=[edge("a", "b"), edge("b", "c")]
    )
    assert why(plan) == {"a": "a release names it", "b": "thing a names it", "c": "thing b names it"}


def test_a_thing_younger_than_a_day_stays_since_a_run_may_be_writing() -> None:
    things = [stored("a", written=NOW - timedelta(hours=23)), stored("b", written=NOW - timedelta(hours=25))]
    assert went(plan_retention(things, RULE, roots=[], edges=[])) == {"b"}


def test_a_week_stays_for_as_long_as_weeks_are_kept_and_with_it_what_it_was_made_from() -> None:
    weeks = [stored("new", ends=NOW - timedelta(weeks=9)), stored("old", ends=NOW - timedelta(weeks=11))]
    plan = plan_retention([*weeks, stored("raw")], RULE, roots=[], edges=[edge("new", "raw")])
    assert went(plan) == {"old"}
    assert why(plan)["old"] == "nothing names it, and its week is older than 10 weeks"


def test_a_week_that_is_made_from_the_week_before_does_not_keep_every_week_since_the_first() -> None:
    weeks = [stored("new", ends=NOW), stored("old", ends=NOW - timedelta(weeks=20))]
    assert went(plan_retention(weeks, RULE, roots=[], edges=[], chains=[edge("new", "old")])) == {"old"}
    named = plan_retention(weeks, RULE, roots=[("thing", "new")], edges=[], chains=[edge("new", "old")])
    assert went(named) == set()


def test_a_whole_dataset_is_the_present_one_and_stays() -> None:
    assert went(plan_retention([stored("aircraft", whole=True)], RULE, roots=[], edges=[])) == set()


def test_a_plan_tells_how_many_bytes_it_frees() -> None:
    plan = plan_retention([stored("a"), stored("b")], RULE, roots=[("thing", "a")], edges=[])
    assert (plan.freed_bytes, plan.going[0].to_json()) == (
        5,
        {"what": "thing", "id": "b", "bytes": 5, "why": "nothing names it"},
    )


def test_no_week_at_all_is_not_a_number_of_weeks() -> None:
    with pytest.raises(ConfigError, match="keep_weeks under `keep-weeks` is 0"):
        Rule(as_of=NOW, wall=NOW, keep_weeks=0)
