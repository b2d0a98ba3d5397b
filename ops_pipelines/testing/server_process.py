"""`ops serve` as a process of its own, on loopback, ended with everything that it started.

with serving(home, "trip_delay", workers=2) as server:
    server.get("/v2/health/ready")
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from ops_pipelines.core.errors import OpsError

_START_SECONDS = 90.0
_OPS = "from ops_pipelines.cli import main; main()"


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that runs: where it listens, what it tells, and the events that it has written."""

    url: str
    process: "subprocess.Popen[bytes]"
    told: Path

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the JSON of an answer; 0 and the reason where none came."""
        try:
            with urlopen(self.url + path, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            return error.code, json.loads(error.read())
        except (URLError, OSError) as error:
            return 0, str(error)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of a name that its workers have written so far, oldest first."""
        lines = [line for line in self.told.read_text().splitlines() if line.startswith("{")]
        told = [json.loads(line) for line in lines]
        return [event for event in told if event["event"] == name]

    def workers(self) -> list[int]:
        """The processes that have become ready, those among them that have died since included."""
        return [event["worker"] for event in self.events("worker_ready")]

    def wait_for(self, event: str, *, count: int = 1, seconds: float = _START_SECONDS) -> None:
        """Waits until an event was written so many times; OpsError, with all that was written, where it was not."""
        give_up = time.monotonic() + seconds
        while len(self.events(event)) < count:
            if time.monotonic() > give_up or self.process.poll() is not None:
                raise OpsError(
                    f"The server has told {event!r} {len(self.events(event))} times:\n{self.told.read_text()}",
                    expected=f"{count} times within {seconds:g} s",
                    action="Read what it told",
                )
            time.sleep(0.02)

    def end(self, seconds: float = 20.0) -> int:
        """Asks it to end as a supervisor would, and waits; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


@contextmanager
def serving(home: Path, *systems: str, workers: int = 1, options: tuple[str, ...] = ()) -> Iterator[ServerProcess]:
    """A server of some systems of a home, all of its workers ready; it and its workers are gone after the block."""
    port = free_port()
    words = ["serve", *systems, "--port", str(port), "--workers", str(workers), *options]
    told = home / f"server-{port}.log"
    with told.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", _OPS, *words],
            env={**os.environ, "OPS_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    server = ServerProcess(f"http://127.0.0.1:{port}", process, told)
    try:
        server.wait_for("worker_ready", count=workers)
        yield server
    finally:
        _end_group(process)


def free_port() -> int:
    """A port on loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """Ends the server's own session: the server, and workers that have lost it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
