import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import DataError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, digest_files, digest_json, digest_table, short

TYPES = {
    "id": pa.int64(),
    "carrier": pa.string(),
    "delay": pa.float64(),
    "cancelled": pa.bool_(),
    "at": pa.timestamp("us", tz="UTC"),
}
INSTANTS = [datetime(2013, 1, 1, tzinfo=UTC) + timedelta(microseconds=late) for late in (0, 1, -1)]
CELLS = {
    "carrier": st.sampled_from([None, "", " ", "a", "ab", "b", "ä", "☂"]),
    "delay": st.sampled_from([None, 0.0, 1.0, -1.5, 1e-300, 0.1 + 0.2, 0.3, math.inf]),
    "cancelled": st.sampled_from([None, False, True]),
    "at": st.sampled_from([None, *INSTANTS]),
}
ROWS = st.lists(st.fixed_dictionaries(CELLS), min_size=1, max_size=5).map(
    lambda rows: [{"id": number, **row} for number, row in enumerate(rows)]
)


def table_of(rows: list[dict[str, object]]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()})


def digest(table: pa.Table) -> str:
    return digest_table(table, key=["id"])


@settings(max_examples=15, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_a_tables_digest_is_the_same_for_every_order_of_rows_and_columns(rows, random) -> None:
    shuffled = table_of(random.sample(rows, len(rows))).select(random.sample(list(TYPES), len(TYPES)))
    assert digest(shuffled) == digest(table_of(rows))


@settings(max_examples=15, deadline=None)
@given(ROWS, st.integers(0, 5))
def test_chunks_and_dictionaries_do_not_move_a_tables_digest(rows, cut: int) -> None:
    table = table_of(rows)
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    encoded = chunked.set_column(1, "carrier", chunked.column("carrier").dictionary_encode())
    assert digest(chunked) == digest(encoded) == digest(table)


@settings(max_examples=40, deadline=None)
@given(ROWS, st.data())
def test_any_changed_cell_moves_a_tables_digest(rows, data) -> None:
    position, name = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(list(CELLS)))
    before = rows[position][name]
    after = data.draw(CELLS[name].filter(lambda value: value != before))
    changed = [row | {name: after} if number == position else row for number, row in enumerate(rows)]
    assert digest(table_of(changed)) != digest(table_of(rows))


def test_one_value_changed_in_row_15000_moves_the_digest() -> None:
    delays = np.arange(20_000, dtype=float)
    before = digest(pa.table({"id": np.arange(20_000), "delay": delays}))
    delays[15_000] += 1e-9
    assert digest(pa.table({"id": np.arange(20_000), "delay": delays})) != before


def test_a_table_sorted_by_a_dictionary_has_the_digest_of_its_values() -> None:
    plain = pa.table({"carrier": ["UA", "AA"], "delay": [1.0, 2.0]})
    encoded = plain.set_column(0, "carrier", plain.column("carrier").dictionary_encode())
    assert digest_table(encoded, key=["carrier"]) == digest_table(plain, key=["carrier"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"x": [1, 2]}, {"y": [1, 2]}),
        ({"x": [1, 2]}, {"x": [1.0, 2.0]}),
        ({"x": ["ab", "c"]}, {"x": ["a", "bc"]}),
        ({"x": ["", "a"]}, {"x": [None, "a"]}),
        ({"x": [0, 1]}, {"x": [None, 1]}),
        ({"x": [1]}, {"x": [1], "y": [None]}),
    ],
    ids=["name", "type", "where texts end", "empty text", "zero", "one more column"],
)
def test_what_looks_alike_and_is_not_has_another_digest(one, other) -> None:
    other = {name: pa.array(values, pa.int64() if values == [None] else None) for name, values in other.items()}
    rows = {"id": pa.array(range(len(one["x"])))}
    assert digest(pa.table(rows | one)) != digest(pa.table(rows | other))


def test_tables_without_rows_differ_by_their_columns() -> None:
    empty = {name: pa.array([], kind) for name, kind in TYPES.items()}
    assert digest(pa.table(empty)) != digest(pa.table({"id": empty["id"]}))
    assert digest(pa.table(empty)) == digest(pa.schema(TYPES).empty_table())


def test_a_nested_column_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="'legs' of type list"):
        digest(pa.table({"id": [1], "legs": [["EWR", "ORD"]]}))


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()))
def test_canonical_json_does_not_know_the_order_of_keys(record) -> None:
    assert canonical_json(dict(reversed(record.items()))) == canonical_json(record)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_canonical_json_refuses_what_json_cannot_say(value: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        digest_json({"loss": value})


def test_digests_are_sha256() -> None:
    assert digest_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert short(digest_bytes(b"")) == "e3b0c44298fc"


def test_the_digest_of_files_knows_names_and_bytes_and_not_folders_or_order(tmp_path: Path) -> None:
    files = [tmp_path / "one" / "a", tmp_path / "one" / "b", tmp_path / "two" / "a", tmp_path / "two" / "b"]
    for file in files:
        file.parent.mkdir(exist_ok=True)
        file.write_text(file.name)
    before = digest_files(files[:2])
    assert digest_files([files[3], files[2]]) == before
    files[1].write_text("changed")
    assert digest_files(files[:2]) != before
