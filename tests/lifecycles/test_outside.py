"""A team of another house: this package from its wheel, a project of its own, and a model's whole life in it.

Everything runs in an environment and a folder that know nothing of this source tree. What the team writes by hand lies in
the folder `parcels`; all else is written by `ops new`.
"""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT, WRITTEN = Path(__file__).parents[2], Path(__file__).parent / "parcels"
MODEL, TRAINED = "late_parcel", "2025-01-27"
FOUND = ("performance", "feature_drift", "prediction_drift")
GENERATED = ("__pycache__", ".pytest_cache")
TOOLS = {"dg": "dagster_dg_cli.cli:main"}
"""What the team calls by name and an installer would have written with its package, beside our own `ops`."""


@dataclass
class Team:
    """The team's environment and project, and what its daemon told of each week that it lived through."""

    python: Path
    project: Path
    weeks: list[dict[str, Any]] = field(default_factory=list)

    def run(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """A command of the team's environment, in its project."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "OPS_", "DAGSTER_"))}
        path = f"{self.python.parent}{os.pathsep}{os.environ['PATH']}"
        command = [str(self.python.parent / words[0]), *words[1:]]
        environment = kept | {"PATH": path, "VIRTUAL_ENV": str(self.python.parents[1])}
        return subprocess.run(
            command, cwd=cwd or self.project, env=environment, capture_output=True, text=True, check=False
        )

    def told(self, *words: str, cwd: Path | None = None) -> str:
        """What a command that has to succeed prints."""
        done = self.run(*words, cwd=cwd)
        assert done.returncode == 0, f"{words}: {done.stdout[-2000:]} {done.stderr[-4000:]}"
        return done.stdout

    def asked(self, *words: str) -> Any:
        """The JSON that a verb of `ops` prints."""
        return json.loads(self.told("ops", *words, "--json"))

    def releases(self) -> Any:
        """What `ops releases` says of the model, the oldest release first."""
        return self.asked("releases", MODEL)

    def made(self, selection: str, *, weeks: str) -> None:
        """Assets materialized as CI does: any check that fails or never ran is an error."""
        self.told("ops", "materialize", selection, "--partition", weeks, "--strict")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source tree."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a new environment that holds the wheel; what the wheel depends on it borrows from this one."""
    folder = tmp_path_factory.mktemp("team") / ".venv"
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True)
    # A path in a .pth is searched after the environment's own packages, and the .pth files that lie there are not read:
    # the one that makes this source tree importable is among them.
    (package,) = folder.glob("lib/*/site-packages/ops_pipelines")
    (package.parent / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    for name, entry in TOOLS.items():
        module, _, function = entry.partition(":")
        script = f"#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (python.parent / name).write_text(script)
        (python.parent / name).chmod(0o755)
    return python


@pytest.fixture(scope="module")
def team(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Team:
    """A project with two datasets, a feature set and a model: scaffolded, and filled in by hand where it has to be."""
    folder = tmp_path_factory.mktemp("house")
    team = Team(python, folder / "acme")
    team.told("ops", "new", "project", "acme", cwd=folder)
    for dataset in ("parcels", "deliveries"):
        team.told("ops", "new", "dataset", dataset)
        shutil.copytree(WRITTEN / dataset, team.project / "acme" / "defs" / dataset, dirs_exist_ok=True)
    team.told("ops", "new", "feature-set", "parcel_features", "--of", "parcels")
    over = {"--rows": "parcels", "--labels": "deliveries", "--features": "parcel_features"}
    team.told("ops", "new", "model", MODEL, *(word for option in over.items() for word in option))
    with (team.project / "acme" / "defs" / MODEL / "defs.yaml").open("a") as declared:
        declared.write((WRITTEN / "model_settings.yaml").read_text())
    return team


@pytest.fixture(scope="module")
def life(team: Team) -> Team:
    """Four weeks made by hand, a first release, and five weeks that the daemon lives through."""
    team.told("ops", "clock", "2025-02-03")
    first = ("parcel_features/definitions", "parcels", "deliveries", "parcel_features/online")
    team.made(" or ".join(f'key:"{key}"' for key in first), weeks=f"2025-01-06..{TRAINED}")
    team.made(f'key:"{MODEL}/training_set"+2', weeks=TRAINED)
    shutil.copy(WRITTEN / "walk.py", team.project)
    team.weeks += [json.loads(line) for line in team.told("python", "walk.py").splitlines()]
    return team


def test_the_wheel_holds_the_package_and_nothing_that_is_for_those_who_build_it(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    package = {str(file.relative_to(ROOT)) for file in (ROOT / "ops_pipelines").rglob("*.py")}
    assert sorted(package - set(names)) == []
    assert {"ops_pipelines/py.typed", "ops_pipelines/defs/mlops/flight_delay/defs.yaml"} <= set(names)
    roots = {name.split("/")[0].rpartition(".")[2] for name in names}
    assert roots == {"ops_pipelines", "dist-info"}
    assert [name for name in names if not name.endswith((".py", ".yaml", "py.typed")) and "dist-info" not in name] == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_new_project_is_checked_by_every_tool_before_anything_ran(team):
    where = team.told("python", "-c", "import ops_pipelines; print(ops_pipelines.__file__)").strip()
    assert Path(where).is_relative_to(team.python.parents[1])
    team.told("dg", "check", "yaml")
    team.told("dg", "check", "defs")
    listed = json.loads(team.told("dg", "list", "defs", "--json"))
    assert {"parcels", "parcel_features/online", f"{MODEL}/release"} <= {one["asset_key"] for one in listed["assets"]}
    assert {f"train_{MODEL}", f"promote_{MODEL}", "arrivals"} <= {one["name"] for one in listed["jobs"]}
    assert "passed" in team.told("python", "-m", "pytest")
    assert {row["state"] for row in team.asked("doctor")} == {"good", "look"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_first_model_is_gated_promoted_and_scores_the_next_week_quietly(life):
    first, week = life.releases()[0], life.weeks[0]
    assert (first["gate"], first["knows until"]) == ("passed", "2025-02-03")
    assert week["live"] == week["scored_by"]
    assert week["live"].startswith(first["release"])
    assert set(week["findings"].values()) == {"Passed"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_week_in_which_the_world_has_changed_is_found_and_the_second_such_week_is_answered_by_a_better_model(life):
    quiet, found, answered, *later = life.weeks
    assert found["findings"] == quiet["findings"] | dict.fromkeys(FOUND, "Blocked")
    assert [run for run in found["runs"] if "train" in run] == []
    assert f"train_{MODEL} SUCCESS" in answered["runs"]
    assert answered["live"] != answered["scored_by"] == quiet["live"]
    assert [(week["scored_by"], set(week["findings"].values())) for week in later] == [
        (answered["live"], {"Passed"})
    ] * 2


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_team_asks_why_and_puts_the_first_release_back(life):
    first, second = (life.weeks[n]["live"] for n in (0, 2))
    told = life.told("ops", "why", life.weeks[-1]["prediction"])
    assert all(
        word in told for word in (second, "gate passed", "deliveries@2025-01-27", "parcel_features/definitions@-")
    )
    assert [row["live"] for row in life.releases()] == ["", "live"]
    (moved,) = life.asked("rollback", MODEL, "--reason", "complaints since Tuesday")
    assert first.startswith(moved["live"])
    assert [row["live"] for row in life.releases()] == ["live", ""]
    assert {row["state"] for row in life.asked("doctor")} == {"good"}


@pytest.mark.long
@pytest.mark.timeout(900)
def test_nothing_was_written_beside_the_project_or_into_the_installed_package(life):
    assert [file.name for file in life.project.parent.iterdir()] == ["acme"]
    assert sorted(file.name for file in life.project.iterdir() if file.name not in GENERATED) == [
        *(".gitignore", ".ops", "README.md", "acme", "feature_repo", "pyproject.toml", "requirements.lock"),
        *("tests", "walk.py", "workspace.yaml"),
    ]
