"""Answers on their way to the prediction log's index: each process appends to a file of its own, which readers take in.

A server's thread that writes rows and indices costs its requests as much as the model does, mostly by changing places
with them. So a commit here is one append of one frame. What is appended survives the death of the process; `durable`
waits for the disk as well. A frame that a killed process left unfinished is the last of its file, and was never said to
be kept.

A writer holds its file by a lock that dies with it, and shows it to readers only when it holds it. A file that nobody
holds and that was taken in whole is removed; one that holds anything else is set aside for people to look at.
"""

import contextlib
import fcntl
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from ops_pipelines.adapters.answer_frames import Frames, frame_of, frames_in
from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.prediction_log import Answer

_FULL_BYTES = 8_000_000
"""A file of this size is left to readers, and the next one begun."""
_SUFFIX, _DAMAGED = ".answers", ".damaged"


@dataclass(frozen=True, slots=True)
class Spooled:
    """What a file holds from some byte on, and whether no more will come to it."""

    name: str
    frames: Frames
    is_over: bool


class AnswerSpool:
    """The folder of such files. One value may be used by several threads, and the folder by several processes.

    `full_bytes` is the size at which a file is left to readers. DataError where the folder cannot be used.
    """

    def __init__(self, folder: Path, *, full_bytes: int = _FULL_BYTES) -> None:
        self.folder, self._full_bytes = folder, full_bytes
        self._lock = Lock()
        self._file, self._opened, self._owner = folder, -1, 0

    def append(self, answers: Sequence[Answer], *, durable: bool) -> None:
        """Append answers as one frame, or nothing; SchemaMismatch for what could not be read back."""
        frame = frame_of(answers)
        with self._lock, self._complaints():
            try:
                self._open()
                _append(self._opened, frame, durable=durable)
            except OSError:
                self._close()
                raise

    def files(self) -> list[str]:
        """The names of the files, those that were begun first before the others."""
        return sorted(file.name for file in self.folder.glob(f"[!.]*{_SUFFIX}"))

    def read(self, name: str, start: int) -> Spooled:
        """The frames of a file from a byte on; none, and over, for a file that is there no more."""
        file = self.folder / name
        with self._complaints():
            try:
                is_over = _is_let_go(file)  # asked first: what comes in between is then read by the next one
                with file.open("rb") as opened:
                    opened.seek(start)
                    return Spooled(name, frames_in(opened.read(), start, is_over=is_over), is_over)
            except FileNotFoundError:
                return Spooled(name, Frames((), start), is_over=True)

    def let_go(self, spooled: Spooled) -> None:
        """Removes a file that is over and was taken in, or sets it aside where not all of it is whole."""
        file = self.folder / spooled.name
        with self._complaints(), contextlib.suppress(FileNotFoundError):  # another reader may have been first
            if spooled.frames.is_damaged:
                file.rename(file.with_suffix(_DAMAGED))
            else:
                file.unlink()

    def _open(self) -> None:
        """Opens this process's file, or the next one where it is full, was moved away or is another process's."""
        if self._owner == os.getpid() and _is_same(self._file, self._opened) and _size(self._opened) < self._full_bytes:
            return
        self._close()
        for folder in (self.folder.parent, self.folder):  # and no home: one that was moved away would come back empty
            folder.mkdir(exist_ok=True)
        # By their names files sort as they were begun, for which one clock of the machine is exact enough.
        self._file = self.folder / f"{time.time_ns():020d}-{os.getpid()}-{uuid.uuid4().hex}{_SUFFIX}"
        self._opened, self._owner = _new_file(self._file), os.getpid()

    def _close(self) -> None:
        if self._opened >= 0:
            os.close(self._opened)
        self._opened = -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self._close()

    @contextmanager
    def _complaints(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DataError(
                f"The prediction log in {self.folder} cannot be used: {error}",
                expected="a home that is there, with room on its disk",
                action="Bring the home back or make room; nothing was kept of these answers",
                file=str(self.folder),
            ) from error


def set_aside(home: Path) -> list[Path]:
    """The files under a home that were not whole, those that were begun first before the others."""
    return sorted(home.glob(f"*/spool/*{_DAMAGED}"))


def _new_file(file: Path) -> int:
    """A file that its writer holds before any reader can see it, since one that nobody holds is taken for left behind."""
    aside = file.with_name(f".{file.name}.aside")
    opened = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        aside.rename(file)
        for folder in (
            file.parent,
            file.parent.parent,
        ):  # a durable answer needs its file to be there after a power cut
            _sync_folder(folder)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _append(opened: int, frame: bytes, *, durable: bool) -> None:
    """Appends a frame whole; what a full or failing disk let in of it is taken back, so that it is not read as kept."""
    size = _size(opened)
    try:
        written = os.write(opened, frame)
        if written != len(frame):
            raise OSError(f"{written} of {len(frame)} bytes could be written")
        if durable:
            os.fdatasync(opened)
    except OSError:
        os.ftruncate(opened, size)
        raise


def _sync_folder(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _size(opened: int) -> int:
    return os.fstat(opened).st_size


def _is_same(file: Path, opened: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(opened))
    except OSError:
        return False


def _is_let_go(file: Path) -> bool:
    """Whether no process holds a file any more; other readers, who ask the same, are not in the way."""
    opened = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(opened)
