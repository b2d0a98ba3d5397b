"""Servers on loopback for as long as they are needed: started, waited for, weighed by their CPU-seconds, ended."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

START_SECONDS = 90.0
_ROOT = Path(__file__).parents[2]


class ServerError(Exception):
    """A server that did not start, or went away under way; the message ends with its last words."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its port, and the process that was started, whose children belong to it."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """What it and its living children took until now, in all threads."""
        import psutil

        first = psutil.Process(self.pid)
        times = [process.cpu_times() for process in (first, *first.children(recursive=True))]
        return sum(each.user + each.system for each in times)


@contextmanager
def running(words: Sequence[str], port: int, ready: str, **environment: str) -> Iterator[Server]:
    """A server while it is needed, from its first 200 at `ready` on; ServerError with its last words where it dies.

    It leads a session of its own, so that whatever it started is ended with it.
    """
    with tempfile.TemporaryFile() as said:
        settings = {**os.environ, **_paths(), **environment}
        child = subprocess.Popen(
            words, cwd=_ROOT, env=settings, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        try:
            if not _answers(child, port, ready):
                said.seek(0)
                raise ServerError(
                    f"{' '.join(words[:4])} did not start: {said.read()[-2000:].decode(errors='replace')}"
                )
            yield Server(port, child.pid)
        finally:
            _end(child)


def free_port() -> int:
    """A port of this machine that nothing listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def ask(port: int, path: str) -> tuple[int, bytes]:
    """The status and the body of one GET; 0 where nobody answers."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, HTTPException):
        return 0, b""
    finally:
        connection.close()


def _paths() -> dict[str, str]:
    """The project before any other, and its environment's commands: MLflow starts `uvicorn` by its name."""
    first = {"PYTHONPATH": str(_ROOT), "PATH": str(Path(sys.executable).parent)}
    return {name: os.pathsep.join(filter(None, (folder, os.environ.get(name)))) for name, folder in first.items()}


def _answers(child: "subprocess.Popen[bytes]", port: int, ready: str) -> bool:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up and child.poll() is None:
        if ask(port, ready)[0] == 200:
            return True
        time.sleep(0.1)
    return False


def _end(child: "subprocess.Popen[bytes]") -> None:
    for kind, seconds in ((signal.SIGTERM, 15), (signal.SIGKILL, 15)):
        try:
            os.killpg(child.pid, kind)
        except ProcessLookupError:
            break
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            continue
