"""What a project tells `dg` about itself in pyproject.toml, for the verbs that have to agree with `dg`."""

import importlib
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ops_pipelines.core.errors import ConfigError, OpsError

if TYPE_CHECKING:
    import dagster as dg


@dataclass(frozen=True, slots=True)
class DgProject:
    """A project's root, the folder that its packages lie in, its defs module, and the module that holds `defs`."""

    root: Path
    packages: Path
    defs_module: str
    definitions_module: str

    @property
    def defs_folder(self) -> Path:
        """Where components are written."""
        return self.packages.joinpath(*self.defs_module.split("."))


def read_dg_project(root: Path) -> DgProject:
    """The `[tool.dg.project]` table of a project; ConfigError where it has none or it names no root_module."""
    file = root / "pyproject.toml"
    table = tomllib.loads(file.read_text()).get("tool", {}).get("dg", {}).get("project", {})
    package = table.get("root_module")
    if not package:
        raise ConfigError(
            f"{file} does not say which package holds the project's definitions",
            expected='a table [tool.dg.project] with root_module = "your_package"',
            action="Add the table; `dg` reads it, too",
        )
    return DgProject(
        root=root,
        packages=packages_of(root),
        defs_module=table.get("defs_module") or f"{package}.defs",
        definitions_module=table.get("code_location_target_module") or f"{package}.definitions",
    )


def packages_of(root: Path) -> Path:
    """The folder that a project's packages lie in: src/, or the root where there is none."""
    return root / "src" if (root / "src").is_dir() else root


def make_importable(root: Path) -> None:
    """Puts a project's packages on the import path, as `dg` and `dagster dev` do."""
    packages = str(packages_of(root))
    if packages not in sys.path:
        sys.path.insert(0, packages)


def load_definitions(root: Path, module: str | None = None) -> "dg.Definitions":
    """The `defs` of a module, the project's own without one, also where it is a function that makes them.

    ConfigError where there are none, or they do not load: with the error that began it, since Dagster wraps that in a
    drawing of its component tree.
    """
    import dagster as dg

    make_importable(root)
    name = module or read_dg_project(root).definitions_module
    try:
        found = getattr(importlib.import_module(name), "defs", None)
        made = found() if callable(found) else found
    except Exception as error:  # a team's code may raise anything
        first = _first(error)
        if isinstance(first, OpsError):
            raise first from error
        raise ConfigError(
            f"The module {name!r} cannot be imported: {type(first).__name__}: {first}",
            expected="a module with Dagster's definitions in `defs`",
            action="`dg check defs` shows where it comes from",
        ) from error
    if not isinstance(made, dg.Definitions):
        raise ConfigError(
            f"The module {name!r} has no definitions",
            expected="dagster.Definitions in `defs`",
            action="Check --module, or [tool.dg.project] code_location_target_module in pyproject.toml",
        )
    return made


def _first(error: BaseException) -> BaseException:
    """The error that began a chain."""
    while error.__cause__:
        error = error.__cause__
    return error
