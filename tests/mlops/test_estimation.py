import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.estimation import Estimate, LossCurve, estimate_loss, judge_estimate, price_scores
from ops_pipelines.mlops.metrics import log_loss

WEEKS, A_WEEK = 10, 600


def world(seed: int, *, weeks: int = WEEKS, base: float = -1.0, flip: float = 0.0):
    """Calibrated scores, their losses and their weeks; `flip` of the outcomes come the other way round."""
    draw = np.random.default_rng(seed)
    scores = 1 / (1 + np.exp(-draw.normal(base, 1, weeks * A_WEEK)))
    labels = (draw.random(len(scores)) < scores).astype(float)
    labels = np.where(draw.random(len(scores)) < flip, 1 - labels, labels)
    return scores, log_loss(labels, scores), np.repeat(np.arange(weeks), A_WEEK)


@pytest.fixture(scope="module")
def curve() -> LossCurve:
    return price_scores(*world(1))


def test_a_curve_by_hand() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9] * 2)
    losses = np.array([1.0, 1.0, 3.0, 3.0, 1.0, 1.0, 5.0, 5.0])
    found = price_scores(scores, losses, np.repeat([0, 1], 4))
    assert found.at(np.array([0.0, 0.15, 0.85, 1.0])).tolist() == [1.0, 1.0, 4.0, 4.0]
    # the first week by the second's prices: 2 against 3; and the other way round
    assert found.errors == (-1.0, 1.0)


def test_scores_that_are_all_alike_have_one_price() -> None:
    found = price_scores(np.full(6, 0.3), np.arange(6.0), np.arange(6))
    assert (found.edges, found.losses) == ((), (2.5,))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 9), st.integers(0, 3)), min_size=1, max_size=40))
def test_on_the_rows_that_it_was_made_of_the_estimate_is_the_mean_loss(rows) -> None:
    scores, losses, weeks = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    assert price_scores(scores, losses, weeks).at(scores).mean() == pytest.approx(losses.mean(), abs=1e-9)


def test_harder_rows_are_seen_before_their_outcomes(curve) -> None:
    scores, losses, _ = world(2, weeks=1, base=0.0)
    found = estimate_loss(curve, scores)
    assert found.low < losses.mean() < found.high
    assert found.loss > estimate_loss(curve, world(3, weeks=1)[0]).loss + 0.05


def test_the_interval_holds_as_often_as_it_says() -> None:
    inside = []
    for seed in range(100):
        scores, losses, weeks = world(seed, weeks=WEEKS + 1)
        last = weeks == WEEKS
        found = estimate_loss(price_scores(scores[~last], losses[~last], weeks[~last]), scores[last], confidence=0.9)
        inside.append(found.low <= losses[last].mean() <= found.high)
    assert np.mean(inside) >= 0.85


def test_what_changed_without_moving_scores_is_not_seen(curve) -> None:
    scores, losses, _ = world(4, weeks=1, flip=0.3)
    found = estimate_loss(curve, scores)
    assert losses.mean() > found.high
    assert isinstance(judge_estimate(found, limit=found.high, loss_name="log_loss"), Passed)


def test_no_scores_and_too_few_weeks_are_not_evaluated(curve) -> None:
    assert isinstance(estimate_loss(curve, np.array([])), NotEvaluated)
    assert estimate_loss(price_scores(*world(5, weeks=2)), np.array([0.5])) == NotEvaluated(
        "the training period has 2 weeks, and an interval needs 3"
    )


def test_a_verdict_says_beyond_within_or_cannot_tell() -> None:
    found = Estimate(0.6, 0.5, 0.7, 0.95, 600)
    assert isinstance(judge_estimate(found, 0.49, loss_name="log_loss"), Blocked)
    assert isinstance(judge_estimate(found, 0.71, loss_name="log_loss"), Passed)
    assert judge_estimate(found, 0.55, loss_name="log_loss").why == (
        "the scores alone stand for a log loss 0.600 [0.500, 0.700]: whether it is above 0.550 cannot be told"
    )


def test_a_curve_comes_back_from_its_json(curve) -> None:
    kept = {"edges": list(curve.edges), "losses": list(curve.losses), "errors": list(curve.errors)}
    assert LossCurve.from_json(json.loads(canonical_json(kept))) == curve
