import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.statistics import (
    ClusteredMean,
    clustered_difference,
    clustered_mean,
    effective_number,
    holm_adjusted,
    homogeneity_p_value,
    prediction_bound,
    robust_mean,
)

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


# One more draw


def test_the_bound_of_one_more_draw_by_hand() -> None:
    # mean 2, deviation 1, three values; t of 0.95 with 2 degrees is 2.919986
    assert prediction_bound([1.0, 2.0, 3.0]) == pytest.approx(2 + 2.919986 * np.sqrt(4 / 3), abs=1e-5)


def test_equal_values_are_their_own_bound() -> None:
    assert prediction_bound([0.25] * 4, confidence=0.999) == 0.25


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_predict_nothing(values: list[float]) -> None:
    with pytest.raises(ValueError, match=f"at least two values, got {len(values)}"):
        prediction_bound(values)


def test_one_more_draw_stays_below_its_bound_as_often_as_it_says() -> None:
    draws = np.random.default_rng(7).normal(size=(500, 6))
    below = np.mean([draw[5] < prediction_bound(draw[:5], confidence=0.9) for draw in draws])
    assert below == pytest.approx(0.9, abs=0.04)  # three standard errors of a share of 500


# A series in time's order


def wandering(random: np.random.Generator, length: int, alike: float) -> np.ndarray:
    """An autoregressive series of order one with unit variance."""
    series = [random.normal()]
    for step in random.normal(size=length - 1) * np.sqrt(1 - alike**2):
        series.append(alike * series[-1] + step)
    return np.array(series)


def test_the_effective_number_by_hand() -> None:
    # deviations -1.5 -0.5 0.5 1.5; r = (0.75 - 0.25 + 0.75) / 5 = 0.25; 4 * 0.75 / 1.25
    assert effective_number([1.0, 2.0, 3.0, 4.0]) == pytest.approx(2.4)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_a_series_is_worth_at_least_two_values_and_at_most_all_and_as_much_backwards(series: list[float]) -> None:
    assert 2 <= effective_number(series) <= len(series)
    assert effective_number(series[::-1]) == pytest.approx(effective_number(series))


@pytest.mark.parametrize("series", [[3.0] * 9, [0.0, 1.0] * 6])
def test_a_series_that_stands_still_or_swings_loses_nothing(series: list[float]) -> None:
    assert effective_number(series) == len(series)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_fewer_than_two_values_resemble_nothing(values: list[float]) -> None:
    with pytest.raises(ValueError, match=f"at least two values, got {len(values)}"):
        effective_number(values)


def test_the_bound_of_fewer_effective_values_by_hand() -> None:
    # sd of 1 2 3 4 is sqrt(5/3); worth 2: s^2 * 2 * 3 / (4 * 1), t of 0.95 with 1 degree is 6.313752
    expected = 2.5 + 6.313752 * np.sqrt(5 / 3 * 1.5) * np.sqrt(1.5)
    assert prediction_bound([1.0, 2.0, 3.0, 4.0], effective=2.0) == pytest.approx(expected)
    assert prediction_bound([1.0, 2.0, 3.0], effective=3.0) == prediction_bound([1.0, 2.0, 3.0])


def test_a_wandering_series_leaves_its_bound_less_often_where_its_memory_is_allowed_for() -> None:
    random = np.random.default_rng(7)
    draws = [wandering(random, 31, 0.6)[[*range(20), 30]] for _ in range(1000)]
    naive = np.mean([draw[20] > prediction_bound(draw[:20]) for draw in draws])
    allowed = np.mean([draw[20] > prediction_bound(draw[:20], effective=effective_number(draw[:20])) for draw in draws])
    assert naive > 0.07
    assert allowed == pytest.approx(0.05, abs=0.021)  # three standard errors of a share of 1000


# Two histograms


def counts(*numbers: int) -> np.ndarray:
    return np.array(numbers)


def test_the_test_of_homogeneity_by_hand() -> None:
    # 30:70 against 50:50; expected 40 and 60 in each row; 2 * 100 / 40 + 2 * 100 / 60 = 8.333 with 1 degree
    assert homogeneity_p_value(counts(30, 70), counts(50, 50)) == pytest.approx(0.00389242, abs=1e-7)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (counts(20, 30), counts(20, 30)),
        (counts(200, 300), counts(20, 30)),
        (counts(0, 0), counts(20, 30)),
        (counts(20, 30), counts(0, 0)),
        (counts(0, 50, 0), counts(0, 20, 0)),
        (counts(1, 2, 3), counts(3, 2, 1)),
    ],
    ids=["equal", "equal shares", "no first", "no second", "one bin", "one bin after pooling"],
)
def test_nothing_differs(first: np.ndarray, second: np.ndarray) -> None:
    assert homogeneity_p_value(first, second) == 1.0


def test_rare_bins_are_pooled_into_one() -> None:
    first, second = counts(500, 480, 3, 2, 4, 0), counts(520, 470, 1, 4, 3, 0)
    assert homogeneity_p_value(first, second) == homogeneity_p_value(counts(500, 480, 9), counts(520, 470, 8))
    assert homogeneity_p_value(first, second) != homogeneity_p_value(first, second, least_expected=0.1)


def test_a_bin_is_rare_by_what_the_smaller_sample_expects() -> None:
    # the smaller has 50 rows of 5,050: it expects 10 / 101 in the third and in the fourth bin, and 600 / 101 in the second
    first, second = counts(4390, 590, 10, 10), counts(40, 10, 0, 0)
    assert homogeneity_p_value(first, second) == homogeneity_p_value(counts(4390, 590, 20), counts(40, 10, 0))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=1, max_size=6))
def test_neither_the_order_of_samples_nor_of_bins_matters(bins: list[tuple[int, int]]) -> None:
    first, second = (np.array(sample) for sample in zip(*bins, strict=True))
    found = homogeneity_p_value(first, second)
    assert 0 <= found <= 1
    assert homogeneity_p_value(second, first) == pytest.approx(found)
    assert homogeneity_p_value(first[::-1], second[::-1]) == pytest.approx(found)


# Many p-values


def test_holm_by_hand() -> None:
    # sorted 0.01, 0.02, 0.04 times 3, 2, 1 are 0.03, 0.04, 0.04
    assert holm_adjusted([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


def test_an_adjusted_p_value_never_falls_below_one_that_was_smaller() -> None:
    # 0.02 * 3, then 0.021 * 2 would be less
    assert holm_adjusted([0.02, 0.021, 0.5]) == pytest.approx([0.06, 0.06, 0.5])


def test_no_adjusted_p_value_is_above_one_and_none_has_none() -> None:
    assert holm_adjusted([0.6, 0.7]) == [1.0, 1.0]
    assert holm_adjusted([]) == []
    assert holm_adjusted([0.3]) == [0.3]


def difference(values: list[float], others: list[float], days: str, other_days: str) -> ClusteredMean:
    return clustered_difference(np.array(values), np.array(others), clusters=days, other_clusters=other_days)


def test_a_difference_worked_by_hand() -> None:
    # a: 5 - 3 = 2 of weight 1 * 1 / 2, b: 4 - 3.5 = .5 of weight 2 * 2 / 4; so (2 * .5 + .5 * 1) / 1.5 = 1
    found = difference([5, 3, 5], [3, 3, 4], "abb", "abb")
    # shares 1/3 and 2/3: 1/9 * 1 / (2/3) + 4/9 * 1/4 / (1/3) = 1/6 + 1/3
    assert (found.mean, found.standard_error, found.rows, found.clusters) == pytest.approx((1.0, 0.5**0.5, 6, 2))


def test_days_of_equal_weight_give_students_paired_t() -> None:
    values, others = np.array([1.0, 4.0, 2.0, 8.0]), np.array([2.0, 3.0, 1.0, 4.0])
    found, paired = difference(list(values), list(others), "abcd", "abcd"), clustered_mean(values - others, "abcd")
    assert (found.mean, found.standard_error) == pytest.approx((paired.mean, paired.standard_error))
    assert found.degrees == pytest.approx(3)
    assert found.interval() == pytest.approx(paired.interval())


def test_a_difference_is_the_regression_with_a_constant_for_each_day() -> None:
    import statsmodels.api as sm

    draw = np.random.default_rng(3)
    day, side = draw.integers(0, 6, 200), draw.integers(0, 2, 200)
    values = day + 0.3 * side + draw.normal(size=200)
    design = np.column_stack([side, *(day == number for number in range(6))]).astype(float)
    found = clustered_difference(
        values[side == 1], values[side == 0], clusters=day[side == 1], other_clusters=day[side == 0]
    )
    assert found.mean == pytest.approx(sm.OLS(values, design).fit().params[0])


@given(st.lists(st.integers(-5, 5), min_size=6, max_size=6), st.integers(-100, 100))
def test_what_a_day_does_to_both_sides_falls_out(values: list[int], weather: int) -> None:
    moved = [value + weather * (name == "b") for value, name in zip(values, "aabbcc", strict=True)]
    plain = difference(values[::2], values[1::2], "abc", "abc")
    assert difference(moved[::2], moved[1::2], "abc", "abc").mean == pytest.approx(plain.mean, abs=1e-9)


def test_days_with_one_side_tell_nothing() -> None:
    alone, beside = difference([1, 3], [2, 2], "ab", "ab"), difference([1, 3, 99], [2, 2, -7], "abc", "abd")
    assert beside == alone


def test_one_shared_day_has_a_difference_and_no_bound() -> None:
    found = difference([1, 2], [0], "aa", "a")
    assert (found.mean, found.interval(), found.detectable()) == (1.5, None, None)


@pytest.mark.parametrize(("values", "days"), [([1.0], "b"), ([np.nan], "a"), ([1.0, 2.0], "a")])
def test_what_has_no_difference_is_refused(values: list[float], days: str) -> None:
    with pytest.raises(ValueError, match=r"no cluster has|need finite"):
        difference(values, [1.0], days, "a")


def test_what_is_detectable_is_seen_as_often_as_its_power_says() -> None:
    # t of 10 degrees: 1.812461 for .95 and .879058 for .8
    assert ClusteredMean(0.0, 2.0, rows=50, clusters=11).detectable() == pytest.approx(2 * (1.812461 + 0.879058))


# Few clusters of unequal size


def test_the_robust_mean_by_hand() -> None:
    # mean 4; shares 1/2, 1/4, 1/4; cluster means 1.5, 3, 10: 1/4 * 6.25 * 2 + 1/16 * 1 * 4/3 + 1/16 * 36 * 4/3
    found = robust_mean(np.array([1.0, 2.0, 3.0, 10.0]), ["mon", "mon", "tue", "wed"])
    assert (found.mean, found.rows, found.clusters) == (4.0, 4, 3)
    assert found.standard_error == pytest.approx(np.sqrt(3.125 + 1 / 12 + 3))
    assert 1 < found.degrees < 2


def test_with_clusters_of_one_size_both_means_agree() -> None:
    values, names = np.random.default_rng(1).normal(size=12), [day for day in "abcd" for _ in range(3)]
    plain, robust = clustered_mean(values, names), robust_mean(values, names)
    assert robust.standard_error == pytest.approx(plain.standard_error)
    assert robust.interval() == pytest.approx(plain.interval())


def test_one_cluster_has_a_robust_mean_and_no_chance() -> None:
    found = robust_mean(np.array([1.0, 3.0]), ["mon", "mon"])
    assert (found.mean, found.interval(), found.p_value(), found.power(1.0)) == (2.0, None, None, None)


def test_the_chance_and_the_power_are_those_of_the_t_test() -> None:
    from scipy import stats
    from statsmodels.stats.power import TTestPower

    values = np.random.default_rng(2).normal(0.3, 1, 30)
    found = robust_mean(values, range(30))
    assert found.p_value() == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    size = 0.4 / values.std(ddof=1)
    assert found.power(0.4) == pytest.approx(TTestPower().power(size, 30, 0.05, alternative="larger"))


def test_a_mean_that_never_varies_is_certain() -> None:
    assert robust_mean(np.ones(5), range(5)).p_value() == 0.0
    assert robust_mean(np.zeros(5), range(5)).p_value() == 1.0
    assert robust_mean(np.ones(5), range(5)).power(0.1) == 1.0
