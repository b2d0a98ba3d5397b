"""Servers behind the gateway over HTTP that say too much, hide how much, or answer with something else altogether."""

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from ops_pipelines.adapters.mcp_servers import ServerAddress
from ops_pipelines.adapters.mcp_tools import Declared

from .desk import Desk

HELLO = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "far", "version": "1"}}
SAYS = {"look": "fine", "megabytes": "x" * 200_000}
TOOLS = ("look", "megabytes", "pack", "page", "fail")
MOST = "the server said more than 50000 bytes at once"
BREAKS = {"megabytes": MOST, "pack": "the server has packed its answer", "page": "", "fail": ""}


class Far(BaseHTTPRequestHandler):
    """A server of the protocol in its oldest form over HTTP: a question and an answer."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        name = asked.get("params", {}).get("name", "")
        found = {
            "initialize": HELLO,
            "tools/list": {"tools": [{"name": one, "inputSchema": {"type": "object"}} for one in TOOLS]},
            "tools/call": {"content": [{"type": "text", "text": SAYS.get(name, "fine")}]},
        }.get(asked["method"])
        told = {"result": found} if found else {"error": {"code": -32601, "message": "no such method"}}
        body = (
            b"<p>welcome" if name == "page" else json.dumps({"jsonrpc": "2.0", "id": asked.get("id"), **told}).encode()
        )
        self.send_response(500 if name == "fail" else 200 if "id" in asked else 202)
        self.send_header("content-type", "text/html" if name == "page" else "application/json")
        self.send_header("content-length", str(len(body)))
        if name == "pack":
            self.send_header("content-encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(405)

    def do_DELETE(self) -> None:
        self.send_error(405)

    def log_message(self, *_) -> None:
        pass


@contextmanager
def far_desk():
    """The desk with such a server behind it."""
    desk, server = Desk(), ThreadingHTTPServer(("127.0.0.1", 0), Far)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/mcp"
        desk.client = ServerAddress(url=url, message_bytes=50_000).client
        yield desk
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("tool", BREAKS)
def test_an_answer_that_is_none_is_told_and_the_session_goes_on(tool):
    declared = {name: Declared(effect="read") for name in TOOLS}
    with far_desk() as desk:
        broken, after = desk.call((tool, {}), ("look", {}), declared=declared)
    assert (broken.structured_content["status"], broken.structured_content["stage"]) == ("denied", "execute")
    assert BREAKS[tool] in broken.structured_content["reason"]
    assert after.content[0].text == "fine"


def test_an_effect_whose_answer_is_too_long_is_unknown():
    with far_desk() as desk:
        (broken,) = desk.call(("megabytes", {}), declared={"megabytes": Declared(effect="write")})
    assert broken.structured_content["status"] == "unknown"
