"""A project with nothing in it but its lock: where a test needs a platform and says nothing else of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ops_pipelines.adapters.project import find_project

# An example takes as long as the machine is slow: by itself hypothesis fails a test of which one takes a fifth of a second.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of the project that is the working directory's."""
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    yield tmp_path
    find_project.cache_clear()
