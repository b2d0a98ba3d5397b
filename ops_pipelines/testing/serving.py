"""`ops serve` on a home, as people run it, for as long as a test needs it: its workers, what they say, and how it ends.

home = ServedHome.at(tmp_path)
home.make_live(home.publish_linear(0.0))
with serving(tmp_path, workers=2) as server:
assert health(server.port)["status"] == "ok"
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import json

from ops_pipelines.testing.callers import Calls, Reply, calling, reply_of
from ops_pipelines.testing.servers import Server, ServerError, ask, free_port, running

if TYPE_CHECKING:
    import psutil

_COMMAND = "from ops_pipelines.cli import main; main()"
PATIENCE_SECONDS = 60.0
"""For how long a test waits for what a machine that is not busy does at once."""
_LATELY = 300


def serve_words(*options: str) -> list[str]:
    """The command line of `ops serve` with some options, without the script that an installation would make."""
    return [sys.executable, "-c", _COMMAND, "serve", *options]


@contextmanager
def serving(home: Path, *options: str, workers: int = 1, port: int = 0) -> Iterator[Server]:
    """The server of all that is live in a home, once every worker answers; no features are looked up.

    A free port is taken where none is asked for.
    """
    port = port or free_port()
    words = serve_words("--no-features", "--port", str(port), "--workers", str(workers), *options)
    with running(words, port, "/v2/health/ready", OPS_HOME=str(home)) as server:
        wait_until(lambda: workers_answering(port) == workers, seconds=PATIENCE_SECONDS)
        yield server


@contextmanager
def calling_workers(
    port: int, requests: Sequence[bytes], *, workers: int = 2, callers: int = 50, seconds: float = 240.0
) -> Iterator[Calls]:
    """Callers some of whose connections each worker has: the system may give all of them to one, and they try again."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < give_up:
        with calling(port, requests, callers=callers, seconds=seconds) as calls:
            wait_for_more(calls, 10 * callers)
            if len({reply.worker for reply in calls.replies()}) == workers:
                yield calls
                return
    raise ServerError(f"of {workers} workers some took no connection, as often as it was tried")


def wait_for_more(calls: Calls, answers: int) -> None:
    """Waits until so many more answers have come."""
    before = len(calls.answers)
    wait_until(lambda: len(calls.answers) >= before + answers)


def wait_for_release(calls: Calls, digest: str, *, workers: int = 2, seconds: float = PATIENCE_SECONDS) -> float:
    """Waits until the newest answer of each worker is by a release; the monotonic instant at which that was seen.

    What is asked after that instant, and before the pointer moves again, is answered by that release and no other.
    """
    wait_until(lambda: [reply.release for reply in _newest(calls)] == [digest] * workers, seconds=seconds)
    return time.monotonic()


def _newest(calls: Calls) -> list[Reply]:
    """The last answer of each worker that has answered lately."""
    lately = map(reply_of, calls.answers[-_LATELY:])
    return list({reply.worker: reply for reply in lately}.values())


def wait_until(holds: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> float:
    """Waits until something holds, and how many seconds that took; ServerError where it does not in time."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise ServerError(f"what was waited for did not come true within {seconds:g} s")
        time.sleep(0.01)
    return time.monotonic() - began


def health(port: int) -> Any:
    """What one worker of a server says of itself, once it does."""
    told: list[bytes] = []

    def has_told() -> bool:
        status, body = ask(port, "/health")
        told.append(body)
        return status == 200

    wait_until(has_told)
    return json.decode(told[-1])


def workers_answering(port: int) -> int:
    """How many workers have a live release, by the numbers that they share; for a home of one system."""
    lines = ask(port, "/metrics")[1].decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("ops_live_release{")))


def worker_processes(server: Server) -> "list[psutil.Process]":
    """The processes that answer: the children of a server, or the one itself where it has none."""
    import psutil

    own = psutil.Process(server.pid)
    return [child for child in own.children() if _is_worker(child)] or [own]


def _is_worker(child: "psutil.Process") -> bool:
    import psutil

    try:
        return not is_gone(child) and "spawn_main" in " ".join(child.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):  # it ended meanwhile
        return False


def is_gone(process: "psutil.Process") -> bool:
    """Whether a process has ended, its parent having taken note of that or not."""
    import psutil

    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def kill_all(server: Server) -> float:
    """Kills every process of a server at once, as a machine that runs out of memory may; the monotonic instant."""
    os.killpg(server.pid, signal.SIGKILL)
    return time.monotonic()
