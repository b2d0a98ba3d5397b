"""The form in which answers lie in a spool: a length, a checksum, and the answers of one commit in MessagePack.

The checksum is over the length too, so that the zeros with which a power cut may leave a file longer than what was
written are no frame.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec import DecodeError, MsgspecError, msgpack

from ops_pipelines.core.errors import DataError, SchemaMismatch
from ops_pipelines.mlops.prediction_log import Answer

_HEAD = struct.Struct("<II")
"""The length of a frame's body, and the checksum."""
_ANSWERS = msgpack.Decoder(list[Answer])


@dataclass(frozen=True, slots=True)
class Frames:
    """The answers of some frames, the byte at which the last of them ends, and whether anything else lies in their file.

    A frame that was not finished, at the file's end, is no damage: its writer was killed before it said that it was kept.
    """

    answers: tuple[Answer, ...]
    end: int
    is_damaged: bool = False


def frame_of(answers: Sequence[Answer]) -> bytes:
    """The bytes of one commit; SchemaMismatch where the answers could not be read back from them."""
    try:
        body = msgpack.encode(answers)
        _ANSWERS.decode(body)  # one that could not be read back would hold up all that comes after it
        if not all(answer.asked_at.tzinfo and answer.served_at.tzinfo for answer in answers):
            raise TypeError("an instant has no time zone")
    except (MsgspecError, OverflowError, TypeError, ValueError) as error:
        raise SchemaMismatch(
            f"Answers of {answers[0].system!r} cannot be kept: {error}",
            expected="numbers of at most 64 bits, texts, booleans and None in vectors and keys, and instants with their zone",
            action="Keep other things as texts, and instants among the features in ISO 8601",
        ) from error
    return framed(body)


def framed(body: bytes) -> bytes:
    """Some bytes as one frame, whatever they are."""
    return _HEAD.pack(len(body), _check(body)) + body


def frames_in(content: bytes, start: int, *, is_over: bool) -> Frames:
    """The answers of a file from its byte `start`, given what lies there.

    A file to which more may come is read up to the first frame that is not whole. From one that `is_over` whatever is
    whole is taken.
    """
    answers: list[Answer] = []
    at, end, is_damaged = 0, 0, False
    while (frame := _frame_at(content, at)) is not None:
        body, at, is_whole = frame
        if is_whole:
            answers += _read(body)
            end = at
        elif is_over:
            is_damaged = True
        else:
            break
    return Frames(tuple(answers), start + end, is_damaged)


def _frame_at(content: bytes, at: int) -> tuple[bytes, int, bool] | None:
    """The body of the frame at a byte, where it ends, and whether it is as it was written; None where it is not all there."""
    if len(content) - at < _HEAD.size:
        return None
    length, check = _HEAD.unpack_from(content, at)
    end = at + _HEAD.size + length
    body = content[at + _HEAD.size : end]
    return None if len(body) < length else (body, end, check == _check(body))


def _check(body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(len(body).to_bytes(4, "little")))


def _read(body: bytes) -> list[Answer]:
    try:
        return _ANSWERS.decode(body)
    except DecodeError as error:
        raise DataError(
            f"A frame of the prediction log's spool holds no answers that this version can read: {error}",
            expected="answers as this version or an older one wrote them",
            action="Upgrade ops-pipelines; nothing was removed",
        ) from error
