"""A recipe made ready to answer: its snapshot opened, its guardrails armed, and its providers at hand.

Opening costs seconds and is done once in a process; whoever asks then gets an Answerer of their own, whose calls are paid on
their behalf. The circuits of providers are shared by all of them.
"""

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from ops_pipelines.adapters.chat_models import attempt_model_of
from ops_pipelines.adapters.corpora import Corpora
from ops_pipelines.adapters.genai_prices import GenAIPrices
from ops_pipelines.adapters.guard_checks import guards_code, guards_of
from ops_pipelines.adapters.platform import Platform
from ops_pipelines.adapters.recipes import retriever_of
from ops_pipelines.adapters.retrying_chat import RetryingChat
from ops_pipelines.core.clock import Window
from ops_pipelines.core.release import Release
from ops_pipelines.llmops.answer_log import answer_id
from ops_pipelines.llmops.answering import Answering, Asked
from ops_pipelines.llmops.budget import Budget, Caller
from ops_pipelines.llmops.call_log import Call, CallLog
from ops_pipelines.llmops.chat_model import ChatModel, ChatRequest
from ops_pipelines.llmops.circuit_breaker import CircuitBreaker
from ops_pipelines.llmops.fallback import Choice, FallbackChat
from ops_pipelines.llmops.guardrail import Guards, Unguarded
from ops_pipelines.llmops.metered_chat import Ledger, MeteredChat
from ops_pipelines.llmops.passages import Passage
from ops_pipelines.llmops.recipe import Recipe, read_recipe
from ops_pipelines.llmops.retrieval import Retriever
from ops_pipelines.llmops.retry_budget import RetryBudget


@dataclass(frozen=True, slots=True)
class Opened:
    """A recipe that is ready to answer; `id` is the digest of its release."""

    id: str
    recipe: Recipe
    guards: Guards
    retriever: Retriever | None
    providers: tuple[tuple[ChatModel, str, CircuitBreaker], ...]
    retries: RetryBudget = field(default_factory=RetryBudget)

    def answerer(self, system: str, ledger: Ledger, caller: Caller, asked_at: datetime | None = None) -> Answering:
        """Who answers on behalf of a caller, each attempt paid by the ledger.

        Answers are named by the instant of their question, where that is known: by its day they are found again.
        """
        return Answering(
            id=self.id,
            recipe=self.recipe,
            guards=self.guards,
            ask=partial(self._ask, ledger, caller),
            new_id=lambda: answer_id(system, self.id, asked_at or ledger.now(), uuid.uuid4().hex),
            look_up=self.look_up,
            guarded_by=guards_code(),
        )

    async def _ask(self, ledger: Ledger, caller: Caller, request: ChatRequest) -> Asked:
        noted = Noted(ledger.log)
        paid = replace(ledger, log=noted)
        choices = [
            Choice(RetryingChat(MeteredChat(chat, paid, caller), self.retries), model, breaker)
            for chat, model, breaker in self.providers
        ]
        choice, completion = await FallbackChat(choices, ledger.now).answered(request)
        return Asked(completion, choice.chat.provider, noted.usd, noted.ids)

    def look_up(self, question: str) -> Sequence[Passage]:
        """The passages that are found for a question, the best first; none where nothing is looked up."""
        if self.retriever is None or self.recipe.found is None:
            return ()
        found = self.retriever.retrieve(question, self.recipe.found.retrieval.k)
        return tuple(Passage(one.chunk.document, str(one.chunk.position), one.chunk.text) for one in found)


class Noted:
    """A CallLog that remembers what was kept for one request."""

    def __init__(self, log: CallLog) -> None:
        self._log = log
        self.kept: list[Call] = []

    @property
    def usd(self) -> Decimal | None:
        """What all attempts cost; None where that of one is not known."""
        costs = [call.usd for call in self.kept]
        return None if None in costs else sum((cost for cost in costs if cost), Decimal(0))

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(call.id for call in self.kept)

    def keep(self, calls: Sequence[Call]) -> None:
        self.kept.extend(calls)
        self._log.keep(calls)

    def calls(self, window: Window, system: str | None = None) -> Iterator[Call]:
        return self._log.calls(window, system)

    def find(self, id: str) -> Call | None:
        return self._log.find(id)

    def forget(self, ids: Collection[str]) -> int:
        return self._log.forget(ids)


def open_recipe(recipe: Recipe, release: str, corpora: Corpora, *, environ: Mapping[str, str] | None = None) -> Opened:
    """A recipe ready to answer as a release.

    Raises ConfigError where nothing says where a provider answers, DataError where the snapshot was never taken here, and
    EmbeddingPinMismatch where the embedder is not the one that filled it.
    """
    return Opened(
        id=release,
        recipe=recipe,
        guards=guards_of(recipe.policy) if recipe.policy else Unguarded(),
        retriever=retriever_of(corpora, recipe.found) if recipe.found else None,
        providers=tuple(
            (attempt_model_of(pin, environ=environ), pin.model, CircuitBreaker()) for pin in recipe.providers
        ),
    )


def recipe_of(platform: Platform, release: Release) -> Recipe:
    """The recipe of a release, from the bytes that are kept; ArtefactError for a part that is not."""
    return read_recipe(release.manifest, platform.objects.get)


def ledger_of(
    platform: Platform, recipe: Recipe, *, budgets: Sequence[Budget] = (), alert: Callable[[str], None] = lambda _: None
) -> Ledger:
    """Where calls of a recipe are paid and written down, within some budgets."""
    return Ledger(
        prices=GenAIPrices(recipe.declared_prices()),
        log=platform.calls,
        store=platform.budgets,
        now=platform.clock.wall,
        new_id=lambda: uuid.uuid4().hex,
        budgets=budgets,
        alert=alert,
    )
