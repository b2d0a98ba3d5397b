import numpy as np
import pytest
from scipy import stats

from ops_pipelines.llmops.paired import cluster_of, effect_of, least_p_value, mean_of_repeats


def named(values) -> dict[str, float]:
    return {f"case {number}": float(value) for number, value in enumerate(values)}


def test_cases_of_their_own_give_students_paired_t():
    values = np.random.default_rng(3).normal(0.2, 1, 40)
    found = effect_of(named(values))
    expected = stats.ttest_1samp(values, 0)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.mean.interval() == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_cases_of_one_cluster_are_one_draw():
    moves = named([0.3, 0.3, 0.3, -0.1, -0.1, -0.1, 0.2, 0.2, 0.2])
    clusters = {case: str(number // 3) for number, case in enumerate(moves)}
    expected = stats.ttest_1samp([0.3, -0.1, 0.2], 0).confidence_interval(0.95)
    assert effect_of(moves, clusters).mean.interval() == pytest.approx(tuple(expected))


def test_three_cases_that_fell_are_no_certainty_however_many_stayed():
    moves = named([-1, -1, -1, -1] + [0] * 96)
    found = effect_of(moves)
    assert found.mean.p_value() < 0.05
    assert found.p_value == least_p_value(4) == 0.125
    assert (found.moved, found.worse, found.largest_loss) == (4, 4, 1.0)


def test_what_moves_within_a_cluster_and_cancels_out_has_not_moved():
    found = effect_of({"a": 0.1 + 0.2, "b": -0.3}, {"a": "one", "b": "one"})
    assert (found.moved, found.p_value) == (0, 1.0)


def test_a_case_without_a_cluster_is_one_of_its_own_whatever_others_are_called():
    assert cluster_of("a", {"b": "a"}) != cluster_of("b", {"b": "a"})
    assert cluster_of("a", {"a": ""}) == cluster_of("a", None)


def test_a_case_of_which_one_repeat_failed_has_no_mean():
    assert mean_of_repeats([1.0, 0.0]) == 0.5
    assert [mean_of_repeats(values) for values in ([], None, [1.0, None], [float("nan")])] == [None] * 4
