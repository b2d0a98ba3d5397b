"""Killed at any step of an episode and started again: one run that decided, one decision, and nothing half-made.

The walks are made by `harbour/walks.py`, in two processes; what they found is judged here.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

HERE = Path(__file__).parent
PROCESSES = 2
RELEASES = "berth_delay/release@"
"""Where it is told who moved the pointer and when, so that no two walks have the same there."""


@dataclass(frozen=True)
class Walks:
    """The walk that nobody disturbed, and the ones that were killed, each with what was found after it."""

    undisturbed: dict[str, Any]
    killed: list[dict[str, Any]]

    def other(self, *names: str) -> dict[str, Any]:
        """The killed walks after which something else is found than after the undisturbed one."""
        wanted = {name: self.undisturbed[name] for name in names}
        found = {walk["name"]: {name: walk["after"][name] for name in names} for walk in self.killed}
        return {name: found[name] for name in found if found[name] != wanted}


@pytest.fixture(scope="module")
def roots() -> Iterator[list[Path]]:
    """A copy of the harbour for each process: in memory where that is possible, since a kill leaves memory as it is."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        roots = [shutil.copytree(HERE / "harbour", Path(folder) / str(part)) for part in range(PROCESSES)]
        for root in roots:
            shutil.copy(HERE.parents[1] / "feature_repo" / "feature_store.yaml", root / "feature_repo")
        yield roots


@pytest.fixture(scope="module")
def walks(roots: list[Path]) -> Walks:
    """What the two processes told; each to a file, since a full pipe would hold one up."""
    lines = [line for told in run_beside(roots) for line in map(json.loads, told.splitlines())]
    undisturbed, *again = [line["undisturbed"] for line in lines if "undisturbed" in line]
    same = ("requests", "moves", "releases", "episodes")
    assert all([other[name] for name in same] == [undisturbed[name] for name in same] for other in again)
    return Walks(undisturbed, [line for line in lines if "killed" in line])


def run_beside(roots: list[Path]) -> list[str]:
    """What `walks.py` printed for each root, run in processes beside each other."""
    running = []
    for part, root in enumerate(roots):
        command = [sys.executable, "-W", "ignore", str(root / "walks.py"), str(root), str(part), str(PROCESSES)]
        with (root / "told").open("w") as told, (root / "wrong").open("w") as wrong:
            running.append(subprocess.Popen(command, stdout=told, stderr=wrong))
    try:
        codes = [process.wait() for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0] * PROCESSES, [(root / "wrong").read_text()[-3000:] for root in roots]
    return [(root / "told").read_text() for root in roots]


def test_at_least_thirty_walks_were_killed_each_at_a_step_of_its_own(walks):
    assert len({walk["point"] for walk in walks.killed}) >= 30
    assert [walk["name"] for walk in walks.killed if not walk["killed"]] == []


def test_undisturbed_an_episode_opens_and_one_run_answers_it_with_a_promotion(walks):
    (episode,) = walks.undisturbed["episodes"]
    assert (episode["kind"], episode["opened"], episode["trained"]) == ("performance", "2013-02-12", "2013-02-12")
    assert (episode["outcome"], episode["because"]) == ("promoted", "its challenger was promoted")
    assert [action for action, _ in walks.undisturbed["moves"]] == ["promote", "promote"]


def test_an_episode_has_one_row_in_the_retraining_log(walks):
    assert len(walks.undisturbed["requests"]) == 1
    assert walks.other("requests") == {}


def test_one_retraining_run_made_a_decision_and_the_others_failed_before_they_did(walks):
    ((key, _),) = walks.undisturbed["requests"]
    for walk in walks.killed:
        answers = [run for run in walk["after"]["runs"] if run["answers"] == key]
        decided = [run["id"] for run in answers if "berth_delay/checkpoint" in run["judged"]]
        assert decided == [walk["after"]["made_by"]] == [walk["after"]["decided_by"]], (walk["name"], answers)
        assert {run["status"] for run in answers if run["id"] not in decided} <= {"FAILURE"}, walk["name"]


def test_the_decision_is_made_once_and_the_pointer_has_moved_once_for_it(walks):
    assert walks.other("moves", "releases") == {}


def test_the_episode_ends_as_it_would_have(walks):
    assert walks.other("episodes") == {}


def test_no_run_is_left_that_nobody_executes(walks):
    left = {
        walk["name"]: [run for run in walk["after"]["runs"] if run["status"] not in ("SUCCESS", "FAILURE")]
        for walk in walks.killed
    }
    assert {name: runs for name, runs in left.items() if runs} == {}


def comparable(artefacts: dict[str, str]) -> dict[str, str]:
    """Artefacts by their digests, and of the releases that they are there."""
    return {at: "there" if at.startswith(RELEASES) else digest for at, digest in artefacts.items()}


def test_right_after_the_kill_every_artefact_is_whole_and_one_that_was_to_be(walks):
    made = comparable(walks.undisturbed["artefacts"])
    for walk in walks.killed:
        before = comparable(walk["after"]["before"])
        assert before.items() <= made.items(), walk["name"]
    assert any(walk["after"]["aside"] for walk in walks.killed)  # some writers died before the rename


def test_in_the_end_every_artefact_is_there_as_it_would_have_been(walks):
    assert {
        walk["name"]: walk["after"]["artefacts"]
        for walk in walks.killed
        if comparable(walk["after"]["artefacts"]) != comparable(walks.undisturbed["artefacts"])
    } == {}
