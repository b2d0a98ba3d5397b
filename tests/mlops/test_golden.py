"""Golden vectors: chosen once, kept as JSON, and scored again."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.golden import ROWS, GoldenVectors, judge_golden, pick_golden
from ops_pipelines.testing.flavours import LogisticFlavour, example_rows, fit_logistic


def holdout(rows: int = 500) -> tuple[pa.Table, np.ndarray]:
    draw = np.random.default_rng(1)
    start = datetime(2013, 1, 1, tzinfo=UTC)
    wind = [None if n == 7 else float(n) / 3 for n in range(rows)]
    columns = {
        "wind": pa.array(wind, pa.float64()),
        "seats": pa.array(range(rows), pa.int32()),
        "carrier": pa.array(["UA", "AA", None, "é"] * rows, pa.string())[:rows].dictionary_encode(),
        "night": pa.array([n % 2 == 0 for n in range(rows)]),
        "asked_at": pa.array([start + timedelta(hours=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
    }
    return pa.table(columns), draw.random(rows)


def vectors(*scores: float) -> GoldenVectors:
    return GoldenVectors(pa.table({"x": [0.0] * len(scores)}), scores)


def test_the_rows_span_the_scores():
    features, scores = holdout()
    golden = pick_golden(features, scores)
    assert ROWS <= len(golden.scores) <= ROWS + 2
    assert (min(golden.scores), max(golden.scores)) == (scores.min(), scores.max())
    assert max(np.diff(sorted(golden.scores))) < 0.08


def test_each_column_that_is_missing_somewhere_has_a_row_where_it_is():
    golden = pick_golden(*holdout(), rows=2)
    assert {name: golden.features.column(name).null_count > 0 for name in ("wind", "carrier", "seats")} == {
        "wind": True,
        "carrier": True,
        "seats": False,
    }


def test_each_row_keeps_its_own_score():
    features, scores = holdout()
    golden = pick_golden(features, scores)
    assert [scores[seat] for seat in golden.features.column("seats").to_pylist()] == list(golden.scores)


def test_the_same_rows_give_the_same_vectors():
    first, second = (canonical_json(pick_golden(*holdout()).to_json()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_few_rows_are_all_kept(rows):
    assert len(pick_golden(*holdout(rows)).scores) == rows


def test_scores_that_belong_to_other_rows_are_refused():
    with pytest.raises(ValueError, match="2 scores for 3 rows"):
        pick_golden(holdout(3)[0], np.zeros(2))


def test_a_column_that_json_cannot_hold_is_named():
    with pytest.raises(DataError, match="Feature 'tags' has the type list"):
        pick_golden(pa.table({"tags": [["a"]]}), np.zeros(1))


def test_what_was_written_comes_back_to_the_bit():
    golden = pick_golden(*holdout())
    again = GoldenVectors.from_json(golden.to_json())
    assert again.scores == golden.scores
    assert again.features.equals(golden.features)


@given(st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=8))
def test_every_float_survives_json(values):
    golden = pick_golden(pa.table({"x": pa.array(values, pa.float64())}), np.arange(float(len(values))))
    record = golden.to_json()
    canonical_json(record)
    back = GoldenVectors.from_json(record).features.column("x").to_pylist()
    np.testing.assert_array_equal(np.array(back, dtype=float), np.array(values, dtype=float))
    assert [value is None for value in back] == [value is None for value in values]


def test_a_model_that_comes_back_from_its_bytes_passes_and_another_one_does_not():
    flavour = LogisticFlavour()
    rows = example_rows(400, seed=1)
    model, other = (fit_logistic(example_rows(400, seed=seed), {}, 0) for seed in (1, 2))
    features = pa.Table.from_pandas(rows.features, preserve_index=False)
    picked = pick_golden(features, flavour.predict(model, rows.features))
    golden = GoldenVectors.from_json(json.loads(canonical_json(picked.to_json())))
    again = flavour.predict(flavour.load(flavour.dump(model)), golden.features.to_pandas())
    assert isinstance(judge_golden(golden, again), Passed)
    assert isinstance(judge_golden(golden, flavour.predict(other, golden.features.to_pandas())), Blocked)


def test_the_same_scores_pass():
    verdict = judge_golden(vectors(0.1, 0.9), np.array([0.1, 0.9 + 5e-7]))
    assert isinstance(verdict, Passed)
    assert verdict.evidence["apart"] == 0


def test_another_score_blocks_and_names_the_furthest():
    verdict = judge_golden(vectors(0.1, 0.5, 0.9), np.array([0.1, 0.5 + 2e-6, 0.4]))
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == (
        "2 of 3 golden rows score otherwise than when the gate let the release in, the furthest 0.4 where it was 0.9",
    )


def test_large_scores_may_move_by_their_share():
    assert isinstance(judge_golden(vectors(1e6), np.array([1e6 + 0.5])), Passed)
    assert isinstance(judge_golden(vectors(1e6), np.array([1e6 + 2.0])), Blocked)


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_a_score_that_is_no_number_blocks(broken):
    verdict = judge_golden(vectors(0.1, 0.5), np.array([0.1, broken]))
    assert isinstance(verdict, Blocked)
    canonical_json(verdict.evidence)


@pytest.mark.parametrize("golden", [None, vectors()])
def test_a_release_without_vectors_cannot_be_judged(golden):
    assert isinstance(judge_golden(golden, np.array([])), NotEvaluated)


def test_another_number_of_scores_cannot_be_judged():
    assert isinstance(judge_golden(vectors(0.1, 0.5), np.array([[0.1, 0.5]])), NotEvaluated)


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=20), st.floats(0, 1e-3))
def test_more_tolerance_never_blocks_more(scores, by):
    now = np.array(scores) + by
    strict, loose = (judge_golden(vectors(*scores), now, tolerance=t).evidence["apart"] for t in (1e-9, 1e-4))
    assert strict >= loose
