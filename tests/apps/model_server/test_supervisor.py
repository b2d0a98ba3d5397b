"""A worker dies while its parent asks whether it lives: that is heard at once, not when the time for hung ones is over."""

import time

import pytest

from ops_pipelines.testing.callers import calling
from ops_pipelines.testing.load import post
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.serving import serving, wait_until, worker_processes, workers_answering

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
ASKED_EACH_SECONDS = 0.5
BEFORE_IT_COUNTS_AS_HUNG = 27.0
"""Of the 30 seconds that a worker may leave its parent without an answer: a parent that hears of the death needs one."""


def has_replaced(server, killed):
    pids = {worker.pid for worker in worker_processes(server)}
    return len(pids) == 2 and killed.pid not in pids


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_while_its_parent_asks_it_is_replaced_soon(tmp_path):
    home = ServedHome.at(tmp_path)
    home.make_live(home.publish_linear(0.0))
    with serving(tmp_path, workers=2) as server, calling(server.port, [REQUEST], callers=4) as calls:
        asked = worker_processes(server)[0]
        asked.suspend()  # it answers its parent as little as its callers, who are by now waiting for it
        time.sleep(3 * ASKED_EACH_SECONDS)
        asked.kill()
        wait_until(lambda: has_replaced(server, asked), seconds=BEFORE_IT_COUNTS_AS_HUNG)
        wait_until(lambda: workers_answering(server.port) == 2)
    assert len(calls.lost) <= 4
