"""`ops serve` as people run it, two workers under load: swaps, lost stores, killed workers, and its end."""

import os
import shutil
import signal
import sqlite3
import time
from contextlib import contextmanager

import psutil
import pytest

from ops_pipelines.testing.callers import calling, reply_of
from ops_pipelines.testing.load import post, said
from ops_pipelines.testing.served import SYSTEM, ServedHome, infer_body, score_of_row
from ops_pipelines.testing.servers import ask
from ops_pipelines.testing.serving import health, is_gone, serving, wait_until, worker_processes, workers_answering

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

REQUEST = post(f"/v2/models/{SYSTEM}/infer", infer_body(keys=["t1"]))
CALLERS, FLIPS, LIMIT_SECONDS = 50, 20, 1.0


@pytest.fixture
def home(tmp_path):
    return ServedHome.at(tmp_path)


def scored(port):
    (answer,) = said(port, [REQUEST])
    return reply_of(answer).scores


def answered_by(calls, release):
    last = calls.last()
    return last is not None and last.release == release.digest


def lasted(replies, moved, until, release):
    """The seconds from just before a move until the last answer of another release that came before `until`."""
    others = [reply.came for reply in replies if moved <= reply.came < until and reply.release != release.digest]
    return max(others, default=moved) - moved


@contextmanager
def calling_both_workers(port):
    """Fifty callers whose connections both workers have: the system may give all of them to one."""
    for _ in range(10):
        with calling(port, [REQUEST], callers=CALLERS, seconds=120) as calls:
            time.sleep(0.5)
            if len({reply.worker for reply in calls.replies()}) == 2:
                yield calls
                return
    raise AssertionError("one worker took all connections, ten times")


def test_twenty_flips_under_load_reach_all_workers_within_a_second_and_mix_and_fail_nothing(home, tmp_path):
    releases, constants = (home.publish_linear(0.0), home.publish_linear(100.0)), (0.0, 100.0)
    for release in releases:
        home.make_live(release)
    moved = []
    with serving(tmp_path, workers=2) as server, calling_both_workers(server.port) as calls:
        for flip in range(FLIPS):
            time.sleep(1.5 * LIMIT_SECONDS)
            moved.append((time.monotonic(), releases[flip % 2]))
            home.make_live(releases[flip % 2])
        time.sleep(LIMIT_SECONDS)
    replies, ends = calls.replies(), [at for at, _ in moved[1:]] + [moved[-1][0] + LIMIT_SECONDS]
    expected = {
        release.digest: (score_of_row(constant),) for release, constant in zip(releases, constants, strict=True)
    }
    assert calls.lost == []
    assert [reply for reply in replies if reply.status != 200] == []
    assert [reply for reply in replies if not reply.is_whole or reply.scores != expected[reply.release]] == []
    assert max(lasted(replies, at, end, new) for (at, new), end in zip(moved, ends, strict=True)) < LIMIT_SECONDS
    for (_, new), end in zip(moved, ends, strict=True):
        answered = {reply.worker for reply in replies if end - 0.5 < reply.came < end and reply.release == new.digest}
        assert len(answered) == 2


def test_while_a_model_of_500_mb_is_loaded_the_old_one_answers_and_its_swap_takes_no_longer(home, tmp_path):
    old = home.publish_linear(0.0)
    home.make_live(old)
    with serving(tmp_path, workers=2) as server, calling(server.port, [REQUEST], callers=4, seconds=120) as calls:
        heavy = home.publish_heavy(100.0, megabytes=500)
        home.make_live(heavy)
        wait_until(lambda: answered_by(calls, heavy), seconds=90)
        time.sleep(5)  # the slower worker's load
        back = time.monotonic()
        home.make_live(old)
        time.sleep(1.5 * LIMIT_SECONDS)
        again = time.monotonic()
        home.make_live(heavy)
        time.sleep(1.5 * LIMIT_SECONDS)
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert all(reply.is_whole for reply in replies)
    assert lasted(replies, back, again, old) < LIMIT_SECONDS
    assert lasted(replies, again, again + 1.5 * LIMIT_SECONDS, heavy) < LIMIT_SECONDS


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
    with serving(tmp_path, workers=2) as server, calling(server.port, [REQUEST], callers=4, seconds=120) as calls:
        move_aside(tmp_path, *CONTROL)
        wait_until(lambda: "cannot be read" in health(server.port)["release_store"], seconds=5)
        elsewhere = ServedHome.at(tmp_path / "aside")
        elsewhere.make_live(second)
        time.sleep(1)
        assert not (tmp_path / "control.db").exists()
        put_back(tmp_path)
        returned = time.monotonic()
        time.sleep(1.5 * LIMIT_SECONDS)
        ended = time.monotonic()
        assert health(server.port)["status"] == "ok"
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert {reply.release for reply in replies if reply.came < returned} == {first.digest}
    assert lasted(replies, returned, ended, second) < LIMIT_SECONDS
    assert replies[-1].release == second.digest


def test_while_control_db_is_locked_answers_go_on_and_the_swap_follows_when_it_is_free(home, tmp_path):
    first, second = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(first)
    with serving(tmp_path, workers=1) as server, calling(server.port, [REQUEST], callers=4, seconds=120) as calls:
        home.make_live(second)
        wait_until(lambda: answered_by(calls, second), seconds=5)
        move_aside(tmp_path, "control.db")
        wait_until(lambda: health(server.port)["status"] == "degraded", seconds=5)
        locker = sqlite3.connect(tmp_path / "aside" / "control.db", isolation_level=None)
        locker.execute("PRAGMA locking_mode = EXCLUSIVE")
        locker.execute("BEGIN EXCLUSIVE")
        put_back(tmp_path)
        time.sleep(0.5)
        assert "locked" in health(server.port)["release_store"]
        locker.execute("COMMIT")
        locker.close()
        wait_until(lambda: health(server.port)["status"] == "ok", seconds=LIMIT_SECONDS)
        home.make_live(first)
        wait_until(lambda: answered_by(calls, first), seconds=LIMIT_SECONDS)
    assert (calls.lost, {answer.status for answer in calls.answers}) == ([], {200})


@pytest.mark.parametrize("content", [b"", b"no database" * 4096], ids=["empty", "garbage"])
def test_garbage_in_the_place_of_control_db_is_left_as_it_is_and_told(home, tmp_path, content):
    first = home.publish_linear(0.0)
    home.make_live(first)
    with serving(tmp_path, workers=1) as server:
        move_aside(tmp_path, *CONTROL)
        (tmp_path / "control.db").write_bytes(content)
        wait_until(lambda: health(server.port)["status"] == "degraded", seconds=5)
        time.sleep(0.5)
        assert (scored(server.port), (tmp_path / "control.db").read_bytes()) == ((score_of_row(0.0),), content)
        (tmp_path / "control.db").unlink()
        put_back(tmp_path)
        wait_until(lambda: health(server.port)["status"] == "ok", seconds=LIMIT_SECONDS)


def test_without_objects_the_live_release_answers_and_the_next_one_follows_at_their_return(home, tmp_path):
    first, second = home.publish_linear(0.0), home.publish_linear(100.0)
    home.make_live(first)
    with serving(tmp_path, workers=2) as server, calling(server.port, [REQUEST], callers=4, seconds=120) as calls:
        move_aside(tmp_path, "objects")
        home.make_live(second)
        wait_until(lambda: any("is not in" in problem for problem in health(server.port)["problems"]), seconds=5)
        move_aside(tmp_path, *CONTROL)
        time.sleep(1)
        assert not (tmp_path / "control.db").exists()
        put_back(tmp_path)
        returned = time.monotonic()
        time.sleep(1.5 * LIMIT_SECONDS)
        ended = time.monotonic()
    replies = calls.replies()
    assert (calls.lost, [reply for reply in replies if reply.status != 200]) == ([], [])
    assert lasted(replies, returned, ended, second) < LIMIT_SECONDS
    assert replies[-1].release == second.digest


def test_where_a_worker_is_killed_the_others_go_on_and_a_new_one_comes(home, tmp_path):
    home.make_live(home.publish_linear(0.0))
    with serving(tmp_path, workers=2) as server, calling(server.port, [REQUEST], callers=20, seconds=120) as calls:
        time.sleep(0.5)
        killed = worker_processes(server)[0]
        killed.kill()
        died = time.monotonic()
        wait_until(lambda: killed.pid not in {one.pid for one in worker_processes(server)}, seconds=10)
        wait_until(lambda: len(worker_processes(server)) == 2 and workers_answering(server.port) == 2, seconds=60)
        time.sleep(0.5)
    assert len(calls.lost) <= 20
    assert all(died - 0.1 <= at <= died + 1 for at in calls.lost)
    replies = calls.replies()
    assert {reply.status for reply in replies} == {200}
    assert {reply.worker for reply in replies if died + 0.2 < reply.came < died + 0.5}


def test_workers_whose_parent_was_killed_end_and_leave_their_port(home, tmp_path):
    home.make_live(home.publish_linear(0.0))
    with serving(tmp_path, workers=2) as server:
        workers = worker_processes(server)
        os.kill(server.pid, signal.SIGKILL)
        wait_until(lambda: all(is_gone(worker) for worker in workers), seconds=10)
        assert ask(server.port, "/v2/health/live")[0] == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_is_ended_answers_what_it_has_accepted_and_leaves_nothing_behind(home, tmp_path, workers):
    home.make_live(home.publish_linear(0.0))
    (tmp_path / "tmp").mkdir()
    os.environ["TMPDIR"], before = str(tmp_path / "tmp"), os.environ.get("TMPDIR")
    try:
        with (
            serving(tmp_path, workers=workers) as server,
            calling(server.port, [REQUEST], callers=20, seconds=60) as calls,
        ):
            processes = [psutil.Process(server.pid), *worker_processes(server)]
            time.sleep(0.5)
            os.kill(server.pid, signal.SIGTERM)
            ended = time.monotonic()
            wait_until(lambda: all(is_gone(process) for process in processes), seconds=20)
    finally:
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
    assert {answer.status for answer in calls.answers} == {200}
    assert all(at >= ended for at in calls.lost)
    assert list((tmp_path / "tmp").glob("ops-serve-*")) == []
