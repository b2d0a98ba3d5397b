import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.agentops.payload import Payload, payload_of, plain, shortened
from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no")


@settings(deadline=None)
@given(ANYTHING)
def test_whatever_a_tool_returns_becomes_json_and_is_then_left_as_it_is(value):
    once = plain(value)
    canonical_json(once)
    assert plain(once) == once


@pytest.mark.parametrize("value", ["\ud800", 10**5000, Unshowable(), {"a": Unshowable()}, float("inf")], ids=range(5))
def test_what_json_cannot_hold_is_text(value):
    canonical_json(plain(value))


def test_a_value_that_holds_itself_ends():
    loop: list[object] = []
    loop.append(loop)
    assert "nested deeper" in json.dumps(plain(loop))


@settings(deadline=None)
@given(ANYTHING.map(plain))
def test_a_whole_payload_gives_back_its_value(value):
    assert payload_of(value).value() == value


def test_a_value_from_a_payload_is_a_fresh_one_each_time():
    payload = payload_of({"a": []})
    payload.value()["a"].append(1)
    assert payload.value() == {"a": []}


def test_a_shortened_payload_is_shown_and_never_given_as_the_value():
    payload = Payload("ab" * 32, 10, b'"st"')
    assert (payload.shown(), payload.is_whole) == ("st", False)
    with pytest.raises(DataError, match="Raise the limit"):
        payload.value()


@settings(deadline=None)
@given(ANYTHING.map(plain), st.integers(0, 200))
def test_what_is_shortened_is_json_near_its_limit(value, limit):
    assert len(canonical_json(shortened(value, limit))) <= 16 * (limit + 80)


def test_a_value_that_fits_is_left_as_it_is():
    assert shortened({"a": ["bc", 1, None]}, 1000) == {"a": ["bc", 1, None]}


def test_a_text_ends_before_the_word_that_would_be_cut_and_says_how_much_is_missing():
    assert shortened("see the key sk-abcdefgh", 16) == "see the key [12 bytes more]"


def test_the_items_that_are_left_out_are_counted():
    assert shortened(["a" * 10] * 100, 24) == ["a" * 10, "a" * 10, "[98 items more]"]
