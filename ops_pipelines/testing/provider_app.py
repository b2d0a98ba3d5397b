"""The HTTP side of the scripted provider: OpenAI's chat completions, and an admin door to script it and to look at it.

POST /v1/chat/completions    whole or streamed
GET  /v1/models
PUT  /admin/script           begin anew with another script
GET  /admin/calls            what was asked: how often, how many at once, and the last thousand requests
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ops_pipelines.llmops.chat_model import ChatRequest
from ops_pipelines.testing import provider_script as does
from ops_pipelines.testing.provider_script import Fault, ProviderScript, as_json, read_script
from ops_pipelines.testing.provider_voice import Spoken, request_of, speak

HANG_SECONDS = 600.0


class _Dropped(Exception):
    """Ends a response within its body, so that its connection is dropped."""


class ScriptedProvider:
    """A script with what was asked of it so far."""

    def __init__(self, script: ProviderScript) -> None:
        self.under_way = 0
        self.begin(script)

    def begin(self, script: ProviderScript) -> None:
        """Forget what was asked, and do as another script says."""
        self.script, self.faults = script, list(script.faults)
        self.count, self.most_at_once = 0, self.under_way
        self.calls: deque[dict[str, Any]] = deque(maxlen=1000)

    async def complete(self, http: Request) -> Response:
        """One chat completion, or what goes wrong with it."""
        if self.script.api_key and http.headers.get("authorization") != f"Bearer {self.script.api_key}":
            return _error(401, "Incorrect API key provided", "invalid_request_error", "invalid_api_key")
        try:
            body = await http.json()
            request = request_of(body)
        except (ValueError, KeyError, TypeError) as error:
            return _error(400, f"The request cannot be read: {error!r}", "invalid_request_error")
        if self.script.models and request.model not in self.script.models:
            message = f"The model {request.model!r} does not exist"
            return _error(404, message, "invalid_request_error", "model_not_found")
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return await self._answer(body, request)
        finally:
            self.under_way -= 1

    async def _answer(self, body: dict[str, Any], request: ChatRequest) -> Response:
        number, fault = self.count, self._next_fault(request)
        self.count += 1
        self.calls.append({"number": number, "fault": fault.kind if fault else None, "body": body})
        stage = self.script.stage(number)
        await asyncio.sleep(HANG_SECONDS if fault and fault.kind == does.HANG else stage.latency_ms / 1000)
        spoken = await speak(request, stage, number)
        if fault and fault.kind in _INSTEAD:
            return _INSTEAD[fault.kind](fault)
        if body.get("stream"):
            options = body.get("stream_options") or {}
            events = _events(spoken, fault, with_usage=bool(options.get("include_usage")))
            return StreamingResponse(events, media_type="text/event-stream")
        return _whole(spoken, fault)

    def _next_fault(self, request: ChatRequest) -> Fault | None:
        """The first fault that is left for such a request, which is used up by one."""
        spoken = "\n".join(message.content for message in request.messages)
        for place, fault in enumerate(self.faults):
            if fault.contains in spoken:
                left = [does.Fault(**{**_fields(fault), "times": fault.times - 1})] if fault.times > 1 else []
                self.faults[place : place + 1] = left
                return fault
        return None


def provider_app(script: ProviderScript) -> Starlette:
    """The application of a scripted provider."""
    provider = ScriptedProvider(script)

    async def models(_: Request) -> Response:
        names = provider.script.models or ("any",)
        return JSONResponse({"object": "list", "data": [{"id": name, "object": "model"} for name in names]})

    async def rewrite(http: Request) -> Response:
        try:
            provider.begin(read_script(await http.body()))
        except ValueError as error:
            return _error(400, str(error), "invalid_request_error")
        return JSONResponse({"begun": True})

    async def calls(_: Request) -> Response:
        told = {"count": provider.count, "most_at_once": provider.most_at_once, "calls": list(provider.calls)}
        return Response(as_json(told), media_type="application/json")

    return Starlette(
        routes=[
            Route("/v1/chat/completions", provider.complete, methods=["POST"]),
            Route("/v1/models", models),
            Route("/admin/script", rewrite, methods=["PUT"]),
            Route("/admin/calls", calls),
        ]
    )


def _whole(spoken: Spoken, fault: Fault | None) -> Response:
    """The answer in one piece; what is cut promises more bytes than it sends."""
    body = spoken.whole()
    match fault.kind if fault else "":
        case does.CUT:
            text = as_json(body)
            return StreamingResponse(_dropped(text), headers={"content-length": str(len(text))})
        case does.ENDED_EARLY:
            body["choices"][0]["finish_reason"] = None
        case does.NO_TEXT:
            body["choices"][0]["message"]["content"] = ""
        case does.NO_USAGE:
            del body["usage"]
        case does.FILTERED:
            body["choices"][0]["finish_reason"] = "content_filter"
        case does.WRONG_MODEL:
            body["model"] = f"{spoken.model}-mini"
    return Response(as_json(body), media_type="application/json")


async def _dropped(text: bytes) -> AsyncIterator[bytes]:
    yield text[: len(text) // 2]
    raise _Dropped


async def _events(spoken: Spoken, fault: Fault | None, *, with_usage: bool) -> AsyncIterator[bytes]:
    """The answer as events; what is cut ends in its middle, with its connection or without."""
    kind = fault.kind if fault else ""
    chunks = list(spoken.chunks(with_usage=with_usage and kind != does.NO_USAGE))
    for number, chunk in enumerate(chunks):
        if kind in (does.CUT, does.ENDED_EARLY) and number == max(len(chunks) // 2 - 1, 1):
            if kind == does.CUT:
                raise _Dropped
            return
        yield b"data: " + as_json(_altered(chunk, kind)) + b"\n\n"
        await asyncio.sleep(0)
    yield b"data: [DONE]\n\n"


def _altered(chunk: dict[str, Any], kind: str) -> dict[str, Any]:
    """A chunk as a fault that leaves the stream whole alters it."""
    if kind == does.WRONG_MODEL:
        return chunk | {"model": f"{chunk['model']}-mini"}
    for choice in chunk["choices"]:
        if kind == does.NO_TEXT and choice["delta"]:
            choice["delta"]["content"] = ""
        if kind == does.FILTERED and choice["finish_reason"]:
            choice["finish_reason"] = "content_filter"
    return chunk


def _refused(fault: Fault) -> Response:
    types = {429: "rate_limit_exceeded", 401: "invalid_api_key", 400: "invalid_request_error"}
    answer = _error(fault.status, f"scripted {fault.status}", types.get(fault.status, "server_error"))
    if fault.retry_after is not None:
        answer.headers["retry-after"] = f"{fault.retry_after:g}"
    return answer


def _error(status: int, message: str, type: str, code: str | None = None) -> Response:
    record = {"message": message, "type": type, "param": None, "code": code}
    return JSONResponse({"error": record}, status_code=status)


def _fields(fault: Fault) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in fault.__struct_fields__}


_INSTEAD = {
    does.STATUS: _refused,
    does.EMPTY: lambda _: Response(b"", media_type="application/json"),
    does.NOT_JSON: lambda _: Response(b"<html>Please log in</html>", media_type="text/html"),
    does.ERROR_INSIDE: lambda _: Response(
        as_json({"error": {"message": "scripted error", "type": "server_error", "code": 503}}),
        media_type="application/json",
    ),
}
"""The faults that have no answer at all."""
