from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from ops_pipelines.core.errors import ConfigError, NotPromotable, ReleaseError
from ops_pipelines.core.pointer import PRODUCTION, Decision, live_release, promote
from ops_pipelines.core.release import Release, find_release
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.scoring import judge_predictions, release_for, score
from ops_pipelines.mlops.task import CLASSIFICATION
from ops_pipelines.testing.release_store import NEW_YEAR, InMemoryReleaseStore, evidence_against, manifest_of

SYSTEM, WEEK = "flight_delay", timedelta(days=7)


def double(vectors: pa.Table) -> np.ndarray:
    """A model whose score is twice the distance."""
    return vectors.column("distance").to_numpy() * 2


@pytest.fixture
def store() -> InMemoryReleaseStore:
    return InMemoryReleaseStore()


def go_live(store: InMemoryReleaseStore, model: str, week: int) -> Release:
    """Promotes a model that knows everything up to the beginning of a week, at that instant."""
    live, as_of = live_release(store, SYSTEM, PRODUCTION), NEW_YEAR + week * WEEK
    store.save(manifest_of(model), evidence_against(live.digest if live else None, cut_off=as_of))
    release = find_release(store, SYSTEM, manifest_of(model).digest)
    promote(store, release, Decision("ada", "better", as_of, as_of), resolves=lambda name, digest: True)
    return release


def scoring_release(store: InMemoryReleaseStore, week: int, named: str | None = None) -> Release:
    return release_for(store, SYSTEM, PRODUCTION, start=NEW_YEAR + week * WEEK, named=named)


def test_a_week_is_scored_by_the_release_that_was_live_when_it_began(store) -> None:
    first = go_live(store, "a", week=1)
    assert scoring_release(store, week=1) == scoring_release(store, week=5) == first


def test_an_old_week_keeps_its_release_after_a_promotion(store) -> None:
    first, second = go_live(store, "a", week=1), go_live(store, "b", week=3)
    assert [scoring_release(store, week) for week in (1, 2, 3, 4)] == [first, first, second, second]


def test_a_release_promoted_within_a_week_does_not_score_that_week(store) -> None:
    first, _ = go_live(store, "a", week=1), go_live(store, "b", week=2)
    start = NEW_YEAR + 2 * WEEK - timedelta(microseconds=1)
    assert release_for(store, SYSTEM, PRODUCTION, start=start) == first


def test_a_week_before_the_first_promotion_has_no_release(store) -> None:
    go_live(store, "a", week=1)
    with pytest.raises(ReleaseError, match="No release of 'flight_delay' was live in 'production'"):
        scoring_release(store, week=0)


def test_a_named_release_scores_weeks_after_its_cut_off(store) -> None:
    first, _ = go_live(store, "a", week=1), go_live(store, "b", week=2)
    assert scoring_release(store, week=4, named=first.digest[:12]) == first
    assert scoring_release(store, week=1, named=first.digest) == first


def test_a_named_release_that_knows_the_week_is_refused(store) -> None:
    second = (go_live(store, "a", week=1), go_live(store, "b", week=2))[1]
    with pytest.raises(NotPromotable, match="knows everything up to"):
        scoring_release(store, week=1, named=second.digest)


def test_a_name_that_nobody_knows_is_refused(store) -> None:
    with pytest.raises(ReleaseError, match="No release of 'flight_delay' begins with 'zz'"):
        scoring_release(store, week=1, named="zz")


def test_every_score_says_which_release_made_it_and_what_it_saw(store) -> None:
    release = go_live(store, "a", week=1)
    vectors = pa.table({"flight": ["UA1", "UA2"], "distance": [0.25, 0.5], "gate": ["A1", None]})
    scores = score(vectors, entity="flight", release=release, partition="2013-01-08", predict=double)
    prefix, digits = "flight_delay/2013-01-08", release.digest[:12]
    said = {
        "prediction_id": [f"{prefix}/UA1/{digits}", f"{prefix}/UA2/{digits}"],
        "score": [0.5, 1.0],
        "release": [release.digest] * 2,
    }
    assert scores.to_pydict() == said | vectors.to_pydict()


def test_the_vectors_keep_their_types_beside_the_scores(store) -> None:
    release = go_live(store, "a", week=1)
    vectors = pa.table({"flight": pa.array([7], pa.int16()), "distance": pa.array([0.5], pa.float32())})
    scores = score(vectors, entity="flight", release=release, partition="2013-01-08", predict=double)
    assert [scores.schema.field(name).type for name in vectors.column_names] == [pa.int16(), pa.float32()]


@pytest.mark.parametrize("name", ["prediction_id", "score", "release"])
def test_a_column_named_like_a_part_of_the_prediction_is_refused(store, name: str) -> None:
    release = go_live(store, "a", week=1)
    vectors = pa.table({"flight": ["UA1"], "distance": [0.5], name: [1.0]})
    with pytest.raises(
        ConfigError, match=rf"\['{name}'\] are columns .*Expected: other names than .*Rename the column"
    ):
        score(vectors, entity="flight", release=release, partition="2013-01-08", predict=double)


def test_a_week_without_rows_has_scores_without_rows(store) -> None:
    release = go_live(store, "a", week=1)
    vectors = pa.table({"flight": pa.array([], pa.string()), "distance": pa.array([], pa.float64())})
    scores = score(vectors, entity="flight", release=release, partition="2013-01-08", predict=double)
    assert scores.num_rows == 0
    types = {"prediction_id": pa.string(), "score": pa.float64(), "release": pa.string()}
    assert dict(zip(scores.schema.names, scores.schema.types, strict=True)) == types | {
        "flight": pa.string(),
        "distance": pa.float64(),
    }


def test_scores_from_0_to_1_for_every_row_pass() -> None:
    assert judge_predictions(CLASSIFICATION, pa.table({"score": [0.0, 0.5, 1.0]}), rows=3) == Passed({"rows": 3})


def test_nothing_to_score_is_not_evaluated() -> None:
    assert isinstance(
        judge_predictions(CLASSIFICATION, pa.table({"score": pa.array([], pa.float64())}), rows=0), NotEvaluated
    )


@pytest.mark.parametrize(
    "scores",
    [[0.5], [0.5, 0.5, 0.5], [0.5, 1.0001], [-0.1, 0.5], [0.5, None], [0.5, float("nan")], [None, None], []],
    ids=["too few", "too many", "above 1", "below 0", "missing", "nan", "all missing", "none"],
)
def test_rows_without_a_sound_score_are_blocked(scores: list[float | None]) -> None:
    assert isinstance(
        judge_predictions(CLASSIFICATION, pa.table({"score": pa.array(scores, pa.float64())}), rows=2), Blocked
    )
