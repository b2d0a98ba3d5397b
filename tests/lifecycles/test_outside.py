"""A team of another house: this package from its wheel, a project of its own, and a model's whole life in it.

Everything runs in an environment and a folder that know nothing of this source tree. What the team writes by hand lies in
the folder `parcels`; all else is written by `ops new`.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT, WRITTEN = Path(__file__).parents[2], Path(__file__).parent / "parcels"
MODEL, TRAINED, LAST = "late_parcel", "2025-01-27", "2025-03-03"
TOOLS = ("dg", "dagster", "pytest")


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

    def made(self, *keys: str, weeks: str) -> Any:
        """Assets materialized as CI would: any check that fails or never ran is an error."""
        selection = " or ".join(f'key:"{key}"' for key in keys)
        return json.loads(self.told("ops", "materialize", selection, "--partition", weeks, "--strict"))


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
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A path in a .pth is searched after the environment's own packages, and the .pth files behind it are not read: the
    # one that makes this source tree importable is among them.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    here = folder / "bin" / "python"
    for script in importlib.metadata.entry_points(group="console_scripts"):
        if script.name in (*TOOLS, "ops"):
            _install(script, here)
    return here


def _install(script: importlib.metadata.EntryPoint, python: Path) -> None:
    """A console script as an installer writes it."""
    text = f"#!{python}\nimport sys\nfrom {script.module} import {script.attr}\nsys.exit({script.attr}())\n"
    (python.parent / script.name).write_text(text)
    (python.parent / script.name).chmod(0o755)


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
    team.made(*first, weeks=f"2025-01-06..{TRAINED}")
    team.made(*(f"{MODEL}/{part}" for part in ("training_set", "checkpoint", "release")), weeks=TRAINED)
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
@pytest.mark.timeout(600)
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
@pytest.mark.timeout(600)
def test_a_model_lives_outside(life):
    assert all(Path(week["package"]).is_relative_to(life.python.parents[1]) for week in life.weeks)
    for week in life.weeks:
        print(week)


def _unused(_: Mapping[str, str]) -> None: ...
