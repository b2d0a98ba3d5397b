"""A team's own project: its package, its defs, its lock file, and none of this repository's."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PYPROJECT = """
[project]
name = "late-bags"
version = "0.1.0"

[tool.ops]

[tool.dg]
directory_type = "project"

[tool.dg.project]
root_module = "late_bags"

[tool.dg.cli]
suppress_warnings = ["project_and_activated_venv_mismatch"]

[tool.dg.cli.telemetry]
enabled = false
"""
DEFINITIONS = """
import late_bags.defs
from ops_pipelines.components.house import load_tree

defs = load_tree(late_bags.defs)
"""


def write_project(root: Path, packages: Path) -> Path:
    """The files of a project whose packages lie in a folder; its defs folder."""
    defs = packages / "late_bags" / "defs"
    defs.mkdir(parents=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    (root / "requirements.lock").write_text("pytest==9.2.0\n")
    (packages / "late_bags" / "__init__.py").touch()
    (packages / "late_bags" / "definitions.py").write_text(DEFINITIONS)
    (defs / "__init__.py").touch()
    return defs


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a tool of this environment in a folder."""
    tools = Path(sys.executable).parent
    home = tmp_path_factory.mktemp("home")
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "OPS_HOME": str(home)}

    def run(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        command = [str(tools / words[0]), *words[1:]]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)

    return run
