from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops_pipelines.core.errors import ConfigError, DataError
from ops_pipelines.mlops.feature_set import FeatureService, FeatureTable, earliest_needed, join_features

NOON = datetime(2013, 3, 12, 12, tzinfo=UTC)
MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
INSTANT = pa.timestamp("us", tz="UTC")
WEATHER = FeatureTable("weather", "weather", ("origin",), "measured_at", ("wind",), timedelta(hours=6))
EVER = FeatureTable("aircraft", "aircraft", ("tail",), "known_at", ("seats",), None)

KEYS = st.sampled_from(["EWR", "JFK", None])
HOURS = st.integers(-4, 4)
ENTITIES = st.lists(st.tuples(st.sampled_from(["EWR", "JFK", "LGA", None]), HOURS), min_size=6, max_size=14)
VALUES = st.lists(st.tuples(KEYS, HOURS, st.integers(0, 5)), min_size=4, max_size=16)
TTLS = st.sampled_from([None, timedelta(0), HOUR, 3 * HOUR])


def asked(rows: list[tuple[str | None, datetime]], **columns) -> pa.Table:
    origins, instants = zip(*rows, strict=True)
    return pa.table(
        {"origin": pa.array(origins, pa.string()), "asked_at": pa.array(instants, INSTANT), **columns},
    )


def write(file: Path, rows: list[tuple[str | None, datetime, float | None]]) -> str:
    origins, instants, winds = zip(*rows, strict=True) if rows else ((), (), ())
    table = {
        "origin": pa.array(origins, pa.string()),
        "measured_at": pa.array(instants, INSTANT),
        "wind": pa.array(winds, pa.float64()),
    }
    pq.write_table(pa.table(table), file)
    return str(file)


def winds(entities: pa.Table, *files: str, table: FeatureTable = WEATHER) -> list[float | None]:
    service = FeatureService("delay", (table,))
    joined = join_features(entities, asked_at="asked_at", service=service, sources={table.name: files})
    assert joined.num_rows == entities.num_rows
    return joined.column("wind").to_pylist()


def test_every_row_is_kept_whatever_is_known_of_it(tmp_path: Path) -> None:
    rows = [("old", NOON), ("late", NOON), ("nobody", NOON), ("twice", NOON), ("good", NOON)]
    file = write(
        tmp_path / "weather.parquet",
        [
            ("old", NOON - timedelta(hours=7), 1.0),
            ("late", NOON + HOUR, 2.0),
            ("twice", NOON - HOUR, 4.0),
            ("twice", NOON - HOUR, 3.0),
            ("good", NOON - 2 * HOUR, 4.0),
            ("good", NOON - HOUR, 5.0),
        ],
    )
    assert winds(asked(rows), file) == [None, None, None, 4.0, 5.0]


def test_time_to_live_is_inclusive_to_the_microsecond(tmp_path: Path) -> None:
    limit = timedelta(hours=6)
    ages = {"younger": limit - MOMENT, "equal": limit, "older": limit + MOMENT, "new": 0 * MOMENT, "future": -MOMENT}
    file = write(tmp_path / "weather.parquet", [(origin, NOON - age, 7.0) for origin, age in ages.items()])
    found = dict(zip(ages, winds(asked([(origin, NOON) for origin in ages]), file), strict=True))
    assert found == {"younger": 7.0, "equal": 7.0, "older": None, "new": 7.0, "future": None}


def test_an_expired_value_is_not_replaced_by_an_older_one(tmp_path: Path) -> None:
    file = write(tmp_path / "w.parquet", [("EWR", NOON - 8 * HOUR, 1.0), ("EWR", NOON - 7 * HOUR, 2.0)])
    assert winds(asked([("EWR", NOON)]), file) == [None]


def test_a_newer_missing_value_hides_an_older_one(tmp_path: Path) -> None:
    file = write(tmp_path / "w.parquet", [("EWR", NOON - 2 * HOUR, 1.0), ("EWR", NOON - HOUR, None)])
    assert winds(asked([("EWR", NOON)]), file) == [None]


def test_without_a_time_to_live_a_value_counts_for_ever(tmp_path: Path) -> None:
    file = write(tmp_path / "weather.parquet", [("EWR", NOON - timedelta(days=9999), 7.0)])
    for_ever = FeatureTable("weather", "weather", ("origin",), "measured_at", ("wind",), None)
    assert winds(asked([("EWR", NOON)]), file, table=for_ever) == [7.0]


def test_the_answer_does_not_depend_on_the_order_of_files(tmp_path: Path) -> None:
    files = [write(tmp_path / f"{wind}.parquet", [("EWR", NOON - HOUR, wind)]) for wind in (3.0, 9.0, 5.0)]
    assert winds(asked([("EWR", NOON)]), *files) == winds(asked([("EWR", NOON)]), *reversed(files)) == [9.0]


@settings(max_examples=8, deadline=None)  # each opens a database
@given(entities=ENTITIES, values=VALUES, ttl=TTLS)
def test_a_joined_value_is_the_newest_known_and_fresh_one(tmp_path_factory, entities, values, ttl) -> None:
    file = tmp_path_factory.getbasetemp() / "history.parquet"
    history = [(key, NOON + at * HOUR, 100.0 * at + value) for key, at, value in values]  # a value tells its hour
    rows = [(key, NOON + at * HOUR) for key, at in entities]
    table = FeatureTable("weather", "weather", ("origin",), "measured_at", ("wind",), ttl)
    found = winds(asked(rows), write(file, history), table=table)
    assert found == [_known(history, key, at, ttl) for key, at in rows]
    assert all(wind is None or wind < 100 * (at + 1) for wind, (_, at) in zip(found, entities, strict=True))


def test_columns_and_order_of_the_rows_stay_and_features_follow(tmp_path: Path) -> None:
    rows = [(origin, NOON - number * HOUR) for number, origin in enumerate(["JFK", "EWR", "LGA", "EWR"])]
    entities = asked(rows, flight=["d", "b", "c", "a"], tail=["N1", "N2", "N1", None])
    pq.write_table(
        pa.table({"tail": ["N1", "N2"], "known_at": pa.array([NOON - timedelta(9)] * 2, INSTANT), "seats": [150, 20]}),
        tmp_path / "aircraft.parquet",
    )
    sources = {
        "weather": [write(tmp_path / "weather.parquet", [("EWR", NOON - 4 * HOUR, 5.0)])],
        "aircraft": [str(tmp_path / "aircraft.parquet")],
    }
    service = FeatureService("delay", (WEATHER, EVER))
    joined = join_features(entities, asked_at="asked_at", service=service, sources=sources)
    assert joined.column_names == [*entities.column_names, *service.features]
    assert joined.select(entities.column_names).to_pylist() == entities.to_pylist()
    assert joined.column("wind").to_pylist() == [None, 5.0, None, 5.0]
    assert joined.column("seats").to_pylist() == [150, 20, 150, None]


def test_a_join_may_need_several_keys(tmp_path: Path) -> None:
    file = tmp_path / "routes.parquet"
    history = {"origin": ["EWR", "EWR"], "dest": ["ORD", "LAX"], "at": pa.array([NOON] * 2, INSTANT), "late": [1, 2]}
    pq.write_table(pa.table(history), file)
    service = FeatureService("delay", (FeatureTable("routes", "routes", ("origin", "dest"), "at", ("late",), None),))
    entities = asked([("EWR", NOON)] * 3, dest=["LAX", "ORD", None])
    joined = join_features(entities, asked_at="asked_at", service=service, sources={"routes": [str(file)]})
    assert joined.column("late").to_pylist() == [2, 1, None]


def test_of_two_values_of_one_instant_one_wins_whole(tmp_path: Path) -> None:
    file = tmp_path / "weather.parquet"
    told = {
        "origin": ["EWR"] * 3,
        "measured_at": pa.array([NOON] * 3, INSTANT),
        "wind": [1, 2, 2],
        "rain": [9, 3, None],
    }
    pq.write_table(pa.table(told), file)
    service = FeatureService("delay", (replace(WEATHER, features=("wind", "rain")),))
    joined = join_features(
        asked([("EWR", NOON)]), asked_at="asked_at", service=service, sources={"weather": [str(file)]}
    )
    assert joined.select(["wind", "rain"]).to_pylist() == [{"wind": 2, "rain": None}]


def test_columns_that_the_join_does_not_need_come_back_as_they_were(tmp_path: Path) -> None:
    coded = pa.array(["a", None]).dictionary_encode()
    entities = asked([("EWR", NOON), ("JFK", NOON)], coded=coded, nested=[{"x": 1}, {"x": 2}])
    file = write(tmp_path / "weather.parquet", [("JFK", NOON, 7.0)])
    service = FeatureService("delay", (WEATHER,))
    joined = join_features(entities, asked_at="asked_at", service=service, sources={"weather": [file]})
    assert joined.drop_columns("wind").equals(entities)


def test_odd_names_are_quoted(tmp_path: Path) -> None:
    file = tmp_path / 'it\'s; a "file".parquet'
    key, at, feature = 'or"igin', "select", "wind; DROP TABLE entities --"
    pq.write_table(pa.table({key: ["EWR"], at: pa.array([NOON], INSTANT), feature: [7.0]}), file)
    entities = pa.table({key: ["EWR"], "asked at?": pa.array([NOON], INSTANT)})
    service = FeatureService("s", (FeatureTable("t's", "d", (key,), at, (feature,), timedelta(0)),))
    joined = join_features(entities, asked_at="asked at?", service=service, sources={"t's": [str(file)]})
    assert joined.column(feature).to_pylist() == [7.0]


def test_no_rows_asked_gives_no_rows_with_the_features_columns(tmp_path: Path) -> None:
    entities = asked([("EWR", NOON)]).slice(0, 0)
    assert winds(entities, write(tmp_path / "weather.parquet", [("EWR", NOON, 7.0)])) == []


@pytest.mark.parametrize(
    ("entities", "message"),
    [
        (asked([("EWR", NOON)]).rename_columns(["orign", "asked_at"]), r"no column 'origin'.*Did you mean 'orign'\?"),
        (asked([("EWR", NOON)]).drop_columns("asked_at"), "no column 'asked_at'"),
        (asked([("EWR", NOON), ("EWR", None)]), "1 rows have no 'asked_at'"),
    ],
    ids=["renamed key", "no instants", "a missing instant"],
)
def test_rows_that_cannot_be_joined_are_refused(entities: pa.Table, message: str) -> None:
    with pytest.raises(DataError, match=message):
        winds(entities, "never read")


def test_a_feature_named_like_a_column_of_the_rows_is_refused() -> None:
    message = "Feature 'wind' of view 'weather' has the name of column 'wind' of the rows"
    with pytest.raises(ConfigError, match=message) as refused:
        winds(asked([("EWR", NOON)], wind=[5.0]), "never read")
    assert refused.value.facts == {"feature": "wind", "view": "weather"}


def test_a_table_without_a_file_is_refused_by_the_name_of_its_dataset() -> None:
    with pytest.raises(DataError, match="no accepted partition of dataset 'weather'") as refused:
        winds(asked([("EWR", NOON)]))
    assert refused.value.facts["dataset"] == "weather"


def test_what_can_matter_begins_one_time_to_live_before_the_first_row() -> None:
    assert earliest_needed(WEATHER, NOON) == NOON - timedelta(hours=6)
    assert earliest_needed(EVER, NOON) is None


@pytest.mark.parametrize("ttl", [None, timedelta(0), timedelta(hours=6), timedelta(days=30, microseconds=1)])
def test_a_service_survives_json(ttl: timedelta | None) -> None:
    service = FeatureService("delay", (FeatureTable("w", "weather", ("origin",), "at", ("wind", "rain"), ttl),))
    assert FeatureService.from_json(service.to_json()) == service


def test_no_time_to_live_and_one_of_zero_are_not_the_same_definition() -> None:
    definitions = [FeatureTable("w", "weather", ("origin",), "at", ("wind",), ttl) for ttl in (None, timedelta(0))]
    assert definitions[0].to_json() != definitions[1].to_json()


def _known(history: list[tuple[str | None, datetime, float]], key: str | None, at: datetime, ttl: timedelta | None):
    """The reference: the newest value of a key known at an instant, if it is fresh; of a tie the greatest."""
    past = [(since, wind) for other, since, wind in history if key is not None and other == key and since <= at]
    if not past:
        return None
    since, wind = max(past)
    return wind if ttl is None or at - since <= ttl else None


def test_a_join_tells_when_each_latest_value_became_known_expired_or_not(tmp_path: Path) -> None:
    known = [NOON - timedelta(hours=7), NOON - HOUR]
    file = write(
        tmp_path / "weather.parquet", [("old", known[0], 1.0), ("new", known[1], 2.0), ("new", NOON + HOUR, 9.0)]
    )
    rows = asked([("old", NOON), ("new", NOON), ("nobody", NOON)])
    service = FeatureService("delay", (WEATHER,))
    found = join_features(rows, asked_at="asked_at", service=service, sources={"weather": [file]}, known_at=True)
    assert found.column("wind").to_pylist() == [None, 2.0, None]
    assert found.column("weather__known_at").to_pylist() == [*known, None]
