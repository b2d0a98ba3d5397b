import re
import shutil
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch, home):
    """A project with the settings of this one, and nothing in its defs but its rooms."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for room in ("mlops", "llmops", "agentops"):
        (tmp_path / "ops_pipelines" / "defs" / room).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "room", "files", "first"),
    [
        ("dataset", "mlops", ["__init__.py", "defs.yaml", "loader.py"], "bags"),
        ("feature-set", "mlops", ["defs.yaml"], "bags/definitions"),
        ("model", "mlops", ["__init__.py", "defs.yaml", "training.py"], "bags/training_set"),
        ("corpus", "llmops", ["defs.yaml"], "bags/snapshot"),
        ("alarms", "agentops", ["defs.yaml"], "bags"),
    ],
)
def test_writes_a_folder_into_the_room_that_is_loaded_and_says_what_is_next(ops, project, kind, room, files, first):
    said = ops("new", kind, "bags", "--json")
    steps = {row["step"]: row["what"] for row in said.json()}
    assert (said.code, steps["written"]) == (0, f"ops_pipelines/defs/{room}/bags")
    assert sorted(file.name for file in (project / steps["written"]).iterdir()) == files
    assert first in steps["run"]
    assert all(name in steps["fill in"] for name in files if name != "__init__.py")


def test_a_prompt_is_written_where_prompts_lie_and_declared_in_its_room(ops, project):
    said = ops("new", "prompt", "bags", "--json")
    steps = {row["step"]: row["what"] for row in said.json()}
    assert (said.code, steps["written"]) == (0, "ops_pipelines/defs/llmops/bags")
    assert "evals/prompts/bags/prompt.yaml" in steps["fill in"]
    assert steps["run"] == "ops materialize 'key:\"bags/prompt\"'"
    assert ops("prompt", "lint", "bags").code == 0


def test_a_name_may_say_its_folder(ops, project):
    ops("new", "dataset", "baggage/bags")
    assert (
        "ops_pipelines.defs.baggage.bags.loader:load"
        in (project / "ops_pipelines/defs/baggage/bags/defs.yaml").read_text()
    )


@pytest.mark.parametrize("name", ["Bags", "late-bags", "class", "1st", "", "../bags", "/tmp/bags", "bags/", "tásk"])
def test_a_bad_name_is_refused(ops, project, name):
    said = ops("new", "model", name)
    assert said.code == 2
    assert "cannot be a name" in said.err
    assert list((project / "ops_pipelines/defs/mlops").iterdir()) == []


def test_a_folder_that_exists_is_refused(ops, project):
    ops("new", "dataset", "bags")
    before = (project / "ops_pipelines/defs/mlops/bags/defs.yaml").read_text()
    said = ops("new", "model", "bags")
    assert said.code == 2
    assert "is there already" in said.err
    assert (project / "ops_pipelines/defs/mlops/bags/defs.yaml").read_text() == before


def test_a_dry_run_writes_nothing(ops, project):
    said = ops("new", "model", "bags", "--dry-run", "--json")
    assert said.json()[0] == {"step": "would write", "what": "ops_pipelines/defs/mlops/bags"}
    assert not (project / "ops_pipelines/defs/mlops/bags").exists()


def test_an_unknown_kind_is_wrong_usage_and_answered_with_the_nearest(ops, project):
    said = ops("new", "modle", "bags")
    assert said.code == 2
    assert "Did you mean 'model'?" in said.err


def test_a_project_that_dg_does_not_know_says_which_table_is_missing(ops, project):
    (project / "pyproject.toml").write_text("[tool.ops]\n")
    said = ops("new", "model", "bags")
    assert said.code == 2
    assert "[tool.dg.project]" in said.err


DATASETS = """
type: ops_pipelines.components.Dataset
attributes:
  name: bags
  loader: bags:load
  weekly: {start: "2024-04-01"}
  key: bag_id
  time_column: known_at
  columns: {bag_id: string, weight: "float? 0..50", fragile: bool, known_at: timestamp, asked_at: timestamp}
---
type: ops_pipelines.components.Dataset
attributes:
  name: claims
  loader: bags:claims
  weekly: {start: "2024-04-01"}
  key: bag_id
  time_column: claimed_at
  columns: {bag_id: string, lost: bool, hours: float, claimed_at: timestamp}
---
type: ops_pipelines.components.Dataset
attributes: {name: pairs, loader: bags:pairs, key: [bag_id, belt], columns: {bag_id: string, belt: string}}
"""


@pytest.fixture
def bags(project):
    """The project, with two datasets of one calendar and one that two columns name."""
    folder = project / "ops_pipelines" / "defs" / "mlops" / "bags"
    folder.mkdir()
    (folder / "defs.yaml").write_text(DATASETS)
    (project / "requirements.lock").touch()
    return project / "ops_pipelines" / "defs" / "mlops"


def attributes(folder):
    return yaml.safe_load((folder / "defs.yaml").read_text())["attributes"]


@pytest.mark.parametrize(("task", "column"), [("classification", "lost"), ("regression", "hours")])
def test_a_model_is_over_the_columns_that_its_datasets_declare(ops, bags, task, column):
    assert ops("new", "feature-set", "bag_features", "--of", "bags").code == 0
    over = ("--rows", "bags", "--labels", "claims", "--features", "bag_features", "--task", task)
    said = ops("new", "model", "lost_bag", *over, "--json")
    assert said.code == 0, said.err
    written = attributes(bags / "lost_bag")
    assert written["entities"] == {"dataset": "bags", "key": "bag_id", "asked_at": "asked_at"}
    assert written["labels"] == {"dataset": "claims", "column": column, "known_at": "claimed_at"}
    assert (written["weekly"], written.get("task", "classification")) == ({"start": "2024-04-01"}, task)
    assert said.json()[-1]["what"].endswith("--partition 2024-06-03")


def test_a_second_model_is_over_what_the_first_of_its_task_is_over(ops, bags):
    ops("new", "feature-set", "bag_features", "--of", "bags")
    ops("new", "model", "lost_bag", "--rows", "bags", "--labels", "claims", "--features", "bag_features")
    ops("new", "model", "another")
    assert {**attributes(bags / "another"), "name": "", "train": ""} == {
        **attributes(bags / "lost_bag"),
        "name": "",
        "train": "",
    }


def test_the_features_of_a_dataset_are_its_columns_as_known_at_their_instant(ops, bags, tmp_path):
    ops("new", "feature-set", "bag_features", "--of", "bags")
    assert attributes(bags / "bag_features")["datasets"] == ["bags"]
    written = (tmp_path / "feature_repo" / "bag_features.py").read_text()
    fields = re.findall(r'Field\(name="(\w+)", dtype=(\w+)\)', written)
    assert fields == [("bag_id", "String"), ("weight", "Float64"), ("fragile", "Bool")]
    assert 'timestamp_field="known_at"' in written


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("model", "lost_bag", "--rows", "bag"), "Did you mean 'bags'?"),
        (("model", "lost_bag", "--features", "bags"), "Write it first: `ops new feature-set bags`"),
        (("model", "lost_bag", "--rows", "pairs"), "rows to score that one column names"),
        (("model", "lost_bag", "--labels", "pairs"), "no column of the type bool or int"),
        (("model", "lost_bag", "--task", "ranking"), "ranking"),
        (("feature-set", "lost_bag", "--of", "pairs"), "has no features"),
    ],
)
def test_what_a_project_does_not_declare_is_refused_and_nothing_is_written(ops, bags, words, why):
    said = ops("new", *words)
    assert said.code == 2
    assert why in said.err
    assert not (bags / "lost_bag").exists()


def test_a_neighbour_whose_yaml_is_broken_is_named_where_something_is_missed(ops, bags):
    (bags / "bags" / "defs.yaml").write_text("columns: {weight: float? 0..50}")
    said = ops("new", "model", "lost_bag", "--rows", "bags")
    assert "bags/defs.yaml cannot be read: see `dg check yaml`" in said.err


def test_a_new_project_says_where_everything_is_and_what_is_next(ops, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = ops("new", "project", "late-bags", "--json")
    assert (said.code, said.json()[-1]["what"]) == (0, "cd late-bags, then ops new dataset NAME, or ops new agent NAME")
    root = tmp_path / "late-bags"
    dg = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert dg["root_module"] == "late_bags"
    assert (root / "late_bags" / "definitions.py").is_file()
    pins = (root / "requirements.lock").read_text().splitlines()
    assert f"dagster=={version('dagster')}" in pins
    assert f"{version('ops-pipelines')}" in dict(pin.split("==") for pin in pins)["ops-pipelines"]


@pytest.mark.parametrize(("name", "why"), [("feast", "is installed already"), ("2bags", "cannot be a name")])
def test_a_project_may_not_hide_a_package_that_is_installed(ops, home, tmp_path, monkeypatch, name, why):
    monkeypatch.chdir(tmp_path)
    said = ops("new", "project", name)
    assert (said.code, (tmp_path / name).exists()) == (2, False)
    assert why in said.err


def test_a_dry_run_of_a_project_writes_nothing(ops, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ops("new", "project", "bags", "--dry-run").code == 0
    assert not (tmp_path / "bags").exists()


def test_the_demo_leaves_a_project_of_ones_own_alone(ops, home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ops("new", "project", "bags")
    monkeypatch.chdir(tmp_path / "bags")
    said = ops("demo")
    assert said.code == 2
    assert "in a clone of ops_pipelines" in said.err
    assert not home.folder.exists()
