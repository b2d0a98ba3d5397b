import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ops_pipelines.core.proportion import Proportion, clustered_proportion


@pytest.mark.parametrize(("yes", "draws"), [(0, 12), (3, 12), (12, 12), (47, 120)])
def test_the_interval_of_independent_draws_is_that_of_clopper_and_pearson(yes, draws):
    values = [1.0] * yes + [0.0] * (draws - yes)
    found = clustered_proportion(values, range(draws))
    exact = binomtest(yes, draws).proportion_ci(confidence_level=0.95, method="exact")
    assert found.interval() == pytest.approx((exact.low, exact.high))


def test_ten_successes_of_ten_leave_what_ten_draws_leave():
    assert clustered_proportion([1.0] * 10, range(10)).lower_bound() == pytest.approx(0.05 ** (1 / 10))


def test_tasks_that_all_come_out_the_same_count_as_their_clusters():
    assert clustered_proportion([1.0] * 40, [number // 10 for number in range(40)]).draws == 4
    assert clustered_proportion([0.5, 0.5], ["one", "one"]).draws == 1


def test_tasks_that_copy_each_other_count_about_as_often_as_they_differ():
    """Worked by hand: 20 clusters of 5 equal values, half of them 1, are worth 20 draws, less what 20 say of their error."""
    values = [float(number // 5 % 2) for number in range(100)]
    found = clustered_proportion(values, [number // 5 for number in range(100)])
    plain, clustered = 0.25 / 99, 0.25 / 19
    assert found.draws == pytest.approx(100 * plain / clustered * (1.98422 / 2.09302) ** 2, rel=1e-4)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=30))
def test_an_interval_holds_its_share_and_lies_within_0_and_1(rows):
    found = clustered_proportion([value for value, _ in rows], [cluster for _, cluster in rows])
    low, high = found.interval()
    assert -1e-12 <= low <= found.share + 1e-9
    assert found.share - 1e-9 <= high <= 1 + 1e-12


def test_a_value_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match="from 0 to 1"):
        clustered_proportion([0.5, 1.5], [1, 2])
    assert Proportion(0.0, 5).lower_bound() == 0.0


def test_a_lower_bound_is_too_high_in_no_more_than_one_of_twenty_evaluations():
    """400 made-up evaluations of 12 clusters of 4 tasks that resemble each other, of which 85% succeed."""
    draw, wrong = random.Random(11), 0
    for _ in range(400):
        values, clusters = [], []
        for cluster in range(12):
            share = draw.betavariate(0.85 * 3, 0.15 * 3)
            values += [float(draw.random() < share) for _ in range(4)]
            clusters += [cluster] * 4
        wrong += clustered_proportion(values, clusters).lower_bound() > 0.85
    assert wrong <= 0.05 * 400 + 9  # two standard errors
