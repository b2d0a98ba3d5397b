from datetime import timedelta, timezone

import pyarrow as pa
import pytest

from ops_pipelines.core.errors import ConfigError, SchemaMismatch
from ops_pipelines.mlops.dataset import Column, DatasetSpec, conform
from ops_pipelines.testing.datasets import DAY, SPEC, landings


def test_the_declared_empty_table_conforms() -> None:
    assert conform(SPEC.empty(), SPEC).schema == conform(landings(), SPEC).schema


def test_conforming_orders_rows_and_columns_and_leaves_the_rest_out() -> None:
    table = landings(flight=["C", "A", "B"], gossip=["x", "y", "z"]).select(["gossip", "seats", "flight", "night"])
    spec = DatasetSpec("d", (Column("flight", "string"), Column("seats", "int")), key=("flight",))
    conformed = conform(table, spec)
    assert conformed.column_names == ["flight", "seats"]
    assert conformed.column("flight").to_pylist() == ["A", "B", "C"]


def test_values_are_converted_where_nothing_is_lost() -> None:
    conformed = conform(
        landings(
            1,
            flight=pa.array(["UA1"]).dictionary_encode(),
            seats=pa.array([150.0]),
            delay=pa.array([3], pa.int32()),
            landed_at=pa.array([DAY.astimezone(timezone(timedelta(hours=-5)))], pa.timestamp("s", tz="-05:00")),
            night=pa.nulls(1),
        ),
        SPEC,
    )
    assert conformed.to_pylist() == [{"flight": "UA1", "landed_at": DAY, "delay": 3.0, "seats": 150, "night": None}]


@pytest.mark.parametrize(
    "columns",
    [
        {"seats": ["100"]},
        {"seats": [100.5]},
        {"delay": ["3.0"]},
        {"flight": [7]},
        {"night": [1]},
        {"landed_at": ["2013-01-01"]},
        {"landed_at": pa.array([DAY.replace(tzinfo=None)], pa.timestamp("us"))},
    ],
    ids=["text for int", "half a seat", "text for float", "int for text", "int for bool", "text for time", "no zone"],
)
def test_a_value_that_would_have_to_be_guessed_is_refused(columns) -> None:
    (name,) = columns
    with pytest.raises(SchemaMismatch, match=f"Column '{name}' of dataset 'landings' has the type"):
        conform(landings(1, **columns), SPEC)


def test_a_renamed_column_is_refused_with_the_name_it_may_have_now() -> None:
    renamed = landings().rename_columns(["flight", "landed_at", "delays", "seats", "night"])
    with pytest.raises(SchemaMismatch, match=r"no column 'delay'.*Did you mean 'delays'\?"):
        conform(renamed, SPEC)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("string", Column("x", "string")),
        (" timestamp? ", Column("x", "timestamp", nullable=True)),
        ("int 0..", Column("x", "int", minimum=0.0)),
        ("float ..0.5", Column("x", "float", maximum=0.5)),
        ("float? -180.5..+20", Column("x", "float", nullable=True, minimum=-180.5, maximum=20.0)),
    ],
)
def test_a_column_is_declared_in_one_line(text: str, column: Column) -> None:
    assert Column.declared("x", text) == column


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("flaot", "Did you mean 'float'?"),
        ("", "Known: bool, float, int, string, timestamp."),
        ("float 0-200", "Mend the range."),
        ("float low..high", "Mend the range."),
        ("string 0..5", "Mend the range."),
    ],
)
def test_a_declaration_that_cannot_be_read_says_what_can(text: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Column.declared("x", text)
    assert str(refused.value).endswith(hint)


@pytest.mark.parametrize("wrong", [{"key": ("fligth",)}, {"key": ("flight",), "time_column": "fligth"}])
def test_a_key_or_time_column_that_is_not_declared_is_refused(wrong) -> None:
    with pytest.raises(ConfigError, match=r"'fligth', which it does not declare.*Did you mean 'flight'\?"):
        DatasetSpec("d", (Column("flight", "string"),), **wrong)
