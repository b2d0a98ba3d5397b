import json

import dagster as dg
import pytest
import yaml
from dagster.components.scaffold.scaffold import NoParams

from ops_pipelines.components.scaffolding import DatasetScaffolder, module_of
from ops_pipelines.core.errors import ConfigError

from .conftest import write_project

BY_DG = {"Dataset": "bags", "FeatureSet": "bag_features", "Model": "rooms/late-bag"}


@pytest.fixture(scope="module")
def project(tmp_path_factory, run):
    """A team's project in which `dg` wrote one component of each kind, and `ops` one more."""
    root = tmp_path_factory.mktemp("team")
    write_project(root, root)
    done = [run("dg", "scaffold", "defs", f"ops_pipelines.components.{c}", name, cwd=root) for c, name in BY_DG.items()]
    done.append(run("ops", "new", "model", "late_flight", cwd=root))
    assert [one.stderr for one in done if one.returncode] == []
    return root


def test_what_was_scaffolded_passes_the_check_of_its_yaml(project, run):
    done = run("dg", "check", "yaml", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_was_scaffolded_loads_as_the_assets_of_its_names(project, run):
    done = run("dg", "list", "defs", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    made = {asset["asset_key"] for asset in json.loads(done.stdout)["assets"] if asset["is_executable"]}
    models = [f"{name}/{part}" for name in ("late_bag", "late_flight") for part in ("checkpoint", "release")]
    assert made >= {"bags", "bag_features/online", *models}


def test_a_scaffolded_dataset_materializes_as_it_is(project, run):
    done = run("ops", "materialize", "bags", "--partition", "2013-01-01", "--strict", cwd=project)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["runs"][0]["assets"] == ["bags"]


def test_import_paths_are_those_of_the_teams_package(project):
    written = yaml.safe_load((project / "late_bags/defs/rooms/late-bag/defs.yaml").read_text())
    assert written["attributes"]["train"] == "late_bags.defs.rooms.late-bag.training:train"


def test_packages_may_lie_in_src(tmp_path):
    defs = write_project(tmp_path, tmp_path / "src")
    assert module_of(defs / "bags", tmp_path) == module_of(defs / "bags", None) == "late_bags.defs.bags"


def test_a_folder_outside_the_project_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "project").mkdir()
    request = dg.ScaffoldRequest("X", tmp_path / "bags", "yaml", tmp_path / "project", NoParams())
    with pytest.raises(ConfigError, match="cannot be imported"):
        DatasetScaffolder().scaffold(request)
    assert not (tmp_path / "bags").exists()
