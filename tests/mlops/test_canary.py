from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.mlops.canary import Canary, Ending, still_runs, takes
from ops_pipelines.testing.canary_store import canary_of, ending_of

SHARES = st.floats(0.001, 0.999)
KEYS = [f"2013-03-04/{number}" for number in range(20_000)]


def test_a_case_worked_by_hand() -> None:
    # echo -n salt2013/1 | sha256sum begins with 24c6177f, which is .1436 of all that there is
    assert not takes(canary_of(share=0.14), "2013/1")
    assert takes(canary_of(share=0.15), "2013/1")


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_takes_its_share_of_the_keys(share: float) -> None:
    canary = canary_of(share=share)
    taken = sum(takes(canary, key) for key in KEYS)
    assert taken / len(KEYS) == pytest.approx(share, abs=4 * (share * (1 - share) / len(KEYS)) ** 0.5)


@given(SHARES, st.text())
def test_a_key_meets_the_same_release_each_time_and_in_each_process(share: float, key: str) -> None:
    canary = canary_of(share=share)
    assert takes(canary, key) == takes(Canary.from_json(canary.to_json()), key)


@given(SHARES, SHARES, st.text())
def test_a_larger_share_takes_the_keys_of_a_smaller_one(one: float, other: float, key: str) -> None:
    small, large = sorted((one, other))
    assume(takes(canary_of(share=small), key))
    assert takes(canary_of(share=large), key)


def test_another_salt_draws_other_lots() -> None:
    first, second = canary_of(share=0.5, salt="a"), canary_of(share=0.5, salt="b")
    both = sum(takes(first, key) and takes(second, key) for key in KEYS)
    assert both / len(KEYS) == pytest.approx(0.25, abs=0.013)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, float("nan")])
def test_a_share_that_leaves_an_arm_without_rows_is_refused(share: float) -> None:
    with pytest.raises(ConfigError, match="more than 0 and less than 1"):
        canary_of(share=share)


def test_a_canary_and_its_ending_are_read_back_as_they_were() -> None:
    canary = canary_of()
    assert Canary.from_json(canary.to_json()) == canary
    assert Ending.from_json(ending_of(canary).to_json()) == ending_of(canary)


def test_a_canary_is_over_when_its_champion_is_live_no_more() -> None:
    canary = canary_of()
    assert still_runs(canary, canary.champion)
    assert not still_runs(canary, canary.candidate)
    assert not still_runs(canary, "another")
    assert not still_runs(canary, None)


def test_a_replaced_share_moves_the_lots() -> None:
    assert takes(replace(canary_of(share=0.14), share=0.15), "2013/1")


def test_a_key_that_is_no_proper_text_has_a_release_too() -> None:
    assert takes(canary_of(share=0.5), "\ud800") in (True, False)
