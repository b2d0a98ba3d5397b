"""`ops serve` under load is told to end: nobody who has a connection is cut off, and what was acknowledged is kept."""

import asyncio
import os
import signal
import socket
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial

import pytest

from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.core.clock import Window
from ops_pipelines.testing.callers import reply_of
from ops_pipelines.testing.load import ConnectionEnded, post, send
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.servers import ServerError
from ops_pipelines.testing.serving import serving, wait_until

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
EVER = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@pytest.fixture
def home(tmp_path):
    home = ServedHome.at(tmp_path)
    home.make_live(home.publish_linear(0.0))
    return tmp_path


def _has_more(turns):
    return next(turns, None) is not None


class Until:
    """Callers that ask until nobody listens any more; `cut` holds when each connection that was cut was asked for."""

    def __init__(self, port, *, keeps_connection):
        self.answers, self.cut = [], []
        self._port, self._most = port, 10**9 if keeps_connection else 1

    def run(self, callers):
        async def all_of_them():
            await asyncio.gather(*(self._one() for _ in range(callers)))

        asyncio.run(all_of_them())

    async def _one(self):
        while True:
            began, turns = time.monotonic(), iter(range(self._most))
            goes_on = partial(_has_more, turns)
            try:
                await send(self._port, [REQUEST], self.answers.append, clients=1, goes_on=goes_on)
            except ConnectionEnded:
                continue
            except ServerError:
                self.cut.append(began)
            except OSError:
                return


@contextmanager
def callers_until_the_end(port, *, keeps_connection, callers=30):
    until = Until(port, keeps_connection=keeps_connection)
    thread = threading.Thread(target=until.run, args=(callers,), daemon=True)
    thread.start()
    yield until
    thread.join(60)
    assert not thread.is_alive()


def ids_kept(home):
    return {answer.id for answer in SQLitePredictionLog(home / "log" / "predictions.db").answers(SYSTEM, EVER)}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("keeps_connection", [True, False], ids=["one connection", "a connection for each request"])
def test_everybody_with_a_connection_is_answered_and_every_answer_is_in_the_log(home, workers, keeps_connection):
    with (
        serving(home, workers=workers) as server,
        callers_until_the_end(server.port, keeps_connection=keeps_connection) as calls,
    ):
        wait_until(lambda: len(calls.answers) > 200)
        ended = time.monotonic()
        os.kill(server.pid, signal.SIGTERM)
    replies = [reply_of(answer) for answer in calls.answers]
    assert [began for began in calls.cut if began < ended] == []
    assert {(reply.status, reply.logged) for reply in replies} == {(200, "queued")}
    assert {made for reply in replies for made in reply.ids} == ids_kept(home)


def test_a_request_whose_body_is_under_way_at_the_end_is_answered(home):
    with serving(home) as server, socket.create_connection(("127.0.0.1", server.port), timeout=60) as caller:
        caller.sendall(REQUEST[:-20])
        time.sleep(0.2)
        os.kill(server.pid, signal.SIGTERM)
        time.sleep(0.8)
        caller.sendall(REQUEST[-20:])
        assert caller.recv(65536).startswith(b"HTTP/1.1 200")
