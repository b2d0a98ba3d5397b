"""One variable takes a project to a provider: the whole way over real HTTP, paid from a budget on the disk."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path

import pytest

from ops_pipelines.adapters.chat_models import chat_model_of, default_pin
from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.core.clock import Window
from ops_pipelines.llmops.budget import Budget, BudgetSpent, Caller
from ops_pipelines.llmops.call_log import ANSWERED
from ops_pipelines.llmops.chat_model import ChatModel
from ops_pipelines.llmops.circuit_breaker import CircuitBreaker
from ops_pipelines.llmops.cost import DeclaredPrices, Price, most_usage
from ops_pipelines.llmops.extractive import MODEL
from ops_pipelines.llmops.fallback import Choice, FallbackChat
from ops_pipelines.llmops.metered_chat import Ledger, MeteredChat
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.llmops.retry_budget import RetryBudget
from ops_pipelines.testing.chat_model import question
from ops_pipelines.testing.provider import Provider, provider_running
from ops_pipelines.testing.provider_script import CUT, STATUS, Fault, ProviderScript, Stage

ACME = Caller("answers", "r1", "console", "acme")
NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = Window(NOON, NOON + timedelta(days=1))
PRICES = DeclaredPrices({("openai", "desk-1"): Price(Decimal(1), Decimal(4))})
REQUEST = question("desk-1", max_tokens=40)
MOST = PRICES.usd("openai", "desk-1", most_usage(REQUEST), NOON)
WEEKLY = Budget("weekly", MOST * 7, window=timedelta(days=7), per=("tenant",))


@pytest.fixture(scope="module")
def provider():
    with provider_running() as running:
        yield running


def book_of(folder: Path, *budgets: Budget) -> Ledger:
    ids = count()
    stores = SQLiteCallLog(folder / "log" / "calls.db"), SQLiteBudgetStore(folder / "log" / "budgets.db")
    return Ledger(PRICES, *stores, lambda: NOON, lambda: f"call-{next(ids)}", budgets)


def paid(provider: Provider, book: Ledger, attempts: int = 1) -> ChatModel:
    environ = {"OPENAI_BASE_URL": provider.base_url, "OPENAI_MODEL": "desk-1"}
    budget = RetryBudget(attempts, first_wait_seconds=0)
    return chat_model_of(
        default_pin(environ), environ=environ, budget=budget, paid=lambda chat: MeteredChat(chat, book, ACME)
    )


def test_fifty_callers_over_http_never_take_a_tenant_past_its_budget(provider, tmp_path):
    provider.begin(ProviderScript(stages=(Stage(latency_ms=50, tokens_factor=2),)))
    book = book_of(tmp_path, WEEKLY)
    chat = paid(provider, book)

    async def all_at_once() -> list[object]:
        return await asyncio.gather(*(chat.complete(REQUEST) for _ in range(50)), return_exceptions=True)

    refused = [found for found in asyncio.run(all_at_once()) if isinstance(found, BudgetSpent)]
    calls = list(book.log.calls(DAY))
    assert (len(refused) + len(calls), provider.count()) == (50, len(calls))
    assert len(calls) >= 7
    assert sum(call.usd for call in calls) <= WEEKLY.limit_usd


def test_a_provider_that_is_down_is_left_alone_and_the_reader_answers(provider, tmp_path):
    provider.begin(ProviderScript(faults=(Fault(STATUS, status=503, times=99),)))
    book = book_of(tmp_path, WEEKLY)
    first = paid(provider, book)
    reader = MeteredChat(chat_model_of(ProviderPin("extractive", MODEL)), book, ACME)
    chat = FallbackChat(
        [Choice(first, "desk-1", CircuitBreaker()), Choice(reader, MODEL, CircuitBreaker())], lambda: NOON
    )
    answers = [asyncio.run(chat.complete(REQUEST)) for _ in range(8)]
    assert {answer.model for answer in answers} == {MODEL}
    assert "colour1" in answers[-1].text
    assert provider.count() == 5
    outcomes = [(call.provider, call.outcome) for call in book.log.calls(DAY)]
    assert outcomes.count(("openai", "unavailable")) == 5
    assert outcomes.count(("extractive", ANSWERED)) == 8


def test_each_attempt_is_reserved_and_one_that_was_cut_counts_as_all_that_was_reserved(provider, tmp_path):
    provider.begin(ProviderScript(faults=(Fault(CUT, times=99),)))
    book = book_of(tmp_path, replace(WEEKLY, limit_usd=MOST * 2))
    with pytest.raises(BudgetSpent):
        asyncio.run(paid(provider, book, attempts=9).complete(REQUEST))
    assert provider.count() == 2
    assert [(call.outcome, call.usd) for call in book.log.calls(DAY)] == [("cut", None)] * 2
