"""Who conducts a run now: a lock of the operating system, which a process holds as long as it lives and no longer.

It needs no heartbeat: the death of a process, however it comes, lets go of its runs at once, and no child that it made holds
them on. It counts on one machine, and among threads too; the claim in the run's log counts everywhere.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops_pipelines.core.errors import NotAllowed
from ops_pipelines.core.fingerprint import digest_bytes

_HELD: set[int] = set()
"""The open files of the runs that this process holds, and none of its parent's."""


def _leave_to_parent() -> None:
    for one in _HELD:
        os.close(one)
    _HELD.clear()


os.register_at_fork(after_in_child=_leave_to_parent)


class AlreadyRunning(NotAllowed):
    """A process that is alive conducts the run."""


@contextmanager
def run_held(home: Path, run: str) -> Iterator[None]:
    """Holds a run; AlreadyRunning where a process that is alive, or another thread, has it."""
    file = _file_of(home, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = _taken(file, run)
    _HELD.add(opened)
    try:
        yield
    finally:
        if opened in _HELD:  # in a child it is the parent's
            file.unlink(missing_ok=True)  # before it is let go of, so that whoever comes next makes another
            _HELD.discard(opened)
            os.close(opened)


def is_held(home: Path, run: str) -> bool:
    """Whether a process that is alive, or a thread of this one, has a run now."""
    if not _file_of(home, run).exists():
        return False
    try:
        with run_held(home, run):  # also clears away what a process left that was killed
            return False
    except AlreadyRunning:
        return True


def _file_of(home: Path, run: str) -> Path:
    return home / "running" / digest_bytes(run.encode())[:32]


def _taken(file: Path, run: str) -> int:
    """The open file once it is held, and still the one of that name."""
    while True:
        opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(opened, file):
                return opened
        except BlockingIOError as error:
            os.close(opened)
            raise AlreadyRunning(
                f"The run {run} is running: a process that is alive has it",
                expected="a run that waits, or whose process is gone",
                action="Wait for it, or end its process",
                run=run,
            ) from error
        os.close(opened)


def _is_named(opened: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(file))
    except FileNotFoundError:
        return False
