import json

import dagster as dg
import pytest
import yaml
from dagster.components.scaffold.scaffold import NoParams

from ops_pipelines.components.scaffolding import DatasetScaffolder, module_of
from ops_pipelines.core.errors import ConfigError

from .conftest import write_project

BY_DG = {
    "Dataset": "bags",
    "FeatureSet": "bag_features",
    "Model": "rooms/late-bag",
    "Alarms": "bag_alarms",
    "Prompt": "bag_answers",
    "Corpus": "bag_notes",
    "Release": "bag_desk",
    "Agent": "bag_finder",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory, run):
    """A team's project in which `dg` wrote one component of each kind, and `ops` one more."""
    root = tmp_path_factory.mktemp("team")
    write_project(root, root)
    done = [run("dg", "scaffold", "defs", f"ops_pipelines.components.{c}", name, cwd=root) for c, name in BY_DG.items()]
    done.append(run("ops", "new", "model", "late_flight", cwd=root))
    assert [one.stderr for one in done if one.returncode] == []
    return root


@pytest.mark.long
def test_what_was_scaffolded_passes_the_check_of_its_yaml(project, run):
    done = run("dg", "check", "yaml", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
def test_what_was_scaffolded_loads_as_the_assets_of_its_names(project, run):
    done = run("dg", "list", "defs", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    made = {asset["asset_key"] for asset in json.loads(done.stdout)["assets"] if asset["is_executable"]}
    models = [f"{name}/{part}" for name in ("late_bag", "late_flight") for part in ("checkpoint", "release")]
    assert made >= {
        "bags",
        "bag_features/online",
        "bag_alarms",
        "bag_answers/prompt",
        "bag_notes/snapshot",
        "bag_desk/composition",
        "bag_desk/release",
        "bag_finder/candidate",
        "bag_finder/replays",
        "bag_finder/release",
        "agent_runs/steps",
        "approvals",
        *models,
    }


@pytest.mark.long
def test_a_scaffolded_dataset_materializes_as_it_is(project, run):
    done = run("ops", "materialize", "bags", "--partition", "2025-01-06", "--strict", cwd=project)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["runs"][0]["assets"] == ["bags"]


@pytest.mark.long
def test_a_scaffolded_prompt_is_sound_as_it_is(project, run):
    done = run("ops", "prompt", "lint", "--json", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["prompt"] for one in json.loads(done.stdout)] == ["bag_answers"]


@pytest.mark.long
def test_a_scaffolded_agent_is_good_at_its_tasks_goes_live_and_runs_as_it_is(project, run):
    done = run("ops", "materialize", '+key:"bag_finder/release"', "--strict", cwd=project)
    assert done.returncode == 0, done.stderr[-2000:]
    ran = run("ops", "agent", "run", "bag_finder", "--task", '{"item": "bolts"}', "--json", cwd=project)
    assert json.loads(ran.stdout)[0]["waits"]["tool"] == "order"


@pytest.mark.long
def test_import_paths_are_those_of_the_teams_package(project):
    written = yaml.safe_load((project / "late_bags/defs/rooms/late-bag/defs.yaml").read_text())
    assert written["attributes"]["train"] == "late_bags.defs.rooms.late-bag.training:train"


@pytest.mark.long
def test_what_is_written_later_fits_what_is_declared_already(project):
    read = {file.parent.name: yaml.safe_load(file.read_text())["attributes"] for file in project.rglob("defs.yaml")}
    weekly = [attributes["weekly"] for attributes in read.values() if "weekly" in attributes]
    assert {tuple(weeks.items()) for weeks in weekly} == {(("start", "2025-01-06"),)}
    assert read["bag_features"]["datasets"] == ["bags"]
    assert read["bag_alarms"]["systems"] == ["late_bag"]
    assert read["bag_desk"]["uses"] == {"late_bag": "live"}
    assert read["late_flight"]["entities"] == read["late-bag"]["entities"]


def test_what_dg_is_told_on_its_command_line_is_written(tmp_path, run):
    write_project(tmp_path, tmp_path)
    scaffold = ("dg", "scaffold", "defs", "ops_pipelines.components.Model", "late_bag", "--task", "regression")
    assert run(*scaffold, cwd=tmp_path).returncode == 0
    written = tmp_path / "late_bags/defs/late_bag"
    assert yaml.safe_load((written / "defs.yaml").read_text())["attributes"]["task"] == "regression"
    assert '"objective": "regression_l1"' in (written / "training.py").read_text()


def test_a_neighbour_whose_yaml_is_broken_stops_nobody(tmp_path):
    defs = write_project(tmp_path, tmp_path)
    (defs / "broken").mkdir()
    (defs / "broken" / "defs.yaml").write_text("type: [")
    request = dg.ScaffoldRequest("ops_pipelines.components.Dataset", defs / "bags", "yaml", tmp_path, NoParams())
    DatasetScaffolder().scaffold(request)
    assert (defs / "bags" / "defs.yaml").is_file()


def test_packages_may_lie_in_src(tmp_path):
    defs = write_project(tmp_path, tmp_path / "src")
    assert module_of(defs / "bags", tmp_path) == module_of(defs / "bags", None) == "late_bags.defs.bags"


def test_a_folder_outside_the_project_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "project").mkdir()
    request = dg.ScaffoldRequest("X", tmp_path / "bags", "yaml", tmp_path / "project", NoParams())
    with pytest.raises(ConfigError, match="cannot be imported"):
        DatasetScaffolder().scaffold(request)
    assert not (tmp_path / "bags").exists()
