from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.parity_sample import sample_entities

NOON = datetime(2013, 3, 12, 12, tzinfo=UTC)


def rows(count: int = 200) -> pa.Table:
    """Flights of ten planes, one of which nobody knows, one asked each minute from noon on."""
    planes = [None if n % 10 == 0 else n % 10 for n in range(count)]
    asked = pa.array([NOON + timedelta(minutes=n) for n in range(count)], pa.timestamp("us", tz="UTC"))
    return pa.table(
        {"flight": [f"f{n}" for n in range(count)], "plane": planes, "asked_at": asked, "late": [1] * count}
    )


def sampled(table: pa.Table, *, before: datetime = NOON + timedelta(days=9), seed: str = "w", **other) -> list[dict]:
    given = {"keys": ("flight", "plane"), "asked_at": "asked_at", "count": 50, "unknown": 6} | other
    return sample_entities(table, before=before, seed=seed, **given).to_pylist()


def test_a_sample_is_the_same_in_whatever_order_the_rows_stand_and_another_each_week():
    backwards = rows().take(list(range(199, -1, -1)))
    assert sampled(rows()) == sampled(backwards)
    assert len({row["flight"] for row in sampled(rows()) + sampled(rows(), seed="v")}) > 60


def test_strangers_come_last_and_have_keys_of_the_columns_types_that_no_row_has():
    *known, _, _, _, _, _, stranger = sampled(rows())
    assert len(known) == 50
    assert stranger == {"flight": "(nobody 5)", "plane": -1_000_006}
    assert {row["flight"] for row in known} <= set(rows().column("flight").to_pylist())


def test_rows_that_are_asked_later_are_left_out():
    known = sampled(rows(), before=NOON + timedelta(minutes=9), unknown=0)
    assert sorted(row["flight"] for row in known) == [f"f{n}" for n in range(10)]
    assert sampled(rows(), before=NOON - timedelta(days=1)) == []


def test_each_entity_stands_there_once_and_a_missing_key_stays_missing():
    planes = sampled(rows(), keys=("plane",), unknown=0)
    assert sorted(row["plane"] or 0 for row in planes) == list(range(10))


def test_keys_that_read_alike_side_by_side_are_two_entities():
    one, other = {"a": "x", "b": "yz"}, {"a": "xy", "b": "z"}
    table = pa.Table.from_pylist([one | {"at": NOON}, other | {"at": NOON}])
    found = sample_entities(
        table, keys=("a", "b"), asked_at="at", before=NOON, count=9, unknown=0, seed="w"
    ).to_pylist()
    assert sorted(found, key=str) == [one, other]


def test_an_absent_column_names_the_nearest_one():
    with pytest.raises(DataError, match="Did you mean 'plane'"):
        sampled(rows(), keys=("plan",))
