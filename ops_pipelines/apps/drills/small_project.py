"""A project of a few files, written into a drill's folder, for the drills that Dagster's daemon drives."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from pathlib import Path

_LOCATION = "import {name}\nfrom ops_pipelines.components.house import load_tree\n\ndefs = load_tree({name})\n"


def location_of(name: str, yaml: str) -> dict[str, str]:
    """The files of the package `name` with components in YAML, and of the module `<name>_location` that loads it."""
    return {f"{name}/__init__.py": "", f"{name}/defs.yaml": yaml, f"{name}_location.py": _LOCATION.format(name=name)}


@contextmanager
def inside_project(folder: Path, files: Mapping[str, str]) -> Iterator[None]:
    """The process inside a project of these files: its working directory, home and modules. All is put back afterwards.

    The names of its modules begin with `drill_`, so that they hide nobody's.
    """
    from ops_pipelines.adapters.project import find_project

    for name, text in {"pyproject.toml": "[tool.ops]\n", "requirements.lock": "dagster==1\n", **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    environment, path = dict(os.environ), list(sys.path)
    with chdir(folder):
        os.environ["OPS_HOME"] = str(folder / "home")
        sys.path.insert(0, str(folder))
        find_project.cache_clear()
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(environment)
            sys.path[:] = path
            find_project.cache_clear()
            for module in [name for name in sys.modules if name.startswith("drill_")]:
                del sys.modules[module]
