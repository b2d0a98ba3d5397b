"""The door for traces of agents in any framework: OTLP over HTTP, protobuf or JSON, into the run log.

What is answered with 200 is on the disk, redacted. Spans that cannot be taken are counted in the answer with the reasons,
and the others are kept. What was not kept because the log is locked or the disk is full is answered with 503, so that the
sender, by OTLP's rules, sends it again; the same request twice is kept once.

What a sender says of a release is not kept: a run goes on from what its own release has kept, and from nothing else.

One request at a time is read and kept, beside the event loop; a few wait, and more are told to come again (429).
"""

import traceback
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ops_pipelines.adapters.otlp_parts import TooManyParts
from ops_pipelines.adapters.otlp_wire import JSON, MEDIA_TYPES, PROTOBUF, answer, read_request, refusal
from ops_pipelines.agentops.otlp import SpanLimits, import_spans
from ops_pipelines.agentops.step_writer import Writer
from ops_pipelines.apps.bounded_body import BodyRefused, discard, read_bounded, too_large
from ops_pipelines.apps.model_server.events import tell
from ops_pipelines.core.errors import ConfigError, DataError, OpsError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

PATH, PORT = "/v1/traces", 4318
"""Where OpenTelemetry's exporters send to unless they are told otherwise."""
_RETRY = {"retry-after": "1"}
_MOST_CONNECTIONS = 64
_TOLD_REASONS = 5
_LONGEST_TOLD = 1_000


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """Where it listens, and how much it takes: bytes of a body (packed and unpacked), requests at once, seconds a body."""

    host: str = "127.0.0.1"
    port: int = PORT
    most_bytes: int = 16 << 20
    most_waiting: int = 8
    body_seconds: float = 30.0
    limits: SpanLimits = field(default_factory=SpanLimits)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a sender is told: a status of HTTP, a body in its own media type, and headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class TraceReceiver:
    """Takes export requests and keeps their spans by a writer, which takes out what is secret before anything is kept."""

    def __init__(self, writer: Writer, settings: ReceiverSettings | None = None) -> None:
        self.settings = settings or ReceiverSettings()
        self._writer = writer
        self._waiting = 0
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="spans")

    def take(self, content: bytes, media_type: str) -> Answered:
        """Keep what a whole, unpacked body holds; it never raises."""
        try:
            rejected = self._keep(content, media_type)
        except OpsError as error:
            return refused(_status_of(error), str(error), media_type)
        except Exception as error:  # ours and nobody else's: the sender is told its kind, and the server goes on
            tell("spans_failed", {"trace": traceback.format_exc()})
            return refused(500, f"The receiver failed at this request: {type(error).__name__}", media_type)
        why = f"{len(rejected)} rejected: {'; '.join(rejected[:_TOLD_REASONS])}" if rejected else ""
        return Answered(200, answer(media_type, rejected=len(rejected), why=why[:_LONGEST_TOLD]))

    async def receive(self, request: "Request") -> "Response":
        """The answer to one request over HTTP."""
        from starlette.responses import Response

        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        chunks = request.stream()
        told = await self._received(request, media_type, chunks)
        if told.status != 200:
            await discard(chunks, seconds=self.settings.body_seconds)
        kind = media_type if media_type in MEDIA_TYPES else PROTOBUF
        return Response(told.body, told.status, dict(told.headers), media_type=kind)

    def stop(self) -> None:
        """Ends after the request that is being kept."""
        self._worker.shutdown(wait=True, cancel_futures=True)

    async def _received(self, request: "Request", media_type: str, chunks: AsyncIterator[bytes]) -> Answered:
        import asyncio

        if self._waiting >= self.settings.most_waiting:
            return refused(429, f"{self._waiting} requests wait already", media_type)
        self._waiting += 1
        try:
            content = await self._body(request, media_type, chunks)
            return await asyncio.get_running_loop().run_in_executor(self._worker, self.take, content, media_type)
        except BodyRefused as error:
            return refused(error.status, str(error), media_type)
        finally:
            self._waiting -= 1

    async def _body(self, request: "Request", media_type: str, chunks: AsyncIterator[bytes]) -> bytes:
        settings, headers = self.settings, request.headers
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if media_type not in MEDIA_TYPES or encoding not in ("identity", "gzip"):
            raise BodyRefused(
                415,
                f"A body of {media_type[:60]!r} in the encoding {encoding[:60]!r} is not taken",
                expected=f"{' or '.join(MEDIA_TYPES)}, plain or gzip",
                action="Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 18 or int(length) > settings.most_bytes:
            raise too_large(settings.most_bytes)
        return await read_bounded(
            chunks, at_most=settings.most_bytes, seconds=settings.body_seconds, gzipped=encoding == "gzip"
        )

    def _keep(self, content: bytes, media_type: str) -> Sequence[str]:
        """Why some spans were not kept, a sentence each; the others are on the disk."""
        request = read_request(content, media_type)
        found = import_spans(request, self._writer, self.settings.limits)
        reasons = [f"span {number}: {why}" for number, why in found.rejected]
        if not found.entries:
            return reasons
        try:
            tally = self._writer.keep([replace(one, step=replace(one.step, release="")) for one in found.entries])
        except DataError as error:
            error.facts["unavailable"] = True
            raise
        return [*reasons, *(f"span {id}: {why}" for id, why in tally.rejected)]


def refused(status: int, why: str, media_type: str) -> Answered:
    """The answer that a whole request was not taken; with when to come again where that may help."""
    return Answered(status, refusal(media_type, why[:_LONGEST_TOLD]), _RETRY if status in (429, 503) else {})


def make_app(receiver: TraceReceiver) -> "ASGIApp":
    """The application around a receiver, which ends with it. Only hosts of this machine are answered."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001
        yield
        receiver.stop()

    async def _health(request: Request) -> Response:  # noqa: ARG001
        return Response(b'{"status": "ok"}', media_type=JSON)

    hosts = ["127.0.0.1", "localhost", "::1", "[::1]"]
    return Starlette(
        routes=[Route(PATH, receiver.receive, methods=["POST"]), Route("/health", _health)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        lifespan=lifespan,
    )


def serve_traces(receiver: TraceReceiver, *, listens: Callable[[], None] = lambda: None) -> None:
    """Serves until it is interrupted. ConfigError where the port is not free, or is not of this machine alone."""
    import uvicorn

    from ops_pipelines.apps.model_server.connections import LingeringConnection
    from ops_pipelines.apps.model_server.server import listen_on

    settings = receiver.settings
    _check_loopback(settings.host)
    listening = listen_on(settings.host, settings.port)
    config = uvicorn.Config(
        make_app(receiver),
        http=LingeringConnection,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        lifespan="on",
    )
    try:
        listens()
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        listening.close()


def _check_loopback(host: str) -> None:
    if host not in ("127.0.0.1", "::1", "localhost"):
        raise ConfigError(
            f"Spans are not received on {host}: whoever reaches the port writes into the run log",
            expected="127.0.0.1",
            action="Let an OpenTelemetry Collector with authentication stand in front",
        )


def _status_of(error: OpsError) -> int:
    if isinstance(error, TooManyParts):
        return 413
    return 503 if error.facts.get("unavailable") else 400
