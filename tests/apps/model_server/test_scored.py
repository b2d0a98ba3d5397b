"""Answers as they are stamped: by which release, in which order, and what the log is given of them."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.adapters.served_release import ServedRelease
from ops_pipelines.apps.model_server.scored import Asked, new_ids, score
from ops_pipelines.core.errors import SchemaMismatch
from ops_pipelines.mlops.feature_set import FeatureService
from ops_pipelines.mlops.prediction_log import LIVE
from ops_pipelines.mlops.serving import signature_of

NOON = datetime(2013, 1, 1, 12, tzinfo=UTC)
MOMENTS = st.integers(0, 6 * 10**12).map(lambda number: NOON + timedelta(milliseconds=number))
KINDS = {"x": "float", "at": "timestamp", "who": "string"}


def release(scorer=lambda columns: [0.5] * len(columns["x"])):
    signature = signature_of(list(KINDS), KINDS, dict.fromkeys(KINDS, False))
    return ServedRelease("flight_delay", "ab" * 32, signature, scorer, FeatureService("none", ()), "flight")


def scored(made, **columns):
    asked = {"x": [1.0], "at": ["2013-01-01T12:00:00-05:00"], "who": ["Zoë"]} | columns
    return score(made, LIVE, Asked(asked, 1, ["UA1"], [{"flight": "UA1"}]), asked_at=NOON, served_at=NOON)


@given(rows=st.integers(1, 50), at=MOMENTS)
def test_an_id_names_its_system_and_its_release_and_is_nobody_elses(rows, at):
    ids = [*new_ids(release(), at, rows), *new_ids(release(), at, rows)]
    assert len(set(ids)) == 2 * rows
    assert {(made.split("/")[0], made.split("/")[-1]) for made in ids} == {("flight_delay", "ab" * 6)}


@given(at=MOMENTS, later=st.integers(1, 10**9))
def test_ids_sort_by_the_millisecond_of_their_answers(at, later):
    (first,), (second,) = new_ids(release(), at, 1), new_ids(release(), at + timedelta(milliseconds=later), 1)
    assert first < second


def test_threads_that_answer_at_once_make_no_id_twice():
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_ids(release(), NOON, 20), range(200)))
    assert len({one for ids in made for one in ids}) == 4_000


def test_the_log_is_given_what_the_model_saw_with_instants_as_texts():
    (answer,) = scored(release()).answers()
    assert answer.vector == {"x": 1.0, "at": "2013-01-01T17:00:00+00:00", "who": "Zoë"}
    assert (answer.entity, answer.keys, answer.release, answer.arm) == ("UA1", {"flight": "UA1"}, "ab" * 32, LIVE)


@pytest.mark.parametrize("raised", [ValueError("no such level"), KeyError("x"), ZeroDivisionError()])
def test_whatever_a_models_library_raises_is_a_row_that_it_cannot_score(raised):
    def fails(columns):
        raise raised

    with pytest.raises(SchemaMismatch, match="cannot score these rows"):
        scored(release(fails))
