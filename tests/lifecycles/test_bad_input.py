"""Each kind of bad input says what was wrong with which thing, what was expected and what to do, and harms nothing."""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ops_pipelines.adapters.files import leftovers
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import find_project
from ops_pipelines.components.house import load_tree
from ops_pipelines.core.errors import ConfigError, DataError, OpsError, SchemaMismatch
from ops_pipelines.core.lineage import Artefact
from ops_pipelines.core.verdict import Blocked, NotEvaluated, reasons_of

WEEK, NEXT = "2013-01-01", "2013-01-08"
YAML = """\
type: ops_pipelines.components.Dataset
attributes:
  name: meals
  loader: canteen_code:meals
  weekly: {start: "2013-01-01", end: "2013-02-05"}
  key: meal_id
  time_column: known_at
  columns:
    meal_id: string
    known_at: timestamp
    price: float? 0..100
    guests: int
"""
CODE = """
from pathlib import Path

import pyarrow.parquet as pq


def meals(start, end):
    return pq.ParquetFile(Path.cwd() / f"{start:%Y-%m-%d}.parquet").read()


def menu(start, end):
    return "soup"
"""
OUTSIDE = datetime(2013, 1, 20, tzinfo=UTC)


def meals(week: str = WEEK, rows: int = 4, **columns: object) -> pa.Table:
    """A good week with some columns replaced; a column that is None is left out."""
    start = datetime.fromisoformat(week).replace(tzinfo=UTC)
    good: dict[str, object] = {
        "meal_id": [f"{week}/{n}" for n in range(rows)],
        "known_at": pa.array([start + timedelta(hours=n) for n in range(rows)], pa.timestamp("us", tz="UTC")),
        "price": [5.0 + n for n in range(rows)],
        "guests": list(range(rows)),
    }
    return pa.table({name: values for name, values in {**good, **columns}.items() if values is not None})


@dataclass
class Canteen:
    """A project with one dataset, two weeks of which came in well."""

    root: Path
    platform: Platform

    def serve(self, table: pa.Table, week: str = NEXT) -> Artefact:
        """What the lake has of a week after it was delivered and loaded."""
        pq.write_table(table, self.root / f"{week}.parquet")
        self.materialize(week, raise_on_error=False)
        return self.platform.lake.latest("meals", week)

    def serve_broken(self, table: pa.Table | bytes, expected: type[OpsError]) -> str:
        """What is said where the week cannot be loaded."""
        source = self.root / f"{NEXT}.parquet"
        if isinstance(table, bytes):
            source.write_bytes(table)
        else:
            pq.write_table(table, source)
        with pytest.raises(expected) as raised:
            self.materialize(NEXT)
        return str(raised.value)

    def materialize(self, week: str, *, raise_on_error: bool = True, **changed: str) -> None:
        assets = [self.defs(**changed).get_assets_def("meals")]
        given = {"platform": self.platform}
        dg.materialize(assets, partition_key=week, resources=given, raise_on_error=raise_on_error)

    def defs(self, **changed: str) -> dg.Definitions:
        """The definitions, with some words of the YAML changed."""
        text = YAML
        for old, new in changed.items():
            text = text.replace(old, new)
        return definitions(self.root, text)


@cache
def definitions(root: Path, text: str) -> dg.Definitions:
    (root / "canteen" / "meals" / "defs.yaml").write_text(text)
    return load_tree(importlib.import_module("canteen"))


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Canteen]:
    root = tmp_path_factory.mktemp("canteen")
    (root / "pyproject.toml").write_text("[tool.ops]\n")
    (root / "requirements.lock").write_text("nothing==1\n")
    (root / "canteen_code.py").write_text(CODE)
    (root / "canteen" / "meals").mkdir(parents=True)
    (root / "canteen" / "__init__.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("OPS_HOME", str(root / "home"))
        patch.syspath_prepend(root)
        find_project.cache_clear()
        canteen = Canteen(root, Platform.embedded())
        for week in (WEEK, NEXT):
            canteen.serve(meals(week), week)
        yield canteen
    find_project.cache_clear()


@pytest.fixture
def canteen(opened: Canteen) -> Iterator[Canteen]:
    """Whatever comes in, the good files stay as they are to the byte, and no other file can be read."""
    lake = opened.platform.lake
    before = {file: file.read_bytes() for file in lake.root.rglob("data.parquet")}
    yield opened
    assert {file: file.read_bytes() for file in lake.root.rglob("data.parquet")} == before
    assert lake.partitions("meals") == [WEEK, NEXT]
    assert not list(leftovers(lake.root))


# what cannot be read as the dataset it claims to be: the run fails with an error


def test_a_missing_column_is_named(canteen):
    said = canteen.serve_broken(meals(guests=None), SchemaMismatch)
    assert said == (
        "Dataset 'meals' has no column 'guests'. Expected: the columns meal_id, known_at, price, guests. "
        "Let the loader return it, or take it out of the YAML."
    )


def test_a_renamed_column_is_named_with_its_near_miss(canteen):
    said = canteen.serve_broken(meals(price=None, prise=[1.0] * 4), SchemaMismatch)
    assert "has no column 'price'" in said
    assert "Did you mean 'prise'? Rename it in the loader, or in the YAML." in said


def test_a_retyped_column_is_named_with_both_types(canteen):
    said = canteen.serve_broken(meals(guests=["one", "two", "three", "four"]), SchemaMismatch)
    assert said == (
        "Column 'guests' of dataset 'meals' has the type string. Expected: int. "
        "Convert it in the loader, or declare the type that it has."
    )


def test_a_truncated_file_is_named_with_the_loader_and_the_week(canteen):
    whole = (canteen.platform.lake.file("meals", NEXT)).read_bytes()
    said = canteen.serve_broken(whole[: len(whole) // 2], DataError)
    assert "The loader canteen_code:meals of dataset 'meals' raised ArrowInvalid" in said
    assert f"for {NEXT}" in said
    assert said.endswith("Mend the loader or its source and materialize again; the last good content is unchanged.")


def test_a_loader_that_returns_the_wrong_thing_is_named_with_what_it_returned(canteen):
    with pytest.raises(DataError, match=r"canteen_code:menu of dataset 'meals' returned str.*Expected: an Arrow table"):
        canteen.materialize(NEXT, **{"canteen_code:meals": "canteen_code:menu"})


def test_a_loader_that_does_not_exist_is_named_with_its_near_miss(canteen):
    with pytest.raises(ConfigError, match=r"'canteen_code:meels' does not exist.*Did you mean 'meals'\?"):
        canteen.materialize(NEXT, **{"canteen_code:meals": "canteen_code:meels"})


def test_a_loader_in_a_module_that_does_not_exist_does_not_even_load(canteen):
    said = chain_of(lambda: canteen.defs(**{"canteen_code:meals": "kitchen_code:meals"}))
    assert "The module 'kitchen_code' cannot be found. Expected: a module that Python finds" in said


# what can be read and is no good: the check fails with its reasons, and the content is kept aside


def test_duplicate_keys_are_counted_with_an_example(canteen):
    served = canteen.serve(meals(NEXT, meal_id=["a", "a", "b", "c"]))
    assert reasons_of(served.verdict) == ("1 keys of 'meals' occur more than once, for instance {'meal_id': 'a'}",)


def test_an_empty_week_is_not_evaluated_and_not_passed(canteen):
    verdict = canteen.serve(meals(NEXT, rows=0)).verdict
    assert isinstance(verdict, NotEvaluated)
    assert verdict.why == "dataset 'meals' has no rows in 2013-01-08 00:00 to 2013-01-15 00:00"


def test_a_week_of_nulls_is_compared_with_the_last_good_week(canteen):
    verdict = canteen.serve(meals(NEXT, price=pa.nulls(4, pa.float64()), guests=pa.nulls(4, pa.int64()))).verdict
    assert verdict.reasons == (
        "100.0% of 'price' is missing, 0.0% in the last good partition",
        "100.0% of 'guests' is missing, and it is declared as always present",
    )


def test_a_row_known_outside_its_week_is_refused(canteen):
    times = meals(NEXT).column("known_at").to_pylist()
    verdict = canteen.serve(meals(NEXT, known_at=pa.array([*times[:3], OUTSIDE], pa.timestamp("us", tz="UTC")))).verdict
    assert verdict.reasons == ("1 rows have 'known_at' outside 2013-01-08 00:00 to 2013-01-15 00:00",)


def test_half_a_week_too_many_rows_is_refused_against_the_last_good_week(canteen):
    verdict = canteen.serve(meals(NEXT, rows=9)).verdict
    assert isinstance(verdict, Blocked)
    assert verdict.reasons == ("9 rows, and the last good partition had 4: more than 2 times apart",)


# what the YAML says wrongly: nothing loads


@pytest.mark.parametrize(
    ("right", "wrong", "line", "said"),
    [
        ("time_column:", "time_colum:", 7, "Unknown key 'time_colum'. Did you mean 'time_column'?"),
        ("  key: meal_id\n", "", 2, "Field required"),
    ],
)
def test_a_wrong_key_in_the_yaml_is_named_with_file_line_and_near_miss(canteen, right, wrong, line, said):
    message = chain_of(lambda: canteen.defs(**{right: wrong}))
    assert said in message
    assert f"{canteen.root / 'canteen' / 'meals' / 'defs.yaml'}:{line}" in message


def test_an_unknown_column_type_is_named_with_its_near_miss(canteen):
    said = chain_of(lambda: canteen.defs(**{"guests: int": "guests: integer"}))
    assert "Column 'guests' is declared as 'integer'" in said


def chain_of(load: Callable[[], object]) -> str:
    """The messages of the error that loading raises and of what caused it."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - Dagster's own types, several of them private
        load()
    found: BaseException | None = raised.value
    messages = []
    while found:
        messages.append(str(found))
        found = found.__cause__ or found.__context__
    return "\n".join(messages)
