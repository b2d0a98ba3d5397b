"""A ChatModel of several: whoever stands first and is not at rest answers.

A provider's failure goes on to the next one and counts against its circuit. A request that is itself at fault (invalid,
refused) goes no further: asking elsewhere until somebody says yes would be a way around a refusal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from ops_pipelines.core.errors import ConfigError
from ops_pipelines.llmops.chat_model import (
    PASSING,
    UNAVAILABLE,
    WRONG_MODEL,
    ChatError,
    ChatModel,
    ChatRequest,
    Completion,
)
from ops_pipelines.llmops.circuit_breaker import CircuitBreaker

FALLS_BACK = PASSING | {WRONG_MODEL}
"""The kinds of failure after which another provider is asked."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A ChatModel, the model that it is asked for, and its circuit."""

    chat: ChatModel
    model: str
    breaker: CircuitBreaker


class FallbackChat:
    """The ChatModel of some choices in their order. `now` is the wall clock, by which circuits rest.

    Requests name the first choice's model; the others are asked for their own. An answer names the model that gave it,
    and `answered` tells whose it is.
    """

    def __init__(self, choices: Sequence[Choice], now: Callable[[], datetime]) -> None:
        if not choices:
            raise ConfigError("A fallback has no choice", expected="at least one provider", action="Name one")
        self.choices, self._now = tuple(choices), now

    @property
    def provider(self) -> str:
        """The first choice's provider."""
        return self.choices[0].chat.provider

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer of the first choice that answers; ChatError (unavailable) that names each one's failure for none."""
        return (await self.answered(request))[1]

    async def answered(self, request: ChatRequest) -> tuple[Choice, Completion]:
        """The answer with the choice that gave it; ChatError as `complete`."""
        failures: list[str] = []
        for choice in self.choices:
            if not choice.breaker.admit(self._now()):
                failures.append(f"{choice.chat.provider} is at rest after it failed")
                continue
            try:
                return choice, await self._asked(choice, request)
            except ChatError as error:
                if error.kind not in FALLS_BACK:
                    raise
                failures.append(f"{choice.chat.provider}: {error.wrong}")
        raise ChatError(
            f"No provider answered ({'; '.join(failures)})",
            expected="an answer of one of them",
            action="Ask again later, or add a provider that does not depend on these",
            kind=UNAVAILABLE,
            provider=self.provider,
            failures=failures,
        )

    async def _asked(self, choice: Choice, request: ChatRequest) -> Completion:
        """One choice's answer, told to its circuit; a caller who gives up, or a request at fault, is no failure of it."""
        is_first = request.model == self.choices[0].model
        try:
            answer = await choice.chat.complete(replace(request, model=choice.model) if is_first else request)
        except ChatError as error:
            choice.breaker.tell(error.kind not in FALLS_BACK, self._now())
            raise
        choice.breaker.tell(True, self._now())
        return answer
