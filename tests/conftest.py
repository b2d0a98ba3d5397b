"""A project with nothing in it but its lock: where a test needs a platform and says nothing else of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from ops_pipelines.adapters.project import find_project

# An example takes as long as the machine is slow: by itself hypothesis fails a test of which one takes a fifth of a second.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

_LONG_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives a long test as much time as a slow machine may need, where it does not say itself how much."""
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_LONG_SECONDS))


@pytest.fixture
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of the project that is the working directory's."""
    (tmp_path / "pyproject.toml").write_text("[tool.ops]\n")
    (tmp_path / "requirements.lock").write_text("nothing==1\n")
    monkeypatch.chdir(tmp_path)
    find_project.cache_clear()
    yield tmp_path
    find_project.cache_clear()
