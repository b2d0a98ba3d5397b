"""A provider that is not there: a process that speaks OpenAI's protocol over real HTTP and does what a script says.

    python -m ops_pipelines.testing.provider --port 8900 --script provider.json

With OPENAI_BASE_URL=http://127.0.0.1:8900/v1 whatever calls a provider calls this one. It listens on loopback alone.
"""

import argparse
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from ops_pipelines.testing.provider_script import ProviderScript, read_script, write_script
from ops_pipelines.testing.servers import free_port, running

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Provider:
    """A running scripted provider."""

    port: int
    pid: int

    @property
    def base_url(self) -> str:
        """What OPENAI_BASE_URL is set to."""
        return f"http://{HOST}:{self.port}/v1"

    def begin(self, script: ProviderScript) -> None:
        """Begin anew with another script; ValueError for one that it does not take."""
        status, body = self._send("PUT", "/admin/script", write_script(script))
        if status != 200:
            raise ValueError(body.decode())

    def calls(self) -> list[dict[str, Any]]:
        """The last thousand requests since it began: number, fault and body."""
        return list(self._told()["calls"])

    def count(self) -> int:
        """How many requests there were since it began."""
        return int(self._told()["count"])

    def most_at_once(self) -> int:
        """How many of them were under way at the same time."""
        return int(self._told()["most_at_once"])

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._send("GET", "/admin/calls")[1])
        return told

    def _send(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        connection = HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def provider_running(script: ProviderScript | None = None, port: int | None = None) -> Iterator[Provider]:
    """A provider process while it is needed."""
    from sys import executable

    port = port or free_port()
    words = [executable, "-m", "ops_pipelines.testing.provider", "--port", str(port)]
    with running(words, port, "/v1/models") as server:
        provider = Provider(port, server.pid)
        if script is not None:
            provider.begin(script)
        yield provider


def main() -> None:
    """Serves until it is ended."""
    import uvicorn

    from ops_pipelines.testing.provider_app import provider_app

    wanted = argparse.ArgumentParser(prog="provider", description="A scripted chat provider on loopback.")
    wanted.add_argument("--port", type=int, required=True)
    wanted.add_argument("--script", type=Path, help="a JSON file; see ops_pipelines.testing.provider_script")
    given = wanted.parse_args()
    script = read_script(given.script.read_bytes()) if given.script else ProviderScript()
    # Connections that are dropped on purpose would be logged as errors, each with its traceback.
    uvicorn.run(
        provider_app(script),
        host=HOST,
        port=given.port,
        log_level="critical",
        access_log=False,
        timeout_graceful_shutdown=1,  # some requests hang as their script says
    )


if __name__ == "__main__":
    main()
