"""The body of a request, read as it comes and never beyond a limit, also where it was compressed.

What is too large is refused at the first byte too many, so that a body of any size takes no more memory than the limit.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import ClientDisconnect

from ops_pipelines.core.errors import DataError

_GZIP = 31
"""zlib's word for a gzip header and the largest window."""


class BodyRefused(DataError):
    """A body that is not taken; `status` is what HTTP calls it."""

    def __init__(self, status: int, wrong: str, *, expected: str, action: str) -> None:
        super().__init__(wrong, expected=expected, action=action)
        self.status = status


async def read_bounded(chunks: AsyncIterator[bytes], *, at_most: int, seconds: float, gzipped: bool) -> bytes:
    """The whole body, unpacked; `at_most` counts its bytes both before and after that.

    BodyRefused where it is larger, slower, or no whole gzip.
    """
    unpacked = _Unpacked(at_most, gzipped=gzipped)
    try:
        async with asyncio.timeout(seconds):
            async for chunk in chunks:
                unpacked.add(chunk)
    except ClientDisconnect as error:
        raise BodyRefused(400, "The sender went away", expected="a whole body", action="Send it again") from error
    except TimeoutError as error:
        raise BodyRefused(
            408, f"The body did not arrive within {seconds:g} s", expected="a whole body", action="Send it faster"
        ) from error
    return unpacked.whole()


async def discard(chunks: AsyncIterator[bytes], *, seconds: float) -> None:
    """Lets the rest of a body pass by, for so long at most: who still sends would not hear why it was refused."""
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(seconds):
            async for _ in chunks:
                pass


class _Unpacked:
    def __init__(self, at_most: int, *, gzipped: bool) -> None:
        self._at_most, self._came, self._content = at_most, 0, bytearray()
        self._unpacking = zlib.decompressobj(_GZIP) if gzipped else None

    def add(self, chunk: bytes) -> None:
        self._came += len(chunk)
        if self._came > self._at_most:
            raise too_large(self._at_most)
        self._content += self._unpack(chunk) if self._unpacking else chunk
        if len(self._content) > self._at_most:
            raise too_large(self._at_most)

    def whole(self) -> bytes:
        if self._unpacking and (not self._unpacking.eof or self._unpacking.unused_data):
            raise _no_gzip("it ends early, or goes on after its end")
        return bytes(self._content)

    def _unpack(self, chunk: bytes) -> bytes:
        assert self._unpacking
        try:
            return self._unpacking.decompress(chunk, self._at_most + 1 - len(self._content))
        except zlib.error as error:
            raise _no_gzip(str(error)) from error


def too_large(at_most: int) -> BodyRefused:
    """The refusal of a body of more bytes than a limit."""
    return BodyRefused(
        413,
        f"The body is larger than {at_most:,} bytes, as it was sent or unpacked",
        expected="a smaller one",
        action="Send fewer at a time",
    )


def _no_gzip(why: str) -> BodyRefused:
    return BodyRefused(
        400, f"The body is no gzip: {why}", expected="one whole member", action="Send it again, or without compression"
    )
