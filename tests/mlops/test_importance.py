import numpy as np
import pandas as pd
import pytest

from ops_pipelines.mlops.importance import MOST_ROWS, rank_features
from ops_pipelines.mlops.task import CLASSIFICATION, REGRESSION

DRAW = np.random.default_rng(3)
FRAME = pd.DataFrame({"weak": DRAW.normal(size=900), "strong": DRAW.normal(size=900), "noise": DRAW.normal(size=900)})


def scored(frame: pd.DataFrame) -> np.ndarray:
    return (frame["weak"] + 4 * frame["strong"]).to_numpy()


def test_features_are_ranked_by_what_their_shuffling_costs() -> None:
    found = rank_features(REGRESSION, FRAME, scored(FRAME), scored, seed=1)
    assert [each.feature for each in found] == ["strong", "weak", "noise"]
    assert found[2].loss_added == 0
    # a shuffled normal is off by the difference of two: 4 * sqrt(2) * E|z| on average
    assert found[0].loss_added == pytest.approx(4 * 2 / np.sqrt(np.pi), rel=0.1)


def test_the_same_seed_gives_the_same_ranking_and_the_rows_are_left_alone() -> None:
    before = FRAME.copy()
    first, second = (rank_features(REGRESSION, FRAME, scored(FRAME), scored, seed=1) for _ in range(2))
    assert first == second
    pd.testing.assert_frame_equal(FRAME, before)


def test_many_rows_are_thinned_and_none_give_nothing() -> None:
    seen = []
    many = pd.DataFrame({"number": np.arange(30_000.0)})
    rank_features(
        REGRESSION, many, np.arange(30_000.0), lambda f: seen.append(len(f)) or f["number"].to_numpy(), seed=1
    )
    assert set(seen) == {MOST_ROWS}
    assert rank_features(CLASSIFICATION, many[:0], np.array([]), lambda f: np.array([]), seed=1) == ()


def test_text_features_are_shuffled_too() -> None:
    frame = pd.DataFrame({"carrier": ["AA", "UA"] * 50})
    labels = (frame["carrier"] == "UA").to_numpy(dtype=float)
    found = rank_features(CLASSIFICATION, frame, labels, lambda f: np.where(f["carrier"] == "UA", 0.9, 0.1), seed=1)
    assert found[0].loss_added > 0.5
