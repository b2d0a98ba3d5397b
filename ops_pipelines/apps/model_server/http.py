"""Bodies in and answers out: bounded on the way in, and every error with a status and the field at fault.

The two hot doors speak ASGI directly. A request object and a response object would cost them as much as the model does.
"""

import asyncio
from typing import Any

from msgspec import json
from starlette.types import Receive, Scope, Send

from ops_pipelines.apps.model_server.protocol import ErrorResponse
from ops_pipelines.core.errors import ConfigError, DataError, NoAcceptedData, OpsError, SchemaMismatch

JSON_TYPE = (b"content-type", b"application/json")
_TOLD_WITH = {401: (b"www-authenticate", b"Bearer"), 405: (b"allow", b"POST"), 503: (b"retry-after", b"1")}
"""The header that belongs to a status."""


LONGEST = 2_000
"""How many characters of each part of an error are told."""


class Refused(OpsError):
    """A request that is answered with a status of its own, whatever kind of error it is."""

    def __init__(self, status: int, wrong: str, *, expected: str, action: str, **facts: object) -> None:
        super().__init__(wrong, expected=expected, action=action, **facts)
        self.status = status

    @classmethod
    def by_fault(cls, error: Exception) -> "Refused":
        """What a caller is told of an error of ours that nobody foresaw: its kind, and none of its words."""
        return cls(
            500,
            f"The server failed at this request: {type(error).__name__}",
            expected="an answer or a refusal",
            action="Tell whoever runs the server; its standard error has the trace",
        )


async def read_body(scope: Scope, receive: Receive, *, at_most: int, seconds: float) -> bytes:
    """The whole body. Refused where it is not JSON by its headers, too large, too slow, or cut off."""
    headers = dict(scope["headers"])
    _check_headers(headers, at_most)
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Refused(400, "The caller went away", expected="a whole body", action="Send it again")
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > at_most:
                    raise _too_large(at_most)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError as error:
        raise Refused(
            408, f"The body did not arrive within {seconds:g} s", expected="a whole body", action="Send it faster"
        ) from error
    return b"".join(chunks)


def _check_headers(headers: dict[bytes, bytes], at_most: int) -> None:
    # A page of anywhere may have a browser post a body of no type, or of a simple one, without asking us first.
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise _other_encoding("Content-Type", kind)
    if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        raise _other_encoding("Content-Encoding", headers[b"content-encoding"])
    if b"inference-header-content-length" in headers:
        raise _other_encoding("Inference-Header-Content-Length", b"the binary tensor extension")
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length) > at_most:
        raise _too_large(at_most)


def _other_encoding(header: str, value: bytes) -> Refused:
    return Refused(
        415,
        f"{header} is {value.decode('latin-1')[:60]!r}",
        expected="application/json, not compressed",
        action="Send plain JSON",
        field=header,
    )


def _too_large(at_most: int) -> Refused:
    return Refused(
        413, f"The body is larger than {at_most:,} bytes", expected="a smaller one", action="Send fewer rows at a time"
    )


def refusal(error: OpsError) -> tuple[int, bytes]:
    """The status and the body that tell a caller of an error."""
    words = (str(error), error.expected, error.action, str(error.facts.get("field", "")))
    told = ErrorResponse(*(_shown(text) for text in words))
    return _status_of(error), json.encode(told)


def _shown(text: str) -> str:
    """A text, cut where it repeats what a caller made up at any length."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _status_of(error: OpsError) -> int:
    if isinstance(error, Refused):
        return error.status
    if isinstance(error, SchemaMismatch):
        return 422
    if isinstance(error, NoAcceptedData):
        return 404
    if isinstance(error, DataError):
        return 503 if error.facts.get("unavailable") else 422
    return 400 if isinstance(error, ConfigError) else 503


async def respond(send: Send, status: int, body: bytes) -> None:
    """Sends an answer in JSON, with the header that its status asks for."""
    own: list[Any] = [JSON_TYPE, (b"content-length", str(len(body)).encode())]
    if status in _TOLD_WITH:
        own.append(_TOLD_WITH[status])
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
