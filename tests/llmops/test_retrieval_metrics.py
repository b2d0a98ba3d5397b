import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from ops_pipelines.llmops.retrieval_metrics import measure_retrieval, ndcg_at, recall_at, reciprocal_rank


@given(st.lists(st.integers(0, 3), min_size=2, max_size=12), st.integers(1, 12), st.randoms())
def test_ndcg_is_that_of_scikit_learn(gains, k, random):
    order = list(range(len(gains)))
    random.shuffle(order)
    scores = [len(order) - order.index(place) for place in range(len(gains))]
    ours = ndcg_at([str(place) for place in order], {str(at): gain for at, gain in enumerate(gains)}, k)
    if not any(gains):
        assert ours is None
    else:
        assert ours == pytest.approx(ndcg_score(np.array([gains]), np.array([scores]), k=k))


def test_a_case_worked_by_hand():
    gains = {"a": 3, "b": 2, "c": 1}
    assert ndcg_at(["x", "a", "c"], gains, 3) == pytest.approx(
        (3 / 1.58496 + 1 / 2) / (3 + 2 / 1.58496 + 1 / 2), rel=1e-4
    )
    assert recall_at(["x", "a", "c"], gains, 2) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "a", "c"], gains) == 0.5


def test_a_question_of_which_nothing_is_relevant_has_no_measure():
    assert [ndcg_at(["a"], {"a": 0}, 5), recall_at(["a"], {}, 5), reciprocal_rank(["a"], {"b": -1})] == [None] * 3


def test_the_means_are_over_the_questions_that_can_be_measured():
    found = {"1": ["a", "b"], "2": ["x", "b"], "3": ["a"]}
    measured = measure_retrieval(found, {"1": {"a": 1}, "2": {"b": 1}, "3": {}, "4": {"z": 1}}, k=1)
    assert (measured.questions, measured.recall, measured.mrr) == (3, pytest.approx(1 / 3), pytest.approx(0.5))


def test_without_a_question_that_can_be_measured_there_is_no_mean():
    assert measure_retrieval({}, {"1": {}}).ndcg is None
