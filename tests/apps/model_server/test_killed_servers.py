"""All processes of `ops serve` are killed under load at random instants: what was acknowledged and lost is little.

The log's own child, with a slow disk too, is killed in tests/apps/test_log_killed.py.
"""

import random
import time
from datetime import UTC, datetime

import pytest

from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.apps.model_server.settings import ACKNOWLEDGED_AT_RISK
from ops_pipelines.core.clock import Window
from ops_pipelines.testing.callers import calling
from ops_pipelines.testing.load import post
from ops_pipelines.testing.served import ROW, SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.serving import kill_all, serving, wait_for_more

DOOR = f"/v2/models/{SYSTEM}/infer"
QUEUED, DURABLE = post(DOOR, infer_body([ROW] * 3)), post(DOOR, infer_body(durable=True))
REQUESTS = [*[QUEUED] * 9, DURABLE]
EVER = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
KILLS, CALLERS = 60, 20


@pytest.fixture
def home(tmp_path):
    home = ServedHome.at(tmp_path)
    home.make_live(home.publish_linear(0.0))
    return tmp_path


def replies_before_a_kill(home, after, *, workers):
    """What was answered."""
    with serving(home, workers=workers) as server, calling(server.port, REQUESTS, callers=CALLERS) as calls:
        wait_for_more(calls, 1)
        time.sleep(after)
        kill_all(server)
    return calls.replies()


def check_losses(home, replies):
    """That few answers were lost, none that was to be durable, and each worker's were taken within one second.

    An answer was taken between its request and its reply, so a machine that stands still meanwhile changes nothing.
    """
    kept = {answer.id for answer in SQLitePredictionLog(home / "log" / "predictions.db").answers(SYSTEM, EVER)}
    lost = [reply for reply in replies for made in reply.ids if made not in kept]
    assert {reply.error for reply in replies if reply.status != 200} == set()
    assert {reply.logged for reply in replies} <= {"queued", "durable"}
    assert [reply for reply in lost if reply.logged == "durable"] == []
    assert len(lost) <= ACKNOWLEDGED_AT_RISK
    for worker in {reply.worker for reply in lost}:
        its = [reply for reply in lost if reply.worker == worker]
        assert max(reply.asked for reply in its) - min(reply.came for reply in its) <= 1.0


def test_a_server_that_is_killed_loses_little_and_nothing_that_was_to_be_durable(home):
    check_losses(home, replies_before_a_kill(home, 0.7, workers=1))


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_workers_killed_sixty_times_lose_little_and_nothing_that_was_to_be_durable(home):
    draw = random.Random(7)
    for _ in range(KILLS):
        check_losses(home, replies_before_a_kill(home, draw.uniform(0.2, 1.2), workers=2))
