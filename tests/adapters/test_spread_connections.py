"""That connections spread over several pools are used again, end with their client, and give way to a proxy."""

import asyncio

import httpx2

from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
from ops_pipelines.adapters.spread_connections import POOLS, SpreadConnections
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.chat_model import question
from ops_pipelines.testing.provider import provider_running

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Door:
    """A server that counts its connections, those that are open now and those that there ever were."""

    def __init__(self) -> None:
        self.open = self.ever = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open, self.ever = self.open + 1, self.ever + 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(ANSWER)
        except asyncio.IncompleteReadError:
            self.open -= 1
            writer.close()


async def visited(*rounds: int) -> Door:
    """A door after some rounds of requests, each round all at once, and after the client has ended."""
    door = Door()
    server = await asyncio.start_server(door, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        async with httpx2.AsyncClient(transport=SpreadConnections(httpx2.Limits())) as client:
            for at_once in rounds:
                answers = await asyncio.gather(*(client.get(url) for _ in range(at_once)))
                assert {answer.text for answer in answers} == {"ok"}
        for _ in range(6_000):
            if door.open:
                await asyncio.sleep(0.01)
    return door


def test_a_connection_is_used_again_by_the_next_rounds():
    assert asyncio.run(visited(*[2 * POOLS] * 5)).ever == 2 * POOLS


def test_all_connections_end_with_their_client():
    assert asyncio.run(visited(20)).open == 0


def test_a_proxy_of_the_environment_is_asked_and_nobody_else(monkeypatch):
    with provider_running() as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        chat = OpenAIChat(ProviderPin("desk", "desk-1"), Endpoint("http://nobody.invalid/v1"))
        assert asyncio.run(chat.complete(question("desk-1"))).text
        assert proxy.count() == 1
