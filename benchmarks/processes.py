"""A function run in a process of its own, so that its time and its memory are its own."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


class PeerError(Exception):
    """A measured process ended with an error; the message is the end of what it said."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took from start to end, imports included: CPU-seconds of it and its children, peak memory in MB."""

    answer: Any
    cpu_seconds: float
    peak_mb: float


def measured(function: str, *arguments: Any, home: Path | None = None) -> Spent:
    """The answer of `module:function` (JSON in, JSON out) run by a new Python, with what that took.

    PeerError where it fails. `home` becomes its working directory.
    """
    with tempfile.TemporaryFile() as said, tempfile.NamedTemporaryFile() as answer:
        words = [sys.executable, "-m", "benchmarks.processes", answer.name, function, json.dumps(arguments)]
        root = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        child = subprocess.Popen(words, stdout=said, stderr=said, cwd=home, env={**os.environ, "PYTHONPATH": path})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise PeerError(f"{function} failed: {said.read()[-2000:].decode(errors='replace')}")
        return Spent(json.load(answer), usage.ru_utime + usage.ru_stime, _megabytes(usage.ru_maxrss))


def timed(work: Callable[[], Any]) -> float:
    """The wall-clock seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cpu_timed(work: Callable[[], Any]) -> float:
    """The CPU-seconds of one call, in all threads of this process."""
    began = time.process_time()
    work()
    return time.process_time() - began


def resident_mb() -> float:
    """The memory that this process holds now, in MB; PeerError where the system does not tell."""
    return _status("VmRSS")


def peak_mb() -> float:
    """The most memory that this process held since `forget_peak`, in MB; PeerError where the system does not tell."""
    return _status("VmHWM")


def forget_peak() -> None:
    """From here on the peak is counted anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        raise PeerError(f"this system cannot reset a process's peak memory: {error}") from error


def _status(field: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError as error:
        raise PeerError(f"this system does not tell a process's memory: {error}") from error
    return next(int(line.split()[1]) / 2**10 for line in lines if line.startswith(f"{field}:"))


def _megabytes(maximum: int) -> float:
    """Linux counts ru_maxrss in KiB, macOS in bytes."""
    return maximum / (2**20 if sys.platform == "darwin" else 2**10)


def _answer(file: str, function: str, arguments: str) -> None:
    module, _, name = function.partition(":")
    with redirect_stdout(sys.stderr):
        result = getattr(import_module(module), name)(*json.loads(arguments))
    Path(file).write_text(json.dumps(result))


if __name__ == "__main__":
    _answer(*sys.argv[1:])
