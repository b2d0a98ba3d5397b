"""Where the project and its state lie: its root, `OPS_HOME`, the commit, the lock file.

The root is the nearest folder, from the working directory upwards, whose pyproject.toml has a `[tool.ops]` table; so a
team that installs this package keeps its own feature_repo/ and evals/.
"""

import os
import subprocess
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ops_pipelines.core.errors import ConfigError, near_miss
from ops_pipelines.core.fingerprint import digest_bytes
from ops_pipelines.core.pointer import PRODUCTION, STAGING

SETTINGS = {"home": ".ops", "feature_repo": "feature_repo", "evals": "evals", "lock": "requirements.lock"}
"""The paths of `[tool.ops]`, each from the root, with their defaults."""
ENVIRONMENTS = "environments"
"""The key of `[tool.ops]` that lists where releases go live: production alone without it."""


@dataclass(frozen=True, slots=True)
class Project:
    """A project's folders. `home` holds all state: OPS_HOME where it is set, else the setting, else `.ops`.

    `environments` are in the order in which a release goes through them. Where staging is one, nothing is promoted to
    production that was not live in staging.
    """

    root: Path
    home: Path
    feature_repo: Path
    evals: Path
    lock: Path
    environments: tuple[str, ...] = (PRODUCTION,)

    def checked_environment(self, name: str) -> str:
        """The name of an environment; ConfigError with the nearest one for a name that the project does not list."""
        if name not in self.environments:
            raise ConfigError(
                f"{name!r} is no environment of this project",
                expected=f"one of {', '.join(self.environments)}",
                action=f"{near_miss(name, self.environments)} [tool.ops] environments in pyproject.toml lists them",
                environment=name,
            )
        return name

    def way_to(self, environment: str) -> str | None:
        """The environment that a release has to have been live in before this one; None for no such condition."""
        return STAGING if environment == PRODUCTION and STAGING in self.environments else None

    def agent_folder(self, agent: str) -> Path:
        """Where the policy, the tasks and the kept runs of an agent lie unless its YAML says otherwise."""
        return self.evals / "agents" / agent

    def policy_folder(self, agent: str, said: str | None = None) -> Path:
        """Where the policy of an agent lies: the folder that is said, from the root, or in the agent's own."""
        return self.root / str(said) if said else self.agent_folder(agent) / "policy"

    def commit(self) -> str:
        """The commit that the project stands on, with `+changes` where files differ from it; `no-git` outside git."""
        head = _git(self.root, "rev-parse", "HEAD").strip()
        if not head:
            return "no-git"
        return f"{head}+changes" if _git(self.root, "status", "--porcelain") else head

    def text_at(self, revision: str, file: Path) -> str | None:
        """What a file of the project held at a revision of git; None where that is not known, or it held nothing."""
        if revision.startswith("-") or not file.resolve().is_relative_to(self.root):
            return None
        inside = file.resolve().relative_to(self.root).as_posix()
        return _git(self.root, "show", f"{revision}:./{inside}") or None

    def environment(self) -> bytes:
        """The bytes of the lock file, which decide what is installed; ConfigError where there is none."""
        if not self.lock.is_file():
            raise ConfigError(
                f"The project has no lock file {self.lock}",
                expected="a file that pins every package by hash",
                action="Pin what is installed: `uv pip freeze > requirements.lock`; or name another in [tool.ops] lock",
            )
        return self.lock.read_bytes()

    def environment_digest(self) -> str:
        """The sha256 of the lock file."""
        return digest_bytes(self.environment())


@cache
def find_project(start: Path | None = None) -> Project:
    """The project around a folder (the working directory, without one); ConfigError where there is none."""
    where = (start or Path.cwd()).resolve()
    for folder in (where, *where.parents):
        settings = _settings(folder / "pyproject.toml")
        if settings is not None:
            return _project(folder, settings)
    raise ConfigError(
        f"No project around {where}",
        expected="a pyproject.toml with a [tool.ops] table in this folder or one above it",
        action="Change into the project's folder, add an empty [tool.ops] table, or begin one: `ops new project NAME`",
    )


def automation_is_on() -> bool:
    """Whether the house starts things by itself: only where OPS_AUTOMATION is `on`."""
    return os.environ.get("OPS_AUTOMATION", "off").lower() == "on"


def lake_files(dataset: str) -> str:
    """The glob of a dataset's accepted Parquet files, for a Feast FileSource."""
    return str(find_project().home / "lake" / dataset / "*" / "data.parquet")


def _settings(file: Path) -> dict[str, Any] | None:
    if not file.is_file():
        return None
    try:
        settings: dict[str, Any] | None = tomllib.loads(file.read_text()).get("tool", {}).get("ops")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} cannot be read: {error}", expected="valid TOML", action="Mend the file") from error
    known = (*SETTINGS, ENVIRONMENTS)
    for key in settings or {}:
        if key not in known:
            raise ConfigError(
                f"{file} has an unknown key {key!r} in [tool.ops]",
                expected=f"some of {', '.join(known)}",
                action=near_miss(key, known),
            )
    return settings


def _environments(listed: Any) -> tuple[str, ...]:
    if listed not in ([PRODUCTION], [STAGING, PRODUCTION]):
        raise ConfigError(
            f"[tool.ops] environments is {listed!r}",
            expected=f'["{STAGING}", "{PRODUCTION}"], or ["{PRODUCTION}"] alone',
            action="Correct it in pyproject.toml, or leave it out for production alone",
        )
    return tuple(listed)


def _project(root: Path, settings: dict[str, Any]) -> Project:
    paths = {key: root / settings.get(key, default) for key, default in SETTINGS.items()}
    if os.environ.get("OPS_HOME"):
        paths["home"] = Path(os.environ["OPS_HOME"]).absolute()
    return Project(root=root, environments=_environments(settings.get(ENVIRONMENTS, [PRODUCTION])), **paths)


def _git(root: Path, *arguments: str) -> str:
    """What git prints, empty where it fails or is not there."""
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
