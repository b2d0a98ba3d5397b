"""What an OpenAI-compatible provider sent, read as an answer: whole, or a ChatError.

A status of 200 proves nothing: the body may be empty, hold an error, or hold an answer that never ended. A field that a
provider leaves out is not made up; tokens that it does not count are estimated, and say so.
"""

import json
from collections.abc import Mapping
from typing import Any

from ops_pipelines.llmops.chat_model import (
    CUT,
    EMPTY,
    INVALID,
    RATE_LIMITED,
    REFUSED,
    UNAVAILABLE,
    ChatError,
    ChatRequest,
    Completion,
    Usage,
)
from ops_pipelines.llmops.tokens import estimate_input, estimate_tokens

_EXPECTED = "a chat completion with one finished choice that has a text"


def read_answer(body: bytes, request: ChatRequest, provider: str) -> Completion:
    """The answer in a response's body, its latency still 0; ChatError where it is none."""
    if not body.strip():
        raise answer_error("answered with an empty body", EMPTY, provider)
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise answer_error("answered with something that is not JSON", INVALID, provider) from error
    if not isinstance(answer, dict):
        raise answer_error("answered with JSON that is no object", INVALID, provider)
    if answer.get("error"):
        raise error_inside(answer["error"], provider)
    choices = answer.get("choices")
    if not choices:
        raise answer_error("answered without a choice", EMPTY, provider)
    try:
        return _completion(answer, choices[0], request, provider)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise answer_error(
            f"answered in another form than chat completions have ({error!r})", INVALID, provider
        ) from error


def finished(text: str | None, finish: str | None, *, refusal: str | None, provider: str) -> str:
    """The text of a choice; ChatError where it never ended, was refused or filtered, or is empty."""
    if refusal:
        raise answer_error(f"refused to answer: {refusal}", REFUSED, provider)
    if finish is None:
        raise answer_error("stopped before its answer ended", CUT, provider)
    if finish == "content_filter":
        raise answer_error("filtered its answer", REFUSED, provider)
    if not (text or "").strip():
        raise answer_error(f"answered with an empty text (finish {finish!r})", EMPTY, provider)
    return str(text)


def usage_of(counted: Mapping[str, Any] | None, request: ChatRequest, text: str) -> Usage:
    """The tokens that a provider counted; an estimate where it counted none. ValueError for what cannot be a count."""
    if not counted:
        return Usage(estimate_input(request.messages), estimate_tokens(text), is_estimate=True)
    numbers = counted["prompt_tokens"], counted["completion_tokens"]
    if any(not isinstance(number, int) or number < 0 for number in numbers):
        raise ValueError(f"token counts {numbers}")
    return Usage(*numbers)


def error_inside(error: Any, provider: str) -> ChatError:
    """The ChatError of an error that came with a status of 200."""
    record = error if isinstance(error, dict) else {"message": str(error)}
    code = f"{record.get('code')} {record.get('type')}".lower()
    kind = UNAVAILABLE
    if "429" in code or "rate_limit" in code:
        kind = RATE_LIMITED
    elif "invalid_request" in code or record.get("code") in (400, 404, 422):
        kind = INVALID
    elif "content_filter" in code or record.get("code") in (401, 403):
        kind = REFUSED
    return answer_error(f"answered 200 with an error inside: {record.get('message', record)}", kind, provider)


def answer_error(what: str, kind: str, provider: str, **facts: object) -> ChatError:
    """A ChatError about what a provider did."""
    action = {
        REFUSED: "Read what it refused; the same request will be refused again",
        INVALID: "Compare the request and the base URL with the provider's documentation",
    }.get(kind, "Ask again later, or let the release fall back to another provider")
    return ChatError(
        f"The provider {provider!r} {what}", expected=_EXPECTED, action=action, kind=kind, provider=provider, **facts
    )


def _completion(
    answer: Mapping[str, Any], choice: Mapping[str, Any], request: ChatRequest, provider: str
) -> Completion:
    message = choice["message"]
    text = finished(
        message.get("content"), choice.get("finish_reason"), refusal=message.get("refusal"), provider=provider
    )
    return Completion(
        text=text,
        model=str(answer.get("model") or ""),
        usage=usage_of(answer.get("usage"), request, text),
        finish=str(choice["finish_reason"]),
        latency_ms=0.0,
        id=str(answer.get("id") or ""),
        fingerprint=answer.get("system_fingerprint"),
    )
