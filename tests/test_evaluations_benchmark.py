"""That the evaluators of the benchmark do one job, and that one which does another, or is not here, counts for nothing."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from benchmarks import evaluation_peers as peers
from benchmarks.evaluation_peers import Evaluator
from benchmarks.evaluations import WARM, Bench, OtherJobError
from benchmarks.evaluators.job import Job, Told
from benchmarks.peer_environments import FOLDER, python_with
from benchmarks.processes import PeerError
from ops_pipelines.testing.provider import provider_running


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with provider_running() as provider:
        yield Bench(provider, 20)


def telling(told: Told) -> Evaluator:
    """Somebody who asks nothing and tells this."""
    lie = f"import sys; open(sys.argv[2], 'w').write({json.dumps(asdict(told))!r})"
    return Evaluator("a liar", lambda: [sys.executable, "-c", lie])


def test_ours_asks_each_case_once_and_again_none(bench):
    told = bench.turn(peers.ours(), again=True)
    assert (told.right, bench.provider.count(), bench.asked_again()) == (18, WARM + 20, 0)
    assert told.again_seconds is not None


def test_the_bare_loop_does_the_same_job_with_nothing_kept(bench):
    told = bench.turn(peers.bare_loop(), again=True)
    assert (told.right, bench.asked_again()) == (18, 20)


def test_who_asks_less_than_every_case_does_another_job(bench):
    with pytest.raises(OtherJobError, match="asked 0 of 30"):
        bench.turn(telling(Told(1.0, 1.0, 18)))


def test_an_evaluator_that_fails_says_with_what(bench):
    failing = Evaluator("one that fails", lambda: [sys.executable, "-c", "raise SystemExit('no such luck')"])
    with pytest.raises(PeerError, match="no such luck"):
        bench.turn(failing)


def test_a_peer_that_cannot_be_installed_is_not_here(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path))
    with pytest.raises(PeerError, match="cannot be installed here"):
        python_with(str(tmp_path / "no-such-package"))


def test_a_job_is_read_as_it_was_written(tmp_path):
    job = Job("http://127.0.0.1:1/v1", "desk-1", 5, "", (), (), again=True)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job
