"""The version of the code behind an asset: the team's functions, ours, and what is installed."""

import importlib.util
from functools import cache
from pathlib import Path

from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import canonical_json, digest_bytes, digest_json


@cache
def code_version(*paths: str) -> str:
    """One digest over the source of some `module` or `module:function` paths and the lock file.

    A module stands for all Python files of its folder, since what it imports from beside it decides as well. The modules
    are found, not imported. Raises ConfigError for one that cannot be found.
    """
    return digest_json([*(digest_bytes(source_of(path)) for path in paths), find_project().environment_digest()])


def source_of(path: str) -> bytes:
    """The Python files of the folder around a `module:function`, by name, as canonical JSON."""
    folder = _source(path.partition(":")[0]).parent
    return canonical_json({file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py"))})


def _source(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):  # a parent that cannot be imported, or no name at all
        spec = None
    if spec is None or not spec.origin:
        raise ConfigError(
            f"The module {module!r} cannot be found",
            expected="a module that Python finds from the project's root",
            action="Check the import path in defs.yaml (module:function)",
        )
    return Path(spec.origin)
