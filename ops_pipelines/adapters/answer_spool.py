"""Answers on their way to the prediction log's index: each process appends to a file of its own, which readers take in.

A server's thread that writes rows and indices costs its requests as much as the model does, mostly by changing places
with them. So a commit here is one append of whole frames. What is appended survives the death of the process; `durable`
waits for the disk as well. A frame that a killed process left unfinished is the last of its file, and was never said to
be kept.

A writer holds its file by a lock that dies with it. A file that nobody holds and that was taken in whole is removed.
"""

import contextlib
import fcntl
import os
import struct
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from msgspec import msgpack

from ops_pipelines.core.errors import DataError
from ops_pipelines.mlops.prediction_log import Answer

_HEAD = struct.Struct("<II")
"""The length of a frame's content, and its CRC-32."""
_FULL_BYTES = 8_000_000
"""A file of this size is left to readers, and the next one begun."""
_SUFFIX = ".answers"


@dataclass(frozen=True, slots=True)
class Frames:
    """The answers that a file holds from some byte on, where the last whole frame ends, and whether no more will come."""

    name: str
    answers: tuple[Answer, ...]
    end: int
    is_over: bool


class AnswerSpool:
    """The folder of such files. One value may be used by several threads, and the folder by several processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = Lock()
        self._file: Path | None = None
        self._opened = -1

    def append(self, answers: Sequence[Answer], *, durable: bool) -> None:
        """Append answers as one frame; DataError, and nothing is kept, where they, or the file, cannot be written."""
        content = _content(answers)
        frame = _HEAD.pack(len(content), zlib.crc32(content)) + content
        with self._lock:
            try:
                self._open()
                _write(self._opened, frame)
                if durable:
                    os.fdatasync(self._opened)
            except OSError as error:
                self._close()
                raise DataError(
                    f"The prediction log in {self.folder} cannot be written: {error}",
                    expected="a home that is there, with room on its disk",
                    action="Bring the home back or make room; nothing was kept of these answers",
                    file=str(self.folder),
                ) from error

    def files(self) -> list[str]:
        """The names of the files, those that were begun first before others of the same writer."""
        return sorted(file.name for file in self.folder.glob(f"*{_SUFFIX}"))

    def read(self, name: str, start: int) -> Frames:
        """The whole frames of a file from a byte on; none, and over, for a file that is there no more."""
        file = self.folder / name
        try:
            is_over = _is_let_go(file)  # asked first: what comes in between is then read by the next one
            content = file.read_bytes()[start:]
        except FileNotFoundError:
            return Frames(name, (), start, True)
        answers, end = _whole_frames(content)
        return Frames(name, answers, start + end, is_over)

    def remove(self, name: str) -> None:
        """Removes a file that is over and was taken in."""
        (self.folder / name).unlink(missing_ok=True)

    def _open(self) -> None:
        """Opens this process's file, or the next one where it is full, was moved away or is another process's."""
        if (
            self._file is not None
            and _is_same(self._file, self._opened)
            and os.fstat(self._opened).st_size < _FULL_BYTES
        ):
            return
        self._close()
        for folder in (self.folder.parent, self.folder):  # and no home: one that was moved away would come back empty
            folder.mkdir(exist_ok=True)
        file = self.folder / f"{os.getpid():08d}-{uuid.uuid1().hex}{_SUFFIX}"
        self._opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._opened, fcntl.LOCK_EX)
        self._file = file

    def _close(self) -> None:
        if self._opened >= 0:
            os.close(self._opened)
        self._file, self._opened = None, -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self._close()


def _content(answers: Sequence[Answer]) -> bytes:
    try:
        if all(answer.asked_at.tzinfo and answer.served_at.tzinfo for answer in answers):
            return msgpack.encode(answers)
        wrong = "an instant has no time zone"
    except (TypeError, OverflowError, ValueError) as error:
        wrong = str(error)
    raise DataError(
        f"Answers of {answers[0].system!r} cannot be kept: {wrong}",
        expected="numbers, texts, booleans and None in vectors and keys, and instants with their zone",
        action="Keep other things as texts, and instants among the features in ISO 8601",
    )


def _write(opened: int, frame: bytes) -> None:
    """Appends a frame whole; what a full disk let in of it is taken back, so that the next one can be read."""
    size = os.fstat(opened).st_size
    written = os.write(opened, frame)
    if written != len(frame):
        os.ftruncate(opened, size)
        raise OSError(f"{written} of {len(frame)} bytes could be written")


def _whole_frames(content: bytes) -> tuple[tuple[Answer, ...], int]:
    """The answers of the whole frames at the beginning of some bytes, and where they end."""
    answers: list[Answer] = []
    at = 0
    for body, end in _bodies(content):
        answers += msgpack.decode(body, type=list[Answer])
        at = end
    return tuple(answers), at


def _bodies(content: bytes) -> Iterator[tuple[bytes, int]]:
    at = 0
    while len(content) - at >= _HEAD.size:
        length, check = _HEAD.unpack_from(content, at)
        body = content[at + _HEAD.size : at + _HEAD.size + length]
        if len(body) < length or zlib.crc32(body) != check:
            return
        at += _HEAD.size + length
        yield body, at


def _is_same(file: Path, opened: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(opened))
    except OSError:
        return False


def _is_let_go(file: Path) -> bool:
    """Whether no process holds a file any more."""
    opened = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(opened)
