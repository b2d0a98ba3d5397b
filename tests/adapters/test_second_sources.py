"""Statistics of the domain rooms against other libraries, which take seconds to import."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ops_pipelines.core.statistics import (
    ClusteredMean,
    clustered_mean,
    effective_number,
    holm_adjusted,
    homogeneity_p_value,
    prediction_bound,
)
from ops_pipelines.core.verdict import Blocked
from ops_pipelines.mlops.drift import FEATURE, ColumnProfile, DriftRule, index_of, measure_drift, profile_column
from ops_pipelines.mlops.importance import rank_features
from ops_pipelines.mlops.metrics import log_loss, roc_auc
from ops_pipelines.mlops.performance import Expected, Outcomes, PerformanceRule, judge_performance
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION


@pytest.fixture(scope="module")
def scored() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(11)
    scores = random.integers(1, 40, size=500) / 41  # few values, so that there are many ties
    return (random.random(500) < scores).astype(float), scores


@pytest.mark.parametrize(("clusters", "rows"), [(2, 10), (5, 50), (30, 31), (40, 800)])
def test_the_clustered_error_is_that_of_a_regression_on_a_constant(clusters: int, rows: int) -> None:
    import statsmodels.api as sm

    random = np.random.default_rng(rows)
    groups = np.concatenate([np.arange(clusters), random.integers(clusters, size=rows - clusters)])
    values = random.normal(size=rows) + random.normal(size=clusters)[groups]
    fitted = sm.OLS(values, np.ones(rows)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    found = clustered_mean(values, groups.tolist())
    assert found.mean == pytest.approx(fitted.params[0])
    assert found.standard_error == pytest.approx(fitted.bse[0])
    assert found.interval(confidence=0.9) == pytest.approx(tuple(fitted.conf_int(0.1)[0]))


@pytest.mark.parametrize("clusters", [2, 3, 10, 100])
@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.95, 0.999])
def test_bounds_use_scipys_students_t(clusters: int, confidence: float) -> None:
    from scipy.stats import t

    found = ClusteredMean(1.5, 0.25, rows=1000, clusters=clusters)
    assert found.upper_bound(confidence=confidence) == pytest.approx(1.5 + 0.25 * t.ppf(confidence, clusters - 1))
    assert found.interval(confidence=confidence) == pytest.approx(t.interval(confidence, clusters - 1, 1.5, 0.25))


def test_auc_log_loss_and_brier_are_sklearns(scored) -> None:
    from sklearn.metrics import brier_score_loss, roc_auc_score
    from sklearn.metrics import log_loss as sklearn_log_loss

    labels, scores = scored
    assert roc_auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert log_loss(labels, scores).mean() == pytest.approx(sklearn_log_loss(labels, scores), abs=1e-12)
    assert CLASSIFICATION.metrics(labels, scores)["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)


def test_the_metrics_of_a_regression_are_sklearns() -> None:
    from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

    random = np.random.default_rng(4)
    labels = random.normal(150, 60, 500)
    scores = labels + random.standard_t(3, 500)
    found = REGRESSION.metrics(labels, scores)
    assert found["absolute_error"] == pytest.approx(mean_absolute_error(labels, scores), rel=1e-12)
    assert found["median_absolute_error"] == pytest.approx(median_absolute_error(labels, scores), rel=1e-12)
    assert found["root_mean_squared_error"] == pytest.approx(root_mean_squared_error(labels, scores), rel=1e-12)
    assert found["r_squared"] == pytest.approx(r2_score(labels, scores), rel=1e-12)


def test_the_importance_of_features_is_sklearns_on_average() -> None:
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LinearRegression

    random = np.random.default_rng(3)
    frame = pd.DataFrame({name: random.normal(size=900) for name in ("weak", "strong", "noise")})
    labels = (frame["weak"] + 4 * frame["strong"]).to_numpy()
    model = LinearRegression().fit(frame, labels)
    theirs = permutation_importance(
        model, frame, labels, scoring="neg_mean_absolute_error", n_repeats=20, random_state=1
    ).importances_mean
    ours = {each.feature: each.loss_added for each in rank_features(REGRESSION, frame, labels, model.predict, seed=1)}
    assert [ours[name] for name in frame] == pytest.approx(theirs.tolist(), rel=0.1, abs=1e-9)


def test_calibration_error_is_that_of_sklearns_curve(scored) -> None:
    from sklearn.calibration import calibration_curve

    random = np.random.default_rng(3)
    labels, scores = scored[0], random.permutation(np.linspace(0.01, 0.99, 500))  # no ties: bins of equally many rows
    outcome, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    assert CLASSIFICATION.metrics(labels, scores)["calibration_error"] == pytest.approx(
        np.abs(outcome - predicted).mean()
    )


@pytest.mark.parametrize("bins", [2, 3, 10, 50])
@pytest.mark.parametrize(("first", "second"), [(1000, 1000), (700, 20_000)])
def test_the_test_of_homogeneity_is_scipys_where_no_bin_is_rare(bins: int, first: int, second: int) -> None:
    from scipy.stats import chi2_contingency

    random = np.random.default_rng(bins)
    shares = random.dirichlet(np.full(bins, 50.0))
    counts = np.stack([random.multinomial(rows, shares) for rows in (first, second)])
    assert (counts.sum(axis=0) * first / (first + second) >= 5).all()
    expected = chi2_contingency(counts, correction=False).pvalue
    assert homogeneity_p_value(*counts) == pytest.approx(expected, rel=1e-9)
    assert homogeneity_p_value(*counts[::-1]) == pytest.approx(expected, rel=1e-9)


def test_the_test_of_homogeneity_rejects_as_often_as_it_says_where_nothing_differs() -> None:
    random = np.random.default_rng(2)
    shares = random.dirichlet(np.full(8, 2.0))
    found = [
        homogeneity_p_value(random.multinomial(5000, shares), random.multinomial(500, shares)) for _ in range(2000)
    ]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.015)  # three standard errors


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_holm_is_that_of_statsmodels(count: int) -> None:
    from statsmodels.stats.multitest import multipletests

    random = np.random.default_rng(count)
    for p_values in (random.random(count), random.random(count) / 50, np.round(random.random(count), 1)):
        assert holm_adjusted(p_values.tolist()) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


@pytest.mark.parametrize("count", [2, 3, 10, 60])
@pytest.mark.parametrize("confidence", [0.6, 0.95, 0.999])
def test_the_bound_of_one_more_draw_is_the_closed_form_of_students_t(count: int, confidence: float) -> None:
    from scipy.stats import t

    values = np.random.default_rng(count).exponential(size=count)
    expected = t.ppf(confidence, count - 1, values.mean(), values.std(ddof=1) * np.sqrt(1 + 1 / count))
    assert prediction_bound(values.tolist(), confidence=confidence) == pytest.approx(expected)


@pytest.mark.parametrize("count", [2, 3, 12])
@pytest.mark.parametrize("confidence", [0.9, 0.99])
def test_one_more_normal_draw_stays_below_its_bound_as_often_as_it_says(count: int, confidence: float) -> None:
    draws = np.random.default_rng(count).normal(3, 2, size=(5000, count + 1))
    below = np.mean([draw[-1] < prediction_bound(draw[:-1], confidence=confidence) for draw in draws])
    assert below == pytest.approx(confidence, abs=3 * np.sqrt(confidence * (1 - confidence) / 5000))


def test_the_effect_is_jeffreys_divergence_of_scipy() -> None:
    from scipy.stats import entropy

    random = np.random.default_rng(4)
    before, after = random.multinomial(900, np.full(6, 1 / 6)), random.multinomial(400, [0.3, 0.3, 0.1, 0.1, 0.2, 0.0])
    p, q = before + 0.5, after + 0.5
    assert index_of(before, after) == pytest.approx(entropy(p, q) + entropy(q, p))


def test_the_autocorrelation_is_that_of_statsmodels() -> None:
    from statsmodels.tsa.stattools import acf

    steps = np.random.default_rng(2).normal(size=301)
    series = steps[1:] + 0.8 * steps[:-1]
    alike = acf(series, nlags=1, fft=False)[1]
    assert 0.3 < alike < 0.7
    assert effective_number(series.tolist()) == pytest.approx(300 * (1 - alike) / (1 + alike))


# How often drift and performance are flagged, over many weeks

WEEKS, ROWS, RULE = 10, 500, DriftRule()
PERIOD = np.repeat(np.arange(WEEKS), ROWS)
CARRIERS = np.array(["UA", "B6", "AA", "HA"])


def mixed_columns(random: np.random.Generator, rows: int) -> pd.DataFrame:
    """Twenty columns: numbers of every shape, with many zeros or values missing, text of few and of many kinds, booleans."""
    kinds = {
        "normal": lambda: random.normal(size=rows),
        "skewed": lambda: random.exponential(size=rows),
        "rain": lambda: np.where(random.random(rows) < 0.93, 0.0, random.exponential(size=rows)),
        "gust": lambda: np.where(random.random(rows) < 0.3, np.nan, random.normal(size=rows)),
        "count": lambda: random.poisson(2, size=rows),
        "carrier": lambda: random.choice(CARRIERS, size=rows, p=[0.4, 0.3, 0.2, 0.1]),
        "airport": lambda: [f"A{number}" for number in random.geometric(0.05, size=rows)],
        "weekend": lambda: random.random(rows) < 0.3,
        "same": lambda: np.full(rows, 5.0),
        "absent": lambda: np.full(rows, np.nan),
    }
    return pd.DataFrame({f"{name} {turn}": make() for name, make in kinds.items() for turn in (1, 2)})


def profiles_of(frame: pd.DataFrame) -> tuple[ColumnProfile, ...]:
    return tuple(profile_column(name, FEATURE, frame[name], PERIOD) for name in frame)


def test_weeks_like_the_training_weeks_are_seldom_flagged() -> None:
    random = np.random.default_rng(6)
    flags = []
    for _ in range(20):
        profiles = profiles_of(mixed_columns(random, WEEKS * ROWS))
        for _ in range(10):
            found = measure_drift(profiles, mixed_columns(random, ROWS), RULE)
            flags.append([column.flagged for column in found])
    assert np.shape(flags) == (200, 20)
    assert np.mean(flags) <= 0.01
    assert np.mean(np.any(flags, axis=1)) <= 0.05


def test_seasonal_weeks_are_seldom_flagged_though_a_fixed_threshold_flags_most() -> None:
    random = np.random.default_rng(8)

    def weeks(count: int) -> np.ndarray:
        """Weeks whose means differ by about as much as their rows do."""
        return random.normal(size=(count, ROWS)) + random.normal(size=(count, 1))

    flags, above = [], []
    for _ in range(150):
        profile = profile_column("x", FEATURE, pd.Series(weeks(WEEKS).ravel()), PERIOD)
        (found,) = measure_drift([profile], {"x": pd.Series(weeks(1).ravel())}, RULE)
        flags.append(found.flagged)
        above.append(found.effect > 0.25)
    assert np.mean(above) > 0.5
    assert np.mean(flags) <= 0.1  # 0.05 by the rule's confidence, and three standard errors


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("normal", lambda random, values: values + 0.5),
        ("normal", lambda random, values: values * np.sqrt(2)),
        ("carrier", lambda random, values: random.choice(CARRIERS, size=ROWS, p=[0.25, 0.3, 0.2, 0.25])),
        ("gust", lambda random, values: values.where(random.random(ROWS) < 0.75)),
        ("rain", lambda random, values: values + random.exponential(size=ROWS) * (random.random(ROWS) < 0.2)),
    ],
    ids=[
        "half a deviation",
        "twice the variance",
        "a share moved by 0.15",
        "a quarter more missing",
        "thrice the rain",
    ],
)
def test_weeks_that_moved_are_nearly_always_flagged(name: str, change) -> None:
    random, flags = np.random.default_rng(9), []
    for _ in range(5):
        profiles = profiles_of(mixed_columns(random, WEEKS * ROWS)[[f"{name} 1"]])
        for _ in range(20):
            values = mixed_columns(random, ROWS)[f"{name} 1"]
            (found,) = measure_drift(profiles, {f"{name} 1": pd.Series(change(random, values))}, RULE)
            flags.append(found.flagged)
    assert np.mean(flags) >= 0.9


def test_performance_weeks_like_the_training_weeks_are_seldom_blocked_and_flipped_ones_nearly_always() -> None:
    random, rule = np.random.default_rng(10), PerformanceRule()
    days = np.repeat(np.arange(7), 100)

    def week() -> Outcomes:
        """700 rows whose days share their luck, which their scores do not know."""
        logits = random.normal(size=700)
        luck = random.normal(0, 0.3, size=7)[days]
        labels = (random.random(700) < 1 / (1 + np.exp(-logits - luck))).astype(float)
        return Outcomes(labels, 1 / (1 + np.exp(-logits)), days.tolist(), pd.DataFrame(index=range(700)), 700)

    def flipped(week: Outcomes) -> Outcomes:
        return replace(week, labels=np.where(random.random(700) < 0.3, 1 - week.labels, week.labels))

    def blocked(week: Outcomes, expected: Expected) -> bool:
        return isinstance(judge_performance(CLASSIFICATION, week, expected, rule).verdict, Blocked)

    quiet, worse = [], []
    for _ in range(200):
        period = [week() for _ in range(WEEKS)]
        expected = Expected(
            tuple(float(log_loss(each.labels, each.scores).mean()) for each in period),
            tuple(float((each.labels - each.scores).mean()) for each in period),
        )
        quiet.append(blocked(week(), expected))
        worse.append(blocked(flipped(week()), expected))
    assert np.mean(quiet) <= 0.1  # 0.05 by the rule's confidence, and three standard errors
    assert np.mean(worse) >= 0.95
