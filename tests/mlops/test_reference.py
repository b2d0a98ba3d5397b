from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import NotEvaluated
from ops_pipelines.mlops.reference import SAME_SEASON, TRAILING, TRAINING, ReferenceRule, reference_windows

JUDGED, WEEK = date(2013, 6, 4), timedelta(weeks=1)


def before(*counts: int) -> tuple[date, ...]:
    return tuple(JUDGED - count * WEEK for count in counts)


def windows(reference: str, accepted, *, weeks: int = 4, min_windows: int = 3):
    return reference_windows(JUDGED, accepted, ReferenceRule(reference, weeks), min_windows=min_windows)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"reference": "yesterday"}, "reference under `drift` is yesterday. Expected: one of training, trailing"),
        ({"weeks": 1}, "weeks under `drift` is 1. Expected: from 2 to 26"),
        ({"weeks": 27}, "weeks under `drift` is 27. Expected: from 2 to 26"),
    ],
)
def test_a_reference_that_cannot_be_meant_is_refused(settings, expected) -> None:
    with pytest.raises(ConfigError, match=expected):
        ReferenceRule(**settings)


def test_the_training_period_needs_no_earlier_week() -> None:
    assert windows(TRAINING, ()) == ()


def test_trailing_windows_are_the_last_accepted_ones_before_the_week() -> None:
    assert windows(TRAILING, before(-2, 0, 1, 2, 4, 5, 6, 7)) == before(5, 4, 2, 1)


def test_the_same_season_is_around_the_same_week_one_year_earlier() -> None:
    assert windows(SAME_SEASON, before(*range(80))) == before(54, 53, 52, 51)
    assert windows(SAME_SEASON, before(*range(80)), weeks=5) == before(54, 53, 52, 51, 50)
    assert before(52)[0] == date(2012, 6, 5)  # a Tuesday, as the judged week begins with


def test_a_short_history_is_not_evaluated_and_says_why() -> None:
    assert windows(TRAILING, before(0, 1, 2)) == NotEvaluated(
        "2 accepted weeks of scores before 2013-06-04, and 3 are needed; scores go back to 2013-05-21"
    )
    assert windows(SAME_SEASON, before(*range(53))) == NotEvaluated(
        "2 accepted weeks of scores from 2012-05-22 to 2012-06-19, a year before 2013-06-04, and 3 are needed; "
        "scores go back to 2012-06-05"
    )
    assert windows(TRAILING, ()).why.endswith("no earlier week was scored")


@given(st.sampled_from([TRAILING, SAME_SEASON]), st.sets(st.integers(-60, 120)), st.integers(2, 26))
def test_every_window_was_accepted_once_and_ends_before_the_judged_one_begins(reference, counts, weeks) -> None:
    accepted = before(*counts)
    found = windows(reference, accepted, weeks=weeks, min_windows=2)
    if not isinstance(found, NotEvaluated):
        assert 2 <= len(found) <= weeks
        assert list(found) == sorted(set(found))
        assert set(found) <= set(accepted)
        assert max(found) + WEEK <= JUDGED
        later = reference_windows(
            JUDGED, (*found, JUDGED, JUDGED + WEEK), ReferenceRule(reference, weeks), min_windows=2
        )
        assert later == found
