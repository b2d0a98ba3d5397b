"""The ChatModel of any endpoint that speaks OpenAI's chat completions: OpenAI, Azure, vLLM, Ollama, or a proxy.

The SDK sends; whether what came back is an answer is decided here. Its own retries are off: `RetryingChat` asks again,
where each attempt can be paid for. Connections are kept open for as long as the event loop of the caller runs:
`asyncio.run` ends asynchronous generators, and one holds the client.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies
from weakref import WeakKeyDictionary

from ops_pipelines.adapters.openai_answers import answer_error, finished, read_answer, usage_of
from ops_pipelines.adapters.openai_failures import as_chat_errors
from ops_pipelines.llmops.chat_model import EMPTY, INVALID, ChatRequest, Completion
from ops_pipelines.llmops.provider_pin import ProviderPin, check_answer

if TYPE_CHECKING:
    import httpx2
    import openai

_OURS = frozenset({"model", "messages", "stream", "stream_options", "response_format", "n"})
"""What a request says otherwise than by its parameters."""

_BY_KEY: Any = {"security": {"bearer_auth": True}}
"""That door would also take OPENAI_ADMIN_KEY from the environment."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a provider answers. `attempt_seconds` bounds one attempt, a slow trickle of words included."""

    base_url: str | None
    api_key: str = field(repr=False, default="")
    attempt_seconds: float = 60.0
    stream: bool = False


class OpenAIChat:
    """A pinned model behind an endpoint. One request is one attempt: `RetryingChat` asks again."""

    def __init__(self, pin: ProviderPin, endpoint: Endpoint) -> None:
        self.pin, self.endpoint = pin, endpoint

    @property
    def provider(self) -> str:
        """The pin's provider."""
        return self.pin.provider

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer; ChatError where there is none, or it came from another model than was pinned."""
        self._check(request)
        client = await _client(
            self.endpoint
        )  # a second of imports at its first use, which belong to no provider's latency
        began = time.perf_counter()
        with as_chat_errors(self.provider):
            async with asyncio.timeout(self.endpoint.attempt_seconds):
                answer = await (self._streamed if self.endpoint.stream else self._whole)(client, request)
        return check_answer(self.pin, replace(answer, latency_ms=(time.perf_counter() - began) * 1000))

    def _check(self, request: ChatRequest) -> None:
        if request.model != self.pin.model:
            raise answer_error(
                f"is asked for {request.model!r}, and {self.pin.model!r} is pinned", INVALID, self.provider
            )
        taken = _OURS & request.parameters.keys()
        if taken:
            raise answer_error(f"is asked with the parameters {', '.join(sorted(taken))}", INVALID, self.provider)

    async def _whole(self, client: "openai.AsyncOpenAI", request: ChatRequest) -> Completion:
        import httpx2

        # The SDK's door for endpoints that it does not know: it walks neither through what goes out nor what comes in.
        raw = await client.post("/chat/completions", cast_to=httpx2.Response, body=_body(request), options=_BY_KEY)
        return read_answer(raw.content, request, self.provider)

    async def _streamed(self, client: "openai.AsyncOpenAI", request: ChatRequest) -> Completion:
        heard = _Heard()
        options = {"stream": True, "stream_options": {"include_usage": True}}
        async with aclosing(await client.chat.completions.create(**_words(request), **options)) as stream:
            async for chunk in stream:
                heard.take(chunk)
        return heard.answer(request, self.provider)


_CLIENTS: "WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, Any]]" = WeakKeyDictionary()
_LOCK = Lock()


@dataclass(slots=True)
class _Heard:
    """What came of a stream so far."""

    texts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    finish: str | None = None
    usage: Any = None
    model: str = ""
    id: str = ""
    fingerprint: str | None = None

    def take(self, chunk: Any) -> None:
        """Adds a chunk; the one with the usage has no choice."""
        self.model, self.id = chunk.model or self.model, chunk.id or self.id
        self.fingerprint = chunk.system_fingerprint or self.fingerprint
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices or ():
            self.texts.append(choice.delta.content or "")
            self.refusals.append(choice.delta.refusal or "")
            self.finish = choice.finish_reason or self.finish

    def answer(self, request: ChatRequest, provider: str) -> Completion:
        """The whole answer; ChatError where the stream ended before it did."""
        if not self.model and not self.id:
            raise answer_error("answered with an empty stream", EMPTY, provider)
        text = finished("".join(self.texts), self.finish, refusal="".join(self.refusals), provider=provider)
        usage = usage_of(self.usage.model_dump() if self.usage else None, request, text)
        return Completion(text, self.model, usage, str(self.finish), 0.0, self.id, self.fingerprint)


async def _client(endpoint: Endpoint) -> "openai.AsyncOpenAI":
    """The client of an endpoint in the running loop, made at its first use; those of loops that ended are forgotten.

    They are kept here and not with an OpenAIChat, which may be gone before its loop ends: then nobody would close them.
    """
    loop = asyncio.get_running_loop()
    found = _CLIENTS.get(loop, {}).get(endpoint)
    if found is None:
        lifetime = _lifetime(endpoint)
        found = (await anext(lifetime), lifetime)
        with _LOCK:  # other threads run loops of their own
            for ended in [other for other in _CLIENTS if other.is_closed()]:
                del _CLIENTS[ended]
            _CLIENTS.setdefault(loop, {})[endpoint] = found
    client: openai.AsyncOpenAI = found[0]
    return client


async def _lifetime(endpoint: Endpoint) -> AsyncGenerator["openai.AsyncOpenAI", None]:
    import openai

    # A server of one's own needs no key, and the SDK insists on one.
    async with openai.AsyncOpenAI(
        api_key=endpoint.api_key or "none",
        base_url=endpoint.base_url,
        max_retries=0,
        timeout=endpoint.attempt_seconds,
        http_client=_http_client(),
    ) as client:
        _ = client.chat.completions  # the SDK imports it only now
        yield client


def _http_client() -> "httpx2.AsyncClient | None":
    """The SDK's own client over spread connections; None, which is its own altogether, where a proxy stands between."""
    import openai

    from ops_pipelines.adapters.spread_connections import SpreadConnections

    if getproxies().keys() & {"http", "https", "all"}:
        return None
    return openai.DefaultAsyncHttpxClient(transport=SpreadConnections(openai.DEFAULT_CONNECTION_LIMITS))


def _words(request: ChatRequest) -> dict[str, Any]:
    """A request as the SDK takes it; parameters go as they stand, also those that the SDK does not know."""
    body = _body(request)
    return {"model": body.pop("model"), "messages": body.pop("messages"), "extra_body": body}


def _body(request: ChatRequest) -> dict[str, Any]:
    """A request as it goes over the wire."""
    words: dict[str, Any] = {
        "model": request.model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        **request.parameters,
    }
    if request.response_schema is not None:
        strict = request.response_schema.get("additionalProperties") is False
        schema = {"name": "answer", "schema": dict(request.response_schema), "strict": strict}
        words["response_format"] = {"type": "json_schema", "json_schema": schema}
    return words
