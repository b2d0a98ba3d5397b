"""The process is inside a small project for a while, and then where it was."""

import importlib
import os
import sys
from pathlib import Path

import pytest

from ops_pipelines.adapters.project import find_project
from ops_pipelines.apps.drills.small_project import inside_project

BROKEN = "import os\n\nos.environ['DRILL'] = 'on'\n1 / 0\n"


def state() -> tuple[Path, dict[str, str], list[str], set[str]]:
    return Path.cwd(), dict(os.environ), list(sys.path), {name for name in sys.modules if name.startswith("drill_")}


def test_inside_the_project_its_modules_home_and_root_are_found(tmp_path):
    with inside_project(tmp_path, {"drill_ships/__init__.py": "", "drill_ships/names.py": "FIRST = 'Argo'\n"}):
        assert importlib.import_module("drill_ships.names").FIRST == "Argo"
        assert (find_project().root, find_project().home) == (tmp_path, tmp_path / "home")


def test_afterwards_all_is_put_back_even_where_it_broke(tmp_path):
    before = state()
    with pytest.raises(ZeroDivisionError), inside_project(tmp_path, {"drill_broken.py": BROKEN}):
        importlib.import_module("drill_broken")
    assert state() == before
    assert find_project().root != tmp_path
