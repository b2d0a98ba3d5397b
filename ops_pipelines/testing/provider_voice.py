"""What a scripted provider says: the text of an answer, its tokens, and its form in OpenAI's protocol."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.fingerprint import digest_json, short
from ops_pipelines.llmops.chat_model import ChatError, ChatRequest, Message
from ops_pipelines.llmops.extractive import MODEL, ExtractiveReader
from ops_pipelines.llmops.passages import cited, read_passages
from ops_pipelines.llmops.reader_instructions import REFUSAL
from ops_pipelines.llmops.tokens import estimate_input, estimate_tokens
from ops_pipelines.testing.provider_script import Call, Reply, Stage


@dataclass(frozen=True, slots=True)
class Spoken:
    """An answer before it is sent."""

    id: str
    model: str
    text: str
    finish: str
    usage: Mapping[str, int]
    fingerprint: str | None
    calls: tuple[Call, ...] = ()

    def whole(self) -> dict[str, Any]:
        """The answer as one response."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "refusal": None}
        if self.calls:
            message["tool_calls"] = [_call(f"call-{self.id}-{number}", one) for number, one in enumerate(self.calls)]
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        return self._frame("chat.completion") | {"choices": [choice], "usage": dict(self.usage)}

    def chunks(self, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """The answer as the chunks of a stream, a few words each."""
        each = self.text.split(" ")
        pieces = [" ".join(each[at : at + 4]) + (" " if at + 4 < len(each) else "") for at in range(0, len(each), 4)]
        for piece in pieces:
            yield self._chunk({"role": "assistant", "content": piece}, None)
        yield self._chunk({}, self.finish)
        if with_usage:
            yield self._frame("chat.completion.chunk") | {"choices": [], "usage": dict(self.usage)}

    def _chunk(self, delta: Mapping[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": dict(delta), "finish_reason": finish}
        return self._frame("chat.completion.chunk") | {"choices": [choice]}

    def _frame(self, kind: str) -> dict[str, Any]:
        frame: dict[str, Any] = {"id": self.id, "object": kind, "created": 0, "model": self.model}
        return frame | ({"system_fingerprint": self.fingerprint} if self.fingerprint else {})


def request_of(body: Mapping[str, Any]) -> ChatRequest:
    """The request in a body of the protocol; KeyError, TypeError or ValueError for one that is none."""
    if not body["messages"]:
        raise ValueError("messages is empty")
    messages = tuple(Message(str(each["role"]), str(each["content"])) for each in body["messages"])
    shape = body.get("response_format") or {}
    schema = shape["json_schema"]["schema"] if shape.get("type") == "json_schema" else None
    limits = {name: body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name)}
    return ChatRequest(str(body["model"]), messages, limits, schema)


async def speak(request: ChatRequest, stage: Stage, number: int) -> Spoken:
    """What a stage answers to a request, the same for the same request."""
    reply = _reply(request, stage)
    text, tokens = (reply.text, reply.output_tokens) if reply else (await _said(request, stage), None)
    limit = max(request.parameters.values(), default=None)
    shortened = limit is not None and estimate_tokens(text) > limit
    text = text[: limit * 4] if shortened and limit else text
    counted = {
        "prompt_tokens": round(estimate_input(request.messages) * stage.tokens_factor),
        "completion_tokens": tokens or round(estimate_tokens(text) * stage.tokens_factor),
    }
    return Spoken(
        id=f"chatcmpl-{short(request.digest)}-{number}",
        model=stage.answers_as or request.model,
        text=text,
        finish="length" if shortened else "tool_calls" if reply and reply.calls else "stop",
        usage=counted | {"total_tokens": sum(counted.values())},
        fingerprint=stage.fingerprint,
        calls=reply.calls if reply else (),
    )


def _reply(request: ChatRequest, stage: Stage) -> Reply | None:
    """What the script says to a conversation; None where it says nothing."""
    spoken = "\n".join(message.content for message in request.messages)
    return next((reply for reply in stage.replies if reply.contains in spoken), None)


def _call(id: str, call: Call) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": call.tool, "arguments": json.dumps(call.arguments)}}


async def _said(request: ChatRequest, stage: Stage) -> str:
    """The text where the script has none."""
    if stage.refuses_share > _place_of(request.messages):
        return REFUSAL
    text = await _read(request)
    for citation in cited(text) if stage.without_citations else ():
        text = text.replace(f" {citation}", "")
    return text


async def _read(request: ChatRequest) -> str:
    """What the extractive reader says to a conversation with passages, else the last message."""
    if not any(read_passages(message.content)[0] for message in request.messages):
        return request.messages[-1].content
    try:
        answer = await ExtractiveReader().complete(ChatRequest(MODEL, request.messages, {}, request.response_schema))
    except ChatError as error:
        return str(error)
    return answer.text


def _place_of(messages: Sequence[Message]) -> float:
    """A number from 0 to 1 that depends on the conversation alone."""
    return int(digest_json([message.content for message in messages])[:8], 16) / 16**8
