import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.statistics import ClusteredMean, clustered_mean

ROWS = st.lists(st.tuples(st.integers(-1000, 1000), st.sampled_from("abcd")), min_size=1, max_size=12)


def test_a_case_worked_by_hand() -> None:
    # mean 4; residuals -3 -2 | -1 | 6 sum to -5, -1 and 6 by cluster; sqrt((25 + 1 + 36) * 3 / 2) / 4
    found = clustered_mean(np.array([1.0, 2.0, 3.0, 10.0]), ["mon", "mon", "tue", "wed"])
    assert found == ClusteredMean(4.0, pytest.approx(np.sqrt(93) / 4), rows=4, clusters=3)


def test_clusters_of_one_row_give_the_textbook_standard_error() -> None:
    values = np.array([1.0, 4.0, 4.0, 9.0])
    expected = values.std(ddof=1) / np.sqrt(4)
    assert clustered_mean(values, range(4)).standard_error == pytest.approx(expected)


def test_the_interval_uses_students_t() -> None:
    low, high = ClusteredMean(1.0, 2.0, rows=50, clusters=11).interval(confidence=0.95)
    assert (low, high) == pytest.approx((1 - 2 * 2.228139, 1 + 2 * 2.228139), abs=1e-5)  # t table, 10 degrees


def test_the_upper_bound_is_one_sided() -> None:
    bound = ClusteredMean(1.0, 2.0, rows=50, clusters=11).upper_bound(confidence=0.95)
    assert bound == pytest.approx(1 + 2 * 1.812461, abs=1e-5)  # t table, 10 degrees


def test_one_cluster_has_a_mean_and_no_bound() -> None:
    found = clustered_mean(np.array([1.0, 3.0]), ["mon", "mon"])
    assert (found.mean, found.interval(), found.upper_bound()) == (2.0, None, None)


@pytest.mark.parametrize(
    ("values", "clusters"),
    [([], []), ([1.0], []), ([1.0], ["a", "b"]), ([np.nan, 1.0], ["a", "b"]), ([np.inf], ["a"])],
)
def test_what_has_no_mean_is_refused(values: list[float], clusters: list[str]) -> None:
    with pytest.raises(ValueError, match=r"need as many|finite"):
        clustered_mean(np.array(values), clusters)


def test_intervals_hold_the_true_mean_as_often_as_they_say() -> None:
    random, days, a_day = np.random.default_rng(7), 12, 10
    names = np.repeat(np.arange(days), a_day).tolist()
    draws = random.normal(size=(400, days, 1)) + random.normal(size=(400, days, a_day))
    intervals = [clustered_mean(draw.ravel(), names).interval(confidence=0.9) for draw in draws]
    covered = np.mean([low <= 0 <= high for low, high in intervals])
    assert covered == pytest.approx(0.9, abs=0.045)  # three standard errors of a share of 400


@settings(max_examples=15, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_neither_the_order_nor_the_names_of_clusters_matter(rows: list[tuple[int, str]], random) -> None:
    shuffled = random.sample(rows, len(rows))
    one = clustered_mean(np.array([value for value, _ in rows]), [name for _, name in rows])
    other = clustered_mean(np.array([value for value, _ in shuffled]), [f"day {name}" for _, name in shuffled])
    assert (other.mean, other.clusters) == (pytest.approx(one.mean), one.clusters)
    assert other.standard_error == (None if one.standard_error is None else pytest.approx(one.standard_error))
