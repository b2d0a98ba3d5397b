"""Statistics of the domain rooms against other libraries, which take seconds to import."""

import numpy as np
import pytest

from ops_pipelines.core.statistics import ClusteredMean, clustered_mean
from ops_pipelines.mlops.evaluation import log_loss, metrics, roc_auc


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
    assert metrics(labels, scores)["brier"] == pytest.approx(brier_score_loss(labels, scores), abs=1e-12)


def test_calibration_error_is_that_of_sklearns_curve(scored) -> None:
    from sklearn.calibration import calibration_curve

    random = np.random.default_rng(3)
    labels, scores = scored[0], random.permutation(np.linspace(0.01, 0.99, 500))  # no ties: bins of equally many rows
    outcome, predicted = calibration_curve(labels, scores, n_bins=10, strategy="quantile")
    assert metrics(labels, scores)["calibration_error"] == pytest.approx(np.abs(outcome - predicted).mean())
