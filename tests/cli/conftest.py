"""A home of its own for each test, and `ops` as a person types it, in this process."""

import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.project import Project, find_project
from ops_pipelines.core.fingerprint import digest_table
from ops_pipelines.core.lineage import Artefact, Origin
from ops_pipelines.core.release import Manifest
from ops_pipelines.core.verdict import Passed, Verdict
from ops_pipelines.testing.refund_agent import refund_agent, released
from ops_pipelines.testing.release_store import evidence_against

with warnings.catch_warnings():
    # typer below 0.26, which `dg` needs, imports names that click 8.5 deprecates
    warnings.simplefilter("ignore", DeprecationWarning)
    from ops_pipelines.cli import main

NOON = datetime(2013, 3, 5, 12, tzinfo=UTC)

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Said:
    """What a verb exited with, and what it printed."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Prepared:
    """A home, and the ways to put things into it."""

    folder: Path

    @property
    def platform(self) -> Platform:
        return Platform.embedded()

    def files(self) -> dict[str, bytes]:
        return {str(file): file.read_bytes() for file in sorted(self.folder.rglob("*")) if file.is_file()}

    def release(
        self, model: str, *, against: str | None = None, verdict: Verdict | None = None, kept: bool = True
    ) -> str:
        """A release of flight_delay whose only part is a text; its digest."""
        (self.folder / "lake" / "flight_delay" / "checkpoint").mkdir(parents=True, exist_ok=True)
        content = model.encode()
        objects = self.platform.objects
        digest = objects.put(content)
        if not kept:
            self.object(digest).unlink()
        manifest = Manifest("flight_delay", {"model": digest})
        self.platform.releases.save(manifest, evidence_against(against, verdict=verdict))
        return manifest.digest

    def object(self, digest: str) -> Path:
        return self.platform.objects.root / digest[:2] / digest

    def publish(self, key: str, partition: str, verdict: Verdict | None = None, facts: dict | None = None) -> str:
        """Content of a partition with a verdict; its digest."""
        table = pa.table({"id": ["a"], "value": [1.0]})
        digest = digest_table(table, key=["id"])
        origin = Origin("run-1", "no-git", "code", NOON)
        self.platform.lake.publish(
            table, Artefact(key, partition, digest, verdict or Passed(), {}, origin, facts or {})
        )
        return digest

    def live(self) -> list[str]:
        return [move.release for move in self.platform.releases.history("flight_delay", "production")]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Prepared]:
    """An OPS_HOME that does not exist yet. Verbs set the environment of their process, which is put back."""
    environment, path, folder = dict(os.environ), list(sys.path), Path.cwd()
    os.chdir(ROOT)
    os.environ["OPS_HOME"] = str(tmp_path / "home")
    find_project.cache_clear()
    yield Prepared(tmp_path / "home")
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = path
    find_project.cache_clear()


@pytest.fixture
def staged(tmp_path: Path, home: Prepared, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """The home of a project that lists staging before production."""
    (tmp_path / "pyproject.toml").write_text('[tool.ops]\nenvironments = ["staging", "production"]\n')
    (tmp_path / "requirements.lock").touch()
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the agent of `testing.refund_agent` is live, to be copied."""
    folder = tmp_path_factory.mktemp("refunds")
    (folder / "requirements.lock").touch()
    project = Project(folder, folder / "home", folder / "features", folder / "evals", folder / "requirements.lock")
    released(Platform.embedded(project), refund_agent())
    return project.home


@pytest.fixture
def refunds(tmp_path: Path, home: Prepared, released_once: Path, monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """The home of a project in which the agent of `testing.refund_agent` is live."""
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").touch()
    monkeypatch.chdir(tmp_path)
    shutil.copytree(released_once, home.folder)
    return home


@pytest.fixture
def ops(home: Prepared, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs one verb."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["ops", *words])
        capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
        return Said(code, *capsys.readouterr())

    return run
