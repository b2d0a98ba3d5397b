"""A ChatModel that asks again: within a budget of attempts and time, and only where the same request may be answered."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import replace

from ops_pipelines.llmops.chat_model import TIMEOUT, ChatError, ChatModel, ChatRequest, Completion
from ops_pipelines.llmops.retry_budget import RetryBudget


class RetryingChat:
    """The ChatModel that asks another one as often as a budget allows; `chance` draws a number from 0 to 1 for each wait.

    Each attempt is a call of its own to the ChatModel inside: where that one is metered, each is reserved and paid for.
    """

    def __init__(
        self, chat: ChatModel, budget: RetryBudget | None = None, *, chance: Callable[[], float] = random.random
    ) -> None:
        self.chat, self.budget, self._chance = chat, budget or RetryBudget(), chance

    @property
    def provider(self) -> str:
        """That of the ChatModel that is asked."""
        return self.chat.provider

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer, its latency over all attempts; for none the last attempt's ChatError, which counts the `attempts`."""
        began, attempt, free = time.perf_counter(), 0, True
        while True:
            attempt += 1
            try:
                answer = await self._attempt(request, self.budget.seconds - (time.perf_counter() - began))
            except ChatError as error:
                free = free and error.is_free
                error.facts.update(attempts=attempt, free=free)
                wait = self._wait_after(error, attempt, time.perf_counter() - began)
                if wait is None:
                    raise
                await asyncio.sleep(wait)
            else:
                return replace(answer, latency_ms=(time.perf_counter() - began) * 1000) if attempt > 1 else answer

    async def _attempt(self, request: ChatRequest, seconds: float) -> Completion:
        try:
            async with asyncio.timeout(seconds):
                return await self.chat.complete(request)
        except TimeoutError as error:
            raise ChatError(
                f"The provider {self.provider!r} did not answer within {self.budget.seconds:g} s, all attempts together",
                expected="an answer within the budget of retries",
                action="Ask again later, raise `seconds`, or let the release fall back to another provider",
                kind=TIMEOUT,
                provider=self.provider,
            ) from error

    def _wait_after(self, error: ChatError, attempt: int, spent: float) -> float | None:
        if not error.is_passing:
            return None
        asked = error.facts.get("retry_after_seconds")
        floor = asked if isinstance(asked, float) else None
        return self.budget.wait_after(attempt, spent_seconds=spent, chance=self._chance(), asked_seconds=floor)
