"""`ops serve` as people run it, two workers under load: swaps, lost stores, killed workers, and its end.

How soon a swap is done is no matter of a test: `python -m benchmarks serving` holds the worst of twenty against a second.
"""

import os
import shutil
import signal
import sqlite3
import time

import psutil
import pytest

from ops_pipelines.testing.callers import calling, reply_of
from ops_pipelines.testing.load import post, said
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body, score_of_row
from ops_pipelines.testing.servers import ask
from ops_pipelines.testing.serving import (
    calling_workers,
    health,
    is_gone,
    serving,
    wait_for_more,
    wait_for_release,
    wait_until,
    worker_processes,
    workers_answering,
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
CALLERS, FLIPS = 50, 20


@pytest.fixture
def home(tmp_path):
    return ServedHome.at(tmp_path)


def scored(port):
    (answer,) = said(port, [REQUEST])
    return reply_of(answer).scores


def between(replies, asked, came=float("inf")):
    """The releases of what was asked after one instant and answered before another."""
    return {reply.release for reply in replies if asked <= reply.asked and reply.came < came}


def test_twenty_flips_under_load_reach_all_workers_and_mix_and_fail_nothing(home, tmp_path):
    releases, constants = (home.publish_linear(0.0), home.publish_linear(100.0)), (0.0, 100.0)
    for release in releases:
        home.make_live(release)
    settled = []
    with serving(tmp_path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=CALLERS) as calls:
        for flip in range(FLIPS):
            new = releases[flip % 2]
            home.make_live(new)
            since = wait_for_release(calls, new.digest)
            wait_for_more(calls, 10 * CALLERS)
            settled.append((since, time.monotonic(), new.digest))
    replies = calls.replies()
    expected = {
        release.digest: (score_of_row(constant),) for release, constant in zip(releases, constants, strict=True)
    }
    assert calls.lost == []
    assert [reply for reply in replies if reply.status != 200] == []
    assert [reply for reply in replies if not reply.is_whole or reply.scores != expected[reply.release]] == []
    assert [between(replies, since, until) for since, until, _ in settled] == [{digest} for _, _, digest in settled]


def test_while_a_model_of_500_mb_is_loaded_the_old_one_answers_and_neither_is_read_again_for_a_swap(home, tmp_path):
    old, heavy = home.publish_linear(0.0), home.publish_heavy(100.0, megabytes=500)
    home.make_live(old)
    with (
        serving(tmp_path, workers=2) as server,
        calling_workers(server.port, [REQUEST], callers=4, seconds=500) as calls,
    ):
        home.make_live(heavy)
        wait_for_release(calls, heavy.digest, seconds=180)
        move_aside(tmp_path, "objects")
        home.make_live(old)
        back = wait_for_release(calls, old.digest)
        wait_for_more(calls, 100)
        until = time.monotonic()
        home.make_live(heavy)
        again = wait_for_release(calls, heavy.digest)
        wait_for_more(calls, 100)
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert all(reply.is_whole for reply in replies)
    assert (between(replies, back, until), between(replies, again)) == ({old.digest}, {heavy.digest})


def move_aside(tmp_path, *names):
    (tmp_path / "aside").mkdir(exist_ok=True)
    for name in names:
        if (tmp_path / name).exists():
            shutil.move(tmp_path / name, tmp_path / "aside" / name)


def put_back(tmp_path):
    for kept in sorted((tmp_path / "aside").iterdir(), reverse=True):  # control.db last, its log before it
        shutil.move(kept, tmp_path / kept.name)


CONTROL = ("control.db", "control.db-wal", "control.db-shm")


def test_without_control_db_answers_go_on_and_a_move_made_meanwhile_follows_at_its_return(home, tmp_path):
    first, second = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(first)
    with serving(tmp_path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=4) as calls:
        move_aside(tmp_path, *CONTROL)
        wait_until(lambda: "cannot be read" in health(server.port)["release_store"])
        elsewhere = ServedHome.at(tmp_path / "aside")
        elsewhere.make_live(second)
        wait_for_more(calls, 1_000)
        assert not (tmp_path / "control.db").exists()
        returns = time.monotonic()
        put_back(tmp_path)
        followed = wait_for_release(calls, second.digest)
        wait_until(lambda: health(server.port)["status"] == "ok")
        wait_for_more(calls, 100)
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert {reply.release for reply in replies if reply.came < returns} == {first.digest}
    assert between(replies, followed) == {second.digest}


def test_while_control_db_is_locked_answers_go_on_and_the_swap_follows_when_it_is_free(home, tmp_path):
    first, second = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(first)
    with serving(tmp_path, workers=1) as server, calling(server.port, [REQUEST], callers=4, seconds=240) as calls:
        home.make_live(second)
        wait_for_release(calls, second.digest, workers=1)
        move_aside(tmp_path, "control.db")
        wait_until(lambda: health(server.port)["status"] == "degraded")
        locker = sqlite3.connect(tmp_path / "aside" / "control.db", isolation_level=None)
        locker.execute("PRAGMA locking_mode = EXCLUSIVE")
        locker.execute("BEGIN EXCLUSIVE")
        put_back(tmp_path)
        wait_until(lambda: "locked" in health(server.port)["release_store"])
        locker.execute("COMMIT")
        locker.close()
        wait_until(lambda: health(server.port)["status"] == "ok")
        home.make_live(first)
        wait_for_release(calls, first.digest, workers=1)
    assert (calls.lost, {answer.status for answer in calls.answers}) == ([], {200})


@pytest.mark.parametrize("content", [b"", b"no database" * 4096], ids=["empty", "garbage"])
def test_garbage_in_the_place_of_control_db_is_left_as_it_is_and_told(home, tmp_path, content):
    first = home.publish_linear(0.0)
    home.make_live(first)
    with serving(tmp_path, workers=1) as server:
        move_aside(tmp_path, *CONTROL)
        (tmp_path / "control.db").write_bytes(content)
        wait_until(lambda: health(server.port)["status"] == "degraded")
        time.sleep(0.5)  # some more looks, none of which may write
        assert (scored(server.port), (tmp_path / "control.db").read_bytes()) == ((score_of_row(0.0),), content)
        (tmp_path / "control.db").unlink()
        put_back(tmp_path)
        wait_until(lambda: health(server.port)["status"] == "ok")


def test_without_objects_the_live_release_answers_and_the_next_one_follows_at_their_return(home, tmp_path):
    first, second = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(first)
    with serving(tmp_path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=4) as calls:
        move_aside(tmp_path, "objects")
        home.make_live(second)
        wait_until(lambda: any("is not in" in problem for problem in health(server.port)["problems"]))
        move_aside(tmp_path, *CONTROL)
        wait_for_more(calls, 1_000)
        assert not (tmp_path / "control.db").exists()
        returns = time.monotonic()
        put_back(tmp_path)
        followed = wait_for_release(calls, second.digest)
        wait_for_more(calls, 100)
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert {reply.release for reply in replies if reply.came < returns} == {first.digest}
    assert between(replies, followed) == {second.digest}


def answering_since(calls, asked):
    """The workers that have answered what was asked after an instant."""
    return {reply.worker for reply in calls.replies() if reply.asked > asked}


def test_where_a_worker_is_killed_the_others_go_on_and_a_new_one_comes(home, tmp_path):
    home.make_live(home.publish_linear(0.0))
    with serving(tmp_path, workers=2) as server, calling_workers(server.port, [REQUEST], callers=20) as calls:
        before = {reply.worker for reply in calls.replies()}
        kills = time.monotonic()
        killed = worker_processes(server)[0]
        killed.kill()
        wait_until(lambda: is_gone(killed))
        gone = time.monotonic()
        wait_until(lambda: bool(before & answering_since(calls, gone)))
        wait_until(lambda: len(worker_processes(server)) == 2 and workers_answering(server.port) == 2)
        replaced = time.monotonic()
        wait_until(lambda: bool(before & answering_since(calls, replaced)))
    assert len(calls.lost) <= 20
    assert all(at >= kills for at in calls.lost)
    assert {answer.status for answer in calls.answers} == {200}
    assert len(before & answering_since(calls, gone)) == 1


def test_workers_whose_parent_was_killed_end_and_leave_their_port(home, tmp_path):
    home.make_live(home.publish_linear(0.0))
    with serving(tmp_path, workers=2) as server:
        workers = worker_processes(server)
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: all(is_gone(worker) for worker in workers))
        assert ask(server.port, "/v2/health/live")[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_ended_answers_what_it_has_accepted_and_leaves_nothing_behind(home, tmp_path, workers):
    home.make_live(home.publish_linear(0.0))
    (tmp_path / "tmp").mkdir()
    os.environ["TMPDIR"], before = str(tmp_path / "tmp"), os.environ.get("TMPDIR")
    try:
        with (
            serving(tmp_path, workers=workers) as server,
            calling_workers(server.port, [REQUEST], workers=workers, callers=20) as calls,
        ):
            processes = [psutil.Process(server.pid), *worker_processes(server)]
            ends = time.monotonic()
            os.kill(server.pid, signal.SIGTERM)
            wait_until(lambda: all(is_gone(process) for process in processes))
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
    assert {answer.status for answer in calls.answers} == {200}
    assert all(at >= ends for at in calls.lost)
    assert list((tmp_path / "tmp").glob("ops-serve-*")) == []
