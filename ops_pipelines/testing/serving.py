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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import json

from ops_pipelines.testing.servers import Server, ServerError, ask, free_port, running

if TYPE_CHECKING:
    import psutil

_COMMAND = "from ops_pipelines.cli import main; main()"
_WORKERS_SECONDS = 60.0


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
        wait_until(lambda: workers_answering(port) == workers, seconds=_WORKERS_SECONDS)
        yield server


def wait_until(holds: Callable[[], bool], *, seconds: float) -> float:
    """Waits until something holds, and how many seconds that took; ServerError where it does not in time."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise ServerError(f"what was waited for did not come true within {seconds:g} s")
        time.sleep(0.01)
    return time.monotonic() - began


def health(port: int) -> Any:
    """What one worker of a server says of itself."""
    return json.decode(ask(port, "/health")[1])


def workers_answering(port: int) -> int:
    """How many workers have a live release, by the numbers that they share; for a home of one system."""
    lines = ask(port, "/metrics")[1].decode().splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("ops_live_release{")))


def worker_processes(server: Server) -> "list[psutil.Process]":
    """The processes that answer: the children of a server, or the one itself where it has none."""
    import psutil

    own = psutil.Process(server.pid)
    children = [child for child in own.children() if "spawn_main" in " ".join(child.cmdline())]
    return children or [own]


def kill_all(server: Server) -> float:
    """Kills every process of a server at once, as a machine that runs out of memory may; the monotonic instant."""
    os.killpg(server.pid, signal.SIGKILL)
    return time.monotonic()
