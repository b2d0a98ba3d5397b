"""A client's way to an MCP server over HTTP, whose messages have an end: an answer that goes beyond it is read no further.

Whoever asked is told so in place of the answer, and the session goes on. The protocol's own library ends events so.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmcp.client.transports import ClientTransport

_EVENTS = "text/event-stream"


def over_http(url: str, *, headers: Mapping[str, str], message_bytes: int) -> "ClientTransport":
    """The transport for `fastmcp.Client`. An answer that is packed is not read: nobody knows how long it is."""
    import httpx2
    from fastmcp.client.transports import StreamableHttpTransport

    class Bounded(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: Any) -> Any:
            answer = await super().handle_async_request(request)
            if answer.headers.get("content-encoding", "identity") != "identity":
                await answer.aclose()
                return _refused("the server has packed its answer, which it was asked not to do")
            if answer.headers.get("content-type", "").startswith(_EVENTS):
                return answer
            return await _whole(answer, message_bytes)

    def client(headers: Any = None, timeout: Any = None, auth: Any = None, **_: Any) -> httpx2.AsyncClient:
        wait = timeout or httpx2.Timeout(30.0, read=300.0)
        plain = {**(headers or {}), "accept-encoding": "identity"}
        return httpx2.AsyncClient(transport=Bounded(), headers=plain, timeout=wait, auth=auth)

    return StreamableHttpTransport(
        url, headers=dict(headers), httpx_client_factory=client, max_sse_event_size=message_bytes
    )


async def _whole(answer: Any, message_bytes: int) -> Any:
    """An answer that was read to its end, or a refusal in its place."""
    import httpx2

    parts, read = [], 0
    try:
        async for part in answer.stream:
            parts.append(part)
            read += len(part)
            if read > message_bytes:
                return _refused(f"the server said more than {message_bytes} bytes at once")
    finally:
        await answer.aclose()
    return httpx2.Response(answer.status_code, headers=answer.headers, content=b"".join(parts))


def _refused(why: str) -> Any:
    import httpx2
    from mcp_types import INTERNAL_ERROR

    error = {"jsonrpc": "2.0", "id": None, "error": {"code": INTERNAL_ERROR, "message": why}}
    return httpx2.Response(httpx2.codes.BAD_GATEWAY, json=error)
