"""A project's feature repo as Feast wants it read: from inside, with its own modules, settings and home.

Feast's parser uses the working directory, the module table and the environment of the process; what is changed here for
its sake is put back, and one thread at a time does so.
"""

import contextlib
import importlib
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.core.errors import ConfigError

if TYPE_CHECKING:
    import feast
    from feast.repo_contents import RepoContents

_PROCESS = threading.RLock()
"""Held while the working directory, the modules, the warnings or the output of this process are not its own."""


def parse_repo(project: Project) -> "RepoContents":
    """Everything that the Python files of the feature repo define; ConfigError that names the file at fault."""
    from feast import repo_operations

    if not project.feature_repo.is_dir():
        raise ConfigError(
            f"The project has no folder {project.feature_repo}",
            expected="a feature repo with a feature_store.yaml, entities, views and services",
            action="Add it, or name another folder in [tool.ops] feature_repo",
        )
    with _inside(project):
        try:
            return repo_operations.parse_repo(project.feature_repo)
        except Exception as error:  # a team's code may raise anything while it is imported
            raise ConfigError(
                f"{_culprit(project.feature_repo, error)} cannot be loaded: {type(error).__name__}: {error}",
                expected="Python files that define entities, feature views and feature services",
                action="Mend the file and apply again",
            ) from error


def open_feast(project: Project) -> "feast.FeatureStore":
    """Feast on the project's registry as it is now; ConfigError for settings that it cannot use."""
    from feast import FeatureStore
    from feast.repo_config import load_repo_config

    settings = project.feature_repo / "feature_store.yaml"
    if not settings.is_file():
        raise ConfigError(
            f"The project has no {settings}",
            expected="a feature repo with its feature_store.yaml",
            action="Add it, or name another folder in [tool.ops] feature_repo",
        )
    try:
        with _home(project):
            return FeatureStore(config=load_repo_config(project.feature_repo, settings))
    except Exception as error:  # from YAML, from pydantic, and from the stores that the file names
        raise ConfigError(
            f"{settings} cannot be used: {error}",
            expected="a project, a provider, a registry, an online and an offline store",
            action="Mend the file and apply again",
        ) from error


@contextlib.contextmanager
def tolerant() -> Iterator[None]:
    """Lets pass the one deprecation that ibis has not heeded, and undoes the filters that importing Feast sets."""
    with _PROCESS, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*fetch_arrow_table", category=DeprecationWarning)
        yield


def _culprit(folder: Path, error: Exception) -> str:
    """The file and line of the feature repo where an error comes from, or the folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    inside = [
        frame for frame in traceback.extract_tb(error.__traceback__) if folder.resolve() in Path(frame.filename).parents
    ]
    return f"{inside[-1].filename}:{inside[-1].lineno}" if inside else str(folder)


@contextlib.contextmanager
def _inside(project: Project) -> Iterator[None]:
    """The process as Feast's parser wants it: in the feature repo, which alone provides the modules of its names.

    Feast names modules by their path from the working directory and leaves them in `sys.modules`, so that a second repo
    with a `views.py` would be given the first one's.
    """
    folder = project.feature_repo.resolve()
    own = {path.stem for path in folder.iterdir()}
    bytecode = sys.dont_write_bytecode
    with _PROCESS, _home(project), contextlib.chdir(folder):
        hidden = _take_modules(own)
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        find_project.cache_clear()
        try:
            yield
        finally:
            find_project.cache_clear()
            sys.dont_write_bytecode = bytecode
            sys.path.remove(str(folder))
            _take_modules(own)
            sys.modules.update(hidden)


def _take_modules(names: set[str]) -> dict[str, Any]:
    """The loaded modules of some top-level names, taken out of `sys.modules`."""
    found = [name for name in sys.modules if name.partition(".")[0] in names]
    return {name: sys.modules.pop(name) for name in found}


@contextlib.contextmanager
def _home(project: Project) -> Iterator[None]:
    """OPS_HOME as feature_store.yaml and `lake_files` read it: this project's, whatever the shell says."""
    with _PROCESS:
        before = os.environ.get("OPS_HOME")
        os.environ["OPS_HOME"] = str(project.home)
        try:
            yield
        finally:
            if before is None:
                del os.environ["OPS_HOME"]
            else:
                os.environ["OPS_HOME"] = before
