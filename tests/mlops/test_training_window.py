import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.verdict import NotEvaluated, Passed
from ops_pipelines.mlops.training_window import TrainingWindow

CALENDAR = [f"w{number:02}" for number in range(40)]
WINDOWS = st.builds(TrainingWindow, st.integers(1, 60), st.sampled_from(["trailing", "expanding"]))


@given(WINDOWS, st.sampled_from(CALENDAR))
def test_a_window_is_whole_ends_at_the_cut_off_and_knows_nothing_later(window: TrainingWindow, cut_off: str) -> None:
    weeks = window.weeks_of(CALENDAR, cut_off)
    first = CALENDAR.index(weeks[0])
    assert list(weeks) == CALENDAR[first : CALENDAR.index(cut_off) + 1]
    assert len(weeks) <= window.reach(len(CALENDAR))


@given(st.integers(1, 60), st.sampled_from(CALENDAR))
def test_an_expanding_window_reads_all_that_a_trailing_one_of_its_size_reads(size: int, cut_off: str) -> None:
    trailing, expanding = (TrainingWindow(size, kind).weeks_of(CALENDAR, cut_off) for kind in ("trailing", "expanding"))
    assert expanding[0] == CALENDAR[0]
    assert expanding[-len(trailing) :] == trailing


def test_an_expanding_window_waits_until_it_has_its_least_size() -> None:
    window = TrainingWindow(5, "expanding")
    short, enough = (window.judge(window.weeks_of(CALENDAR, cut_off)) for cut_off in ("w03", "w04"))
    assert isinstance(short, NotEvaluated)
    assert "has 4 weeks up to w03, and an expanding window starts at 5" in short.why
    assert isinstance(enough, Passed)


def test_a_trailing_window_may_be_short_where_the_calendar_begins() -> None:
    window = TrainingWindow(5)
    assert window.weeks_of(CALENDAR, "w01") == ("w00", "w01")
    assert isinstance(window.judge(("w00", "w01")), Passed)


@pytest.mark.parametrize(("weeks", "policy"), [(0, "trailing"), (-1, "expanding"), (3, "growing")])
def test_a_window_of_nothing_or_of_an_unknown_kind_is_refused(weeks: int, policy: str) -> None:
    with pytest.raises(ConfigError, match="under `attributes` is"):
        TrainingWindow(weeks, policy)
