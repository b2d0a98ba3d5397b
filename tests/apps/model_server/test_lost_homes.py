"""The home of a server is renamed or its control.db deleted under load: answers go on, and nothing is made in their place."""

import shutil
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime

import pytest

from ops_pipelines.adapters.sqlite_predictions import SQLitePredictionLog
from ops_pipelines.core.clock import Window
from ops_pipelines.testing.callers import calling
from ops_pipelines.testing.load import post
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body
from ops_pipelines.testing.serving import (
    calling_workers,
    health,
    serving,
    wait_for_more,
    wait_for_release,
    wait_until,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
EVER = Window(datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def releases(path):
    """Two releases of the home, the first of which is live."""
    home = ServedHome.at(path)
    both = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(both[0])
    return both


def asked_after(calls, followed):
    """The releases that answered what was asked after an instant."""
    return {reply.release for reply in calls.replies() if reply.asked >= followed}


def is_degraded(server):
    return health(server.port)["status"] == "degraded"


def test_a_home_that_is_renamed_stops_no_answer_and_a_move_made_meanwhile_follows(path, releases, tmp_path):
    first, second = releases
    with serving(path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=4) as calls:
        path.rename(tmp_path / "elsewhere")
        wait_until(lambda: calls.last().logged == "no")
        wait_until(lambda: is_degraded(server))
        ServedHome.at(tmp_path / "elsewhere").make_live(second)
        wait_for_more(calls, 1_000)
        assert not path.exists()
        returns = time.monotonic()
        (tmp_path / "elsewhere").rename(path)
        followed = wait_for_release(calls, second.digest)
        wait_until(lambda: calls.last().logged == "queued")
    assert (calls.lost, {answer.status for answer in calls.answers}) == ([], {200})
    assert {reply.release for reply in calls.replies() if reply.came < returns} == {first.digest}
    assert asked_after(calls, followed) <= {second.digest}


def test_what_was_acknowledged_before_a_home_was_renamed_is_in_its_log_after_the_return(path, releases, tmp_path):
    with serving(path) as server, calling(server.port, [REQUEST], callers=4, seconds=240) as calls:
        wait_for_more(calls, 100)
        path.rename(tmp_path / "elsewhere")
        wait_until(lambda: calls.last().logged == "no")
        (tmp_path / "elsewhere").rename(path)
        wait_until(lambda: calls.last().logged == "queued")
    kept = {answer.id for answer in SQLitePredictionLog(path / "log" / "predictions.db").answers(SYSTEM, EVER)}
    said = {made for reply in calls.replies() if reply.logged == "queued" for made in reply.ids}
    assert said - kept == set()


def test_a_control_db_that_is_deleted_is_not_made_anew_and_one_from_a_backup_is_followed(path, releases, tmp_path):
    _, second = releases
    (tmp_path / "backup").mkdir()
    with closing(sqlite3.connect(path / "control.db")) as whole:
        whole.execute("VACUUM INTO ?", (str(tmp_path / "backup" / "control.db"),))
    ServedHome.at(tmp_path / "backup").make_live(second)
    with serving(path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=4) as calls:
        for file in path.glob("control.db*"):
            file.unlink()
        wait_until(lambda: is_degraded(server))
        wait_for_more(calls, 1_000)
        assert list(path.glob("control.db*")) == []
        with closing(sqlite3.connect(tmp_path / "backup" / "control.db")) as whole:
            whole.execute("VACUUM INTO ?", (str(tmp_path / "whole.db"),))
        shutil.move(tmp_path / "whole.db", path / "control.db")
        followed = wait_for_release(calls, second.digest)
        wait_for_more(calls, 100)
    assert (calls.lost, {answer.status for answer in calls.answers}) == ([], {200})
    assert asked_after(calls, followed) == {second.digest}
