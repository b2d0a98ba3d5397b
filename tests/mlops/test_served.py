from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError, SchemaMismatch
from ops_pipelines.core.fingerprint import digest_table
from ops_pipelines.core.verdict import Blocked, NotEvaluated, Passed
from ops_pipelines.mlops.prediction_log import LIVE, Answer
from ops_pipelines.mlops.served import blend, judge_served, table_of_answers, unite

MONDAY = datetime(2013, 3, 4, tzinfo=UTC)
COLUMNS = {"key": "trip", "asked_at": "asked"}
TOLD = ["asked", "wind"]
NOTHING = pa.table({})


def answer(number: int, entity: str | None = "t1", *, release: str = "old", score: float = 0.5, **vector) -> Answer:
    """The answer to the request of one minute."""
    at = MONDAY + timedelta(minutes=number)
    seen = vector or {"wind": 1.5}
    return Answer(f"city/online/{number}/{release}", "city", release, LIVE, entity, at, at, score, seen)


def table(*answers: Answer, **types: pa.DataType) -> pa.Table:
    """The table of answers, whatever release gave them of these types."""
    return table_of_answers(answers, types={answer.release: types for answer in answers}, **COLUMNS)


def batch(*entities: object, wind: pa.DataType | None = None) -> pa.Table:
    """Scores of a batch, .25 each, with a slice that no answer tells."""
    rows = len(entities)
    return pa.table(
        {
            "prediction_id": [f"city/2013-03-04/{entity}/old" for entity in entities],
            "score": [0.25] * rows,
            "release": ["old"] * rows,
            "trip": list(entities),
            "asked": pa.array([MONDAY] * rows, pa.timestamp("us", tz="UTC")),
            "line": ["red"] * rows,
            "wind": pa.array([9] * rows, wind or pa.float64()),
        }
    )


def blended(scores: pa.Table, served: pa.Table):
    return blend(scores, served, key="trip", release="old", told=TOLD)


def test_an_answer_is_one_row_of_what_was_said_and_seen() -> None:
    (row,) = table(answer(1, score=0.7)).to_pylist()
    at = MONDAY + timedelta(minutes=1)
    said = {"prediction_id": "city/online/1/old", "score": 0.7, "release": "old", "arm": LIVE, "trip": "t1"}
    assert row == said | {"asked": at, "served_at": at, "wind": 1.5}


def test_rows_are_sorted_by_id_and_their_digest_is_the_same_in_every_order() -> None:
    answers = [answer(number, release=release) for number in (3, 1, 2) for release in ("old", "new")]
    made, turned = table(*answers), table(*reversed(answers))
    assert made.column("prediction_id").to_pylist() == sorted(found.id for found in answers)
    assert digest_table(made, key=["prediction_id"]) == digest_table(turned, key=["prediction_id"])


def test_values_take_the_types_of_the_releases_features() -> None:
    made = table(answer(1, calls=2, wind=3), answer(2, calls=4.0, wind=None), calls=pa.int64(), wind=pa.float64())
    assert made.schema.field("calls").type == pa.int64()
    assert made.column("wind").to_pylist() == [3.0, None]


def test_a_large_number_is_not_rounded_on_its_way_to_an_integer() -> None:
    assert table(answer(1, calls=2**53 + 1), calls=pa.int64()).column("calls").to_pylist() == [2**53 + 1]


def test_features_of_a_release_without_kept_types_have_one_all_the_same() -> None:
    made = table(answer(1, wind=1, rain=True, line="red"), answer(2, wind=None, rain=None, line=None))
    assert [made.schema.field(name).type for name in ("wind", "rain", "line")] == [
        pa.float64(),
        pa.bool_(),
        pa.string(),
    ]


def test_a_score_that_is_no_number_is_missing_and_its_row_stays() -> None:
    made = table(answer(1, score=float("nan")), answer(2, score=float("inf")))
    assert made.column("score").to_pylist() == [None, None]


def test_a_value_that_its_type_cannot_hold_is_refused_with_the_features_name() -> None:
    with pytest.raises(SchemaMismatch, match="'wind' was answered with values of type string that cannot be double"):
        table(answer(1, wind="strong"), wind=pa.float64())


def test_a_feature_with_the_name_of_a_column_is_refused() -> None:
    with pytest.raises(ConfigError, match="'arm'"):
        table(answer(1, arm="left"))


def test_releases_with_other_features_share_a_table() -> None:
    made = table(answer(1, wind=1.0), answer(2, release="new", rain=2.0))
    assert [(row["wind"], row["rain"]) for row in made.to_pylist()] == [(1.0, None), (None, 2.0)]


def test_no_answers_are_a_table_without_rows() -> None:
    assert table().num_rows == 0
    assert judge_served(NOTHING, NOTHING) == NotEvaluated("nobody asked online")


NUMBERS = st.sets(st.integers(0, 30))


@given(NUMBERS, NUMBERS)
def test_a_week_compacted_again_keeps_what_the_log_forgot_and_adds_what_came(kept: set[int], log: set[int]) -> None:
    first, then = table(*map(answer, sorted(kept))), table(*map(answer, sorted(log)))
    both = unite(first, then)
    assert both.num_rows == len(kept | log)
    assert unite(both, then).equals(both)
    assert unite(both, NOTHING).equals(both)


def test_an_answer_that_says_something_else_than_what_was_compacted_is_blocked() -> None:
    verdict = judge_served(table(answer(1), answer(2)), table(replace(answer(2), score=0.9), answer(3)))
    assert isinstance(verdict, Blocked)
    assert "1 answers of the log are not those that were compacted before" in verdict.reasons[0]


def test_answers_that_agree_are_counted_once() -> None:
    assert judge_served(table(answer(1), answer(2)), table(answer(2), answer(3))) == Passed({"rows": 3})


def test_an_online_answer_takes_the_place_of_the_batch_row_with_what_was_seen_then() -> None:
    found = blended(batch("t1", "t2"), table(answer(5, "t1", score=0.9, wind=2.0)))
    rows = {row["trip"]: row for row in found.table.to_pylist()}
    assert (found.replaced, found.added, found.apart) == (1, 0, 0)
    online = rows["t1"]
    assert (online["prediction_id"], online["score"], online["wind"]) == ("city/online/5/old", 0.9, 2.0)
    assert (online["asked"], online["line"]) == (MONDAY + timedelta(minutes=5), "red")
    assert (rows["t2"]["score"], rows["t2"]["wind"]) == (0.25, 9.0)


def test_of_several_answers_the_last_one_counts() -> None:
    served = table(answer(3, score=0.3), answer(7, score=0.7), answer(5, score=0.5))
    found = blended(batch("t1"), served)
    assert found.table.column("score").to_pylist() == [0.7]
    assert found.apart == 2


def test_an_entity_that_the_batch_did_not_have_is_added() -> None:
    found = blended(batch("t1"), table(answer(1, "t9")))
    assert (found.added, found.table.num_rows) == (1, 2)
    assert found.table.to_pylist()[1]["line"] is None


@pytest.mark.parametrize(
    "other",
    [answer(1, release="new"), answer(1, None), answer(1, score=float("nan"))],
    ids=["another release", "no entity", "a failure"],
)
def test_what_is_no_score_of_the_week_stays_apart(other: Answer) -> None:
    scores = batch("t1", "t2")
    found = blended(scores, table(other))
    assert found.table.equals(scores)
    assert (found.replaced, found.added, found.apart) == (0, 0, 1)


def test_a_missing_feature_is_missing_in_the_score_too() -> None:
    assert blended(batch("t1"), table(answer(1, wind=None))).table.column("wind").to_pylist() == [None]


def test_a_column_that_only_another_release_tells_is_the_batch_rows() -> None:
    served = table(answer(1), answer(2, release="new", line="blue"))
    assert blended(batch("t1"), served).table.column("line").to_pylist() == ["red"]


def test_types_of_the_batch_hold_for_online_rows_too() -> None:
    found = blended(batch(1, 2, wind=pa.int32()), table(answer(1, "1", wind=2.0)))
    assert found.table.schema == batch(1, wind=pa.int32()).schema
    assert {row["trip"]: row["wind"] for row in found.table.to_pylist()} == {2: 9, 1: 2}


def test_half_a_number_widens_the_batchs_column_and_stops_nobodys_scores() -> None:
    found = blended(batch("t1", "t2", wind=pa.int64()), table(answer(1, wind=2.5))).table
    assert found.schema.field("wind").type == pa.float64()
    assert {row["trip"]: row["wind"] for row in found.to_pylist()} == {"t1": 2.5, "t2": 9.0}


def test_text_among_the_batchs_numbers_is_refused() -> None:
    with pytest.raises(SchemaMismatch, match="'wind'"):
        blended(batch("t1"), table(answer(1, wind="strong")))


@given(st.sets(st.sampled_from("abcdef"), min_size=1), st.lists(st.sampled_from("abcdefgh"), max_size=20))
def test_the_weeks_scores_are_one_row_an_entity_by_one_release(entities: set[str], asked: list[str]) -> None:
    served = table(*(answer(number, entity) for number, entity in enumerate(asked)))
    found = blended(batch(*sorted(entities)), served).table
    assert sorted(found.column("trip").to_pylist()) == sorted(entities | set(asked))
    assert set(found.column("release").to_pylist()) == {"old"}
