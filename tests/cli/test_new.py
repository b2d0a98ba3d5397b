import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch, home):
    """A project with the settings of this one, and nothing in its defs but the room mlops."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "ops_pipelines" / "defs" / "mlops").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "files", "first"),
    [
        ("dataset", ["__init__.py", "defs.yaml", "loader.py"], "bags"),
        ("feature-set", ["defs.yaml"], "bags/definitions"),
        ("model", ["__init__.py", "defs.yaml", "training.py"], "bags/training_set"),
    ],
)
def test_writes_a_folder_into_the_room_that_is_loaded_and_says_what_is_next(ops, project, kind, files, first):
    said = ops("new", kind, "bags", "--json")
    steps = {row["step"]: row["what"] for row in said.json()}
    assert (said.code, steps["written"]) == (0, "ops_pipelines/defs/mlops/bags")
    assert sorted(file.name for file in (project / steps["written"]).iterdir()) == files
    assert first in steps["run"]
    assert all(name in steps["fill in"] for name in files if name != "__init__.py")


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


def test_an_unknown_kind_is_wrong_usage(ops, project):
    said = ops("new", "promt", "bags")
    assert said.code == 2
    assert "feature-set" in said.err


def test_a_project_that_dg_does_not_know_says_which_table_is_missing(ops, project):
    (project / "pyproject.toml").write_text("[tool.ops]\n")
    said = ops("new", "model", "bags")
    assert said.code == 2
    assert "[tool.dg.project]" in said.err
