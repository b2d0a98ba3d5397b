import json
import os
import shutil
from pathlib import Path

import pytest

SHOP = """
import dagster as dg

from ops_pipelines.components.publishing import gate_result
from ops_pipelines.core.verdict import Blocked

print("importing the shop")
days = dg.StaticPartitionsDefinition(["monday", "tuesday", "wednesday"])


@dg.asset
def till():
    print("counting")


@dg.asset(check_specs=[dg.AssetCheckSpec("balanced", asset="ledger")])
def ledger():
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, check_name="balanced")])


@dg.asset(check_specs=[dg.AssetCheckSpec("gate", asset="recipe")])
def recipe():
    verdict = Blocked(("the loss is worse by 0.02", "JFK got worse"))
    yield dg.MaterializeResult(check_results=[gate_result("gate", verdict)])


@dg.asset(check_specs=[dg.AssetCheckSpec("audited", asset="book")])
def book():
    raise ValueError("the book is lost")


@dg.multi_asset(
    specs=[dg.AssetSpec("stock", skippable=True)],
    check_specs=[dg.AssetCheckSpec("counted", asset="stock")],
    can_subset=True,
)
def stock():
    yield dg.MaterializeResult("stock")


@dg.asset(partitions_def=days)
def sales(context):
    context.log.info(context.partition_key)


defs = dg.Definitions(assets=[till, ledger, recipe, book, stock, sales], executor=dg.in_process_executor)


def made_later():
    return defs
"""
IN_SHOP = ("--module", "corner_shop")


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dagster's databases, which take longer to make than a test."""
    import dagster as dg

    folder = tmp_path_factory.mktemp("dagster")
    from ops_pipelines.adapters.dagster_home import write_dagster_yaml

    write_dagster_yaml(folder)
    with dg.DagsterInstance.from_config(str(folder)):
        return folder


@pytest.fixture
def shop(tmp_path, monkeypatch, home, databases):
    (tmp_path / "corner_shop.py").write_text(SHOP)
    (tmp_path / "late_shop.py").write_text("from corner_shop import made_later as defs\n")
    monkeypatch.syspath_prepend(tmp_path)
    shutil.copytree(databases, home.folder / "dagster")
    return tmp_path


def checks(said):
    return [(check["check"], check["state"]) for run in said.json()["runs"] for check in run["checks"]]


def test_materializes_a_real_dataset_in_this_process(ops, shop, home):
    said = ops("materialize", "aircraft", "--strict")
    (run,) = said.json()["runs"]
    assert (said.code, run["success"], run["assets"], checks(said)) == (0, True, ["aircraft"], [("is_good", "passed")])
    assert home.platform.lake.read("aircraft").num_rows > 3000


def test_a_failed_check_fails_only_a_strict_build(ops, shop):
    assert ops("materialize", "ledger", *IN_SHOP).code == 0
    said = ops("materialize", "ledger", *IN_SHOP, "--strict")
    assert (said.code, said.json()["good"], checks(said)) == (1, False, [("balanced", "failed")])


@pytest.mark.parametrize(
    ("asset", "because"),
    [("recipe", ["the loss is worse by 0.02", "JFK got worse"]), ("ledger", ["it does not say"])],
)
def test_a_check_that_failed_says_why(ops, shop, asset, because):
    ((check,),) = [run["checks"] for run in ops("materialize", asset, *IN_SHOP).json()["runs"]]
    assert check["because"] == because


def test_a_check_that_never_ran_fails_a_strict_build(ops, shop):
    said = ops("materialize", "stock", *IN_SHOP, "--strict")
    assert (said.code, checks(said)) == (1, [("counted", "never ran")])


def test_a_failed_run_fails_and_names_the_error(ops, shop):
    said = ops("materialize", "book", *IN_SHOP)
    (run,) = said.json()["runs"]
    assert (said.code, run["success"], checks(said)) == (1, False, [("audited", "never ran")])
    assert run["errors"] == ["book: ValueError: the book is lost"]


def test_what_the_teams_code_prints_does_not_spoil_the_json(ops, shop):
    said = ops("materialize", "till", *IN_SHOP, "--json")
    assert said.json()["good"]
    assert "counting" in said.err


def test_definitions_may_be_a_function_that_makes_them(ops, shop):
    assert ops("materialize", "till", "--module", "late_shop", "--dry-run").json()["assets"] == ["till"]


def test_a_span_of_partitions_is_one_run_each(ops, shop):
    said = ops("materialize", "sales", *IN_SHOP, "--partition", "monday..tuesday")
    assert [(run["partition"], run["success"]) for run in said.json()["runs"]] == [("monday", True), ("tuesday", True)]


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (("aircaft",), "Did you mean 'aircraft'?"),
        (('key:"fligts"+',), "Did you mean 'flights'?"),
        (("key:(",), "Dagster's selection syntax"),
        (("flights",), "--partition 2013-01-01"),
        (("flights", "--partition", "2013-01-10"), "Did you mean '2013-01-08'?"),
        (("flights", "--partition", "2013-01-08..2013-01-01"), "ends before it begins"),
        (("flights", "--partition", "2013-01-08.."), "There is no partition ''"),
        (("aircraft", "--partition", "2013-01-08"), "has no partitions"),
        (("sales", *IN_SHOP, "--partition", "mondy"), "Did you mean 'monday'?"),
        (("till", "--module", "corner_shp"), "cannot be imported"),
        (("till", "--module", "json"), "has no definitions"),
    ],
)
def test_wrong_usage_exits_with_2_and_the_nearest_right_one(ops, shop, words, near):
    said = ops("materialize", *words)
    assert (said.code, said.out) == (2, "")
    assert near in said.err


def test_a_dry_run_says_what_would_be_made_and_writes_nothing(ops, home):
    said = ops("materialize", 'key:"flights"+', "--partition", "2013-01-01..2013-01-08", "--dry-run")
    found = json.loads(said.out)
    assert (said.code, found["partitions"]) == (0, ["2013-01-01", "2013-01-08"])
    assert "flight_delay/training_set" in found["assets"]
    assert not os.path.exists(home.folder)
