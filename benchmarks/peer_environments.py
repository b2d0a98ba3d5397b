"""Peers that would not share our environment: each is installed once into a folder of its own, outside the project.

OPS_BENCH_ENVS names the folder, by default one in the user's cache. What cannot be installed here is a PeerError, and
its claims are skipped with that reason.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.processes import PeerError

FOLDER = "OPS_BENCH_ENVS"
_INSTALL_SECONDS = 300
_DONE = ".installed"


def python_with(*requirements: str) -> str:
    """The interpreter of an environment that has some packages; PeerError where they cannot be installed."""
    uv = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if uv is None:
        raise PeerError(f"uv is not here to install {requirements[0]}")

    def install(folder: Path) -> None:
        _say([uv, "venv", "--quiet", "--python", sys.executable, str(folder)])
        _say([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *requirements])

    return str(_installed(requirements, install) / "bin" / "python")


def node_folder_with(package: str) -> Path:
    """The folder where npm has a package and what it needs; PeerError without node, or where it cannot be installed.

    No package runs a script of its own.
    """
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise PeerError(f"node and npm are not here to install {package}")

    def install(folder: Path) -> None:
        quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"]
        _say([npm, "install", "--prefix", str(folder), *quiet, package])

    return _installed([package], install)


def _installed(requirements: Sequence[str], install: Callable[[Path], None]) -> Path:
    """The folder of these requirements; an installation that was interrupted is begun anew."""
    folder = _folder() / "+".join(requirements)
    if not (folder / _DONE).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        (folder / _DONE).touch()
    return folder


def _folder() -> Path:
    named = os.environ.get(FOLDER)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named) if named else cache / "ops_pipelines" / "benchmarks"


def _say(words: Sequence[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{words[-1]} was not installed within {_INSTALL_SECONDS} s") from error
    if done.returncode:
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        raise PeerError(f"{words[-1]} cannot be installed here: {last}")
