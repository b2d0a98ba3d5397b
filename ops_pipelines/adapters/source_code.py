"""The code behind an asset: the team's functions, our own rooms, and what is installed."""

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
    return canonical_json(files_of(path))


def files_of(path: str) -> dict[str, str]:
    """The Python files of the folder around a `module:function`, by name."""
    folder = _source(path.partition(":")[0]).parent
    return {file.name: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.py"))}


def source_of_platform(flavour: str) -> bytes:
    """Our own rooms that split, join, judge and score, and the folder of a flavour, by path, as canonical JSON."""
    rooms = [_source(room).parent for room in ("ops_pipelines.core", "ops_pipelines.mlops")]
    files = [file for room in rooms for file in sorted(room.glob("*.py"))]
    files.append(_source(flavour.partition(":")[0]))
    return canonical_json({f"{file.parent.name}/{file.name}": file.read_text(encoding="utf-8") for file in files})


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
