"""The pointer moves: every worker follows, each of them asked while the others are held still."""

from contextlib import ExitStack, contextmanager

import psutil
import pytest

from ops_pipelines.testing.callers import reply_of
from ops_pipelines.testing.load import post, said
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.serving import serving, wait_until, worker_processes

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
FLIPS = 6


@contextmanager
def held_still(process):
    process.suspend()
    wait_until(lambda: process.status() == psutil.STATUS_STOPPED)
    try:
        yield
    finally:
        process.resume()


def asked_of_each(server):
    """One answer of each worker: which one takes a new connection is else the system's choice."""
    workers, replies = worker_processes(server), []
    for one in workers:
        with ExitStack() as others:
            for other in workers:
                if other is not one:
                    others.enter_context(held_still(other))
            replies += map(reply_of, said(server.port, [REQUEST]))
    return replies


@pytest.mark.long
@pytest.mark.timeout(600)
def test_after_a_move_every_worker_comes_to_answer_by_the_release_that_it_names_and_stays_there(tmp_path):
    home = ServedHome.at(tmp_path)
    releases = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(releases[1])
    with serving(tmp_path, workers=3) as server:
        for flip in range(FLIPS):
            new = releases[flip % 2].digest
            home.make_live(releases[flip % 2])
            wait_until(lambda new=new: {reply.release for reply in asked_of_each(server)} == {new})
            replies = asked_of_each(server)
            assert len({reply.worker for reply in replies}) == 3
            assert {reply.release for reply in replies} == {new}
