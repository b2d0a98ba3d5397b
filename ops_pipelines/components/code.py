"""The version of the code behind an asset: the team's functions, ours, and what is installed."""

import importlib.util
from functools import cache
from pathlib import Path

from ops_pipelines.adapters.project import find_project
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.core.fingerprint import digest_files, digest_json


@cache
def code_version(*paths: str) -> str:
    """One digest over the source files of some `module` or `module:function` paths and the lock file.

    The modules are found, not imported. Raises ConfigError for one that cannot be found.
    """
    files = sorted({_source(path.partition(":")[0]) for path in paths})
    return digest_json([digest_files(files), find_project().environment_digest()])


def source_of(path: str) -> bytes:
    """The source text of the module of a `module:function` path."""
    return _source(path.partition(":")[0]).read_bytes()


def _source(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.origin:
        raise ConfigError(
            f"The module {module!r} cannot be found",
            expected="a module that Python finds from the project's root",
            action="Check the import path in defs.yaml (module:function)",
        )
    return Path(spec.origin)
