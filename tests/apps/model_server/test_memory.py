"""What a worker holds of large models: the live release and the one before it, however many there were."""

import pytest

from ops_pipelines.testing.callers import calling
from ops_pipelines.testing.load import post
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.serving import health, serving, wait_until, worker_processes

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
MEGABYTES, RELEASES = 200, 5
ALLOWANCE = 100.0
"""What may come on top: requests, the log, what an allocator keeps."""


def megabytes_held(server):
    (worker,) = worker_processes(server)
    return worker.memory_info().rss / 1e6


def is_settled_on(server, release):
    """Whether a release answers and nothing but it and the one before is warm or being loaded."""
    slot = health(server.port)["systems"][SYSTEM]
    return slot["release"] == release.digest and len(slot["warm"]) <= 2 and slot["loading"] == []


@pytest.mark.long
@pytest.mark.timeout(900)
def test_of_large_models_a_worker_holds_two_and_those_that_were_live_before_go(tmp_path):
    home = ServedHome.at(tmp_path)
    home.make_live(home.publish_linear(0.0))
    large = [home.publish_heavy(100.0 + number, megabytes=MEGABYTES) for number in range(RELEASES)]
    held = []
    with serving(tmp_path) as server, calling(server.port, [REQUEST], callers=4, seconds=800) as calls:
        before = megabytes_held(server)
        for heavy in large:
            home.make_live(heavy)
            wait_until(lambda heavy=heavy: is_settled_on(server, heavy), seconds=120)
            held.append(megabytes_held(server) - before)
    assert max(held) <= 2 * MEGABYTES + ALLOWANCE, held
    assert (calls.lost, {answer.status for answer in calls.answers}) == ([], {200})
