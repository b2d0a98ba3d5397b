"""Whole runs that are killed with SIGKILL and go on in new processes: nothing is done twice, and nothing is forgotten."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

IN_MEMORY = Path("/dev/shm")
"""Where a commit costs nothing: the death of a process takes nothing back there either."""


@pytest.fixture
def folder():
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if IN_MEMORY.is_dir() else None) as made:
        yield made


def killed_at(points: int, folder: str) -> dict:
    """What came of a run that was killed at so many points, once or twice each."""
    words = [sys.executable, "-m", "ops_pipelines.testing.killed_runs", folder, str(points)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_run_that_is_killed_here_and_there_goes_on_to_its_end_and_repeats_nothing(folder):
    found = killed_at(4, folder)
    assert (found["wrong"], found["points"], found["killed"] >= 4) == ([], 4, True)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_at_many_points_goes_on_to_its_end_and_repeats_nothing(folder):
    found = killed_at(205, folder)
    assert (found["wrong"], found["points"], found["killed"] >= 205) == ([], 205, True)
    assert found["unknown"] > 0
    assert found["most_unknown"] <= 2
