"""What the OpenAI SDK raises, as the kinds of failure that a ChatModel has."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from ops_pipelines.adapters.openai_answers import answer_error, error_inside
from ops_pipelines.llmops.chat_model import CUT, INVALID, RATE_LIMITED, REFUSED, TIMEOUT, UNAVAILABLE, ChatError

if TYPE_CHECKING:
    import openai

_KINDS = {401: REFUSED, 403: REFUSED, 408: TIMEOUT, 409: UNAVAILABLE, 425: UNAVAILABLE, 429: RATE_LIMITED}
_NEVER_ASKED = ("ConnectError", "ConnectTimeout")
_CUT = ("RemoteProtocolError", "ReadError")


@contextmanager
def as_chat_errors(provider: str) -> Iterator[None]:
    """Makes a ChatError of what the SDK raises, and of a timeout of ours."""
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise _of_status(error, provider) from error
    except (openai.APITimeoutError, TimeoutError) as error:
        raise answer_error("did not answer in time", TIMEOUT, provider) from error
    except openai.APIConnectionError as error:
        raise _of_connection(error, provider) from error
    except openai.APIError as error:  # an event of a stream that is an error
        raise error_inside(error.body or error.message, provider) from error
    except (openai.OpenAIError, ValueError, TypeError) as error:
        raise answer_error(f"could not be asked, or its answer not be read: {error}", INVALID, provider) from error


def seconds_asked(headers: Mapping[str, str]) -> float | None:
    """The seconds that a provider asks to wait, by its header Retry-After (seconds or a date) or retry-after-ms."""
    try:
        if "retry-after-ms" in headers:
            return max(float(headers["retry-after-ms"]) / 1000, 0.0)
        return max(float(headers["retry-after"]), 0.0)
    except KeyError:
        return None
    except ValueError:
        return _seconds_until(headers.get("retry-after", ""))


def _seconds_until(date: str) -> float | None:
    try:
        return max(parsedate_to_datetime(date).timestamp() - time.time(), 0.0)
    except ValueError:
        return None


def _of_status(error: "openai.APIStatusError", provider: str) -> ChatError:
    status = error.status_code
    kind = _KINDS.get(status, UNAVAILABLE if status >= 500 else INVALID)
    if getattr(error, "code", None) == "insufficient_quota":  # a 429 that says what a 503 does: not here, not now
        kind = UNAVAILABLE
    return answer_error(
        f"answered {status}: {error.message}",
        kind,
        provider,
        status=status,
        free=True,
        retry_after_seconds=seconds_asked(error.response.headers),
    )


def _of_connection(error: "openai.APIConnectionError", provider: str) -> ChatError:
    cause = error.__cause__
    if type(cause).__name__ in _NEVER_ASKED:
        return answer_error(f"cannot be reached: {cause}", UNAVAILABLE, provider, free=True)
    if type(cause).__name__ in _CUT:
        return answer_error(f"cut its answer short: {cause}", CUT, provider)
    return answer_error(f"cannot be reached: {cause or error}", UNAVAILABLE, provider)
