"""Which ChatModel a provider pin stands for. The environment says where a provider answers, and nothing else does.

`extractive` needs nothing. Any other provider NAME speaks OpenAI's protocol at NAME_BASE_URL with NAME_API_KEY, in
capitals: OPENAI_BASE_URL and OPENAI_API_KEY for `openai`, which without a base URL is OpenAI itself.
"""

import os
import re
import time
from collections.abc import Callable, Mapping

from ops_pipelines.adapters.openai_chat import Endpoint, OpenAIChat
from ops_pipelines.adapters.retrying_chat import RetryingChat
from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops import extractive
from ops_pipelines.llmops.chat_model import ChatModel, ChatRequest, Completion
from ops_pipelines.llmops.extractive import ExtractiveReader
from ops_pipelines.llmops.provider_pin import ProviderPin, check_answer
from ops_pipelines.llmops.retry_budget import RetryBudget

OPENAI = "openai"
MODEL = "OPENAI_MODEL"
"""The variable that names the model of `default_pin`."""


class PinnedReader:
    """The offline reader behind a pin: an answer of another version of the reader is refused or reported, as of any model."""

    def __init__(self, pin: ProviderPin) -> None:
        self._pin, self._reader = pin, ExtractiveReader(seconds=time.perf_counter)

    @property
    def provider(self) -> str:
        """`extractive`."""
        return self._pin.provider

    async def complete(self, request: ChatRequest) -> Completion:
        """The reader's answer; ChatError as the reader's and the pin's."""
        return check_answer(self._pin, await self._reader.complete(request))


def chat_model_of(
    pin: ProviderPin,
    *,
    environ: Mapping[str, str] | None = None,
    budget: RetryBudget | None = None,
    attempt_seconds: float = 60.0,
    stream: bool = False,
    paid: Callable[[ChatModel], ChatModel] = lambda chat: chat,
) -> ChatModel:
    """The ChatModel that answers as a pin says; ConfigError where the environment does not say where it is.

    `paid` wraps what makes one attempt, for instance in a MeteredChat, so that each attempt is reserved and written down.
    """
    chat = paid(attempt_model_of(pin, environ=environ, attempt_seconds=attempt_seconds, stream=stream))
    return chat if pin.provider == extractive.PROVIDER else RetryingChat(chat, budget)


def attempt_model_of(
    pin: ProviderPin,
    *,
    environ: Mapping[str, str] | None = None,
    attempt_seconds: float = 60.0,
    stream: bool = False,
) -> ChatModel:
    """The ChatModel that makes one attempt as a pin says; ConfigError as above. It may be shared, and keeps connections."""
    if pin.provider == extractive.PROVIDER:
        return PinnedReader(pin)
    return OpenAIChat(pin, endpoint_of(pin, environ, attempt_seconds=attempt_seconds, stream=stream))


def endpoint_of(
    pin: ProviderPin,
    environ: Mapping[str, str] | None = None,
    *,
    attempt_seconds: float = 60.0,
    stream: bool = False,
) -> Endpoint:
    """Where the environment says that a pin's provider answers; ConfigError where it says nothing."""
    url, key = _found(pin.provider, os.environ if environ is None else environ)
    return Endpoint(url, key, attempt_seconds, stream)


def default_pin(environ: Mapping[str, str] | None = None, *, ask: bool = False) -> ProviderPin:
    """The pin of a project that names no provider: the offline reader, or OPENAI_MODEL where a provider is configured.

    Without a model's name, `ask` asks the server at OPENAI_BASE_URL, and takes the one that it has where it has but one.
    ConfigError where a provider is configured and no model is known.
    """
    found = os.environ if environ is None else environ
    if not (found.get("OPENAI_BASE_URL") or found.get("OPENAI_API_KEY")):
        return ProviderPin(extractive.PROVIDER, extractive.MODEL)
    name = found.get(MODEL) or (_only_model(found) if ask else None)
    if not name:
        raise ConfigError(
            "A provider is configured by OPENAI_BASE_URL or OPENAI_API_KEY, and no model",
            expected=f"{MODEL} beside them",
            action=f"Name one, for instance {MODEL}=gpt-4o-mini-2024-07-18; or unset both to answer offline",
        )
    return ProviderPin(OPENAI, name)


def _only_model(environ: Mapping[str, str]) -> str | None:
    """The model of a server that lists exactly one; None for any other, and for one that cannot be asked."""
    import json
    import urllib.request

    url, key = environ.get("OPENAI_BASE_URL"), environ.get("OPENAI_API_KEY")
    if not url or not url.startswith(("http://", "https://")):
        return None
    request = urllib.request.Request(f"{url.rstrip('/')}/models", headers={"Authorization": f"Bearer {key or 'none'}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            names = [str(model["id"]) for model in json.load(answer)["data"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return names[0] if len(names) == 1 else None


def _found(provider: str, environ: Mapping[str, str]) -> tuple[str | None, str]:
    name = re.sub(r"\W", "_", provider).upper()
    url, key = environ.get(f"{name}_BASE_URL"), environ.get(f"{name}_API_KEY", "")
    if url or (provider == OPENAI and key):
        return url, key
    raise ConfigError(
        f"Nothing says where the provider {provider!r} answers",
        expected=f"{name}_BASE_URL, with {name}_API_KEY where it wants a key",
        action=f"Set them, or pin the provider {extractive.PROVIDER!r} to answer offline",
        provider=provider,
    )
