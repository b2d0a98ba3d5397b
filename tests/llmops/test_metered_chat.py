import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from ops_pipelines.core.clock import Window
from ops_pipelines.llmops.budget import Budget, BudgetSpent, Caller
from ops_pipelines.llmops.call_log import ABANDONED, ANSWERED, Call
from ops_pipelines.llmops.chat_model import ChatError, ChatModel, Usage
from ops_pipelines.llmops.circuit_breaker import CircuitBreaker
from ops_pipelines.llmops.cost import DeclaredPrices, Price, most_usage
from ops_pipelines.llmops.fallback import Choice, FallbackChat
from ops_pipelines.llmops.metered_chat import Ledger, MeteredChat
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.budget_store import MemoryBudgetStore
from ops_pipelines.testing.call_log import MemoryCallLog
from ops_pipelines.testing.chat_model import ScriptedChat, question
from ops_pipelines.testing.provider_script import CUT, STATUS, Fault, ProviderScript, Reply, Stage

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
DAY = Window(NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))
DOLLAR_A_TOKEN = Price(Decimal(1_000_000), Decimal(1_000_000))
PRICES = DeclaredPrices({("openai", "desk-1"): DOLLAR_A_TOKEN, ("lab", "small-1"): DOLLAR_A_TOKEN})
REQUEST = question("desk-1", max_tokens=20)
MOST = most_usage(REQUEST).input_tokens + 20
"""What the request costs at most, in dollars."""
DAILY = Budget("daily", Decimal(MOST), per=("tenant",))


def ledger(*budgets: Budget, prices: DeclaredPrices = PRICES, alert: Callable[[str], None] = print) -> Ledger:
    ids = count()
    return Ledger(
        prices, MemoryCallLog(), MemoryBudgetStore(), lambda: NOON, lambda: str(next(ids)), budgets, alert=alert
    )


def metered(book: Ledger, *faults: Fault, tenant: str = "acme", chat: ChatModel | None = None) -> MeteredChat:
    script = ProviderScript(faults=faults)
    answering = chat or ScriptedChat(ProviderPin("openai", "desk-1"), script)
    return MeteredChat(answering, book, Caller("answers", "r1", "console", tenant), {"question": "which colour?"})


def calls(book: Ledger) -> list[Call]:
    return list(book.log.calls(DAY))


def spent(book: Ledger, tenant: str = "acme") -> int:
    account = DAILY.account(Caller("answers", "r1", "console", tenant), NOON)
    return book.store.spent(account, NOON).total // 10**9


def test_an_answer_is_written_down_with_who_asked_what_it_took_and_what_it_cost():
    book = ledger()
    kept_as, answer = asyncio.run(metered(book).called(REQUEST))
    (call,) = calls(book)
    assert (call.id, call.text, call.outcome, call.request) == (kept_as, answer.text, ANSWERED, REQUEST.digest)
    assert (call.caller.tenant, call.facts) == ("acme", {"question": "which colour?"})
    assert call.usd == answer.usage.input_tokens + answer.usage.output_tokens


def test_what_it_cost_is_booked_and_the_rest_of_the_reservation_is_free():
    book = ledger(DAILY)
    answer = asyncio.run(metered(book).complete(REQUEST))
    assert spent(book) == answer.usage.input_tokens + answer.usage.output_tokens < MOST


def test_a_call_that_a_budget_has_too_little_for_is_not_made():
    book = ledger(Budget("daily", Decimal(MOST - 1), per=("tenant",)))
    chat = metered(book)
    with pytest.raises(BudgetSpent, match=r"daily\[tenant=acme\]"):
        asyncio.run(chat.complete(REQUEST))
    assert (chat.chat.requests, calls(book)) == ([], [])


def test_an_unknown_price_is_not_nothing():
    with pytest.raises(BudgetSpent, match="price of 'desk-1' at 'openai' is unknown"):
        asyncio.run(metered(ledger(DAILY, prices=DeclaredPrices())).complete(REQUEST))


def test_without_a_budget_an_unknown_price_is_written_down_as_unknown():
    book = ledger(prices=DeclaredPrices())
    asyncio.run(metered(book).complete(REQUEST))
    assert calls(book)[0].usd is None


def test_an_answer_that_was_cut_counts_as_all_that_was_reserved():
    book = ledger(DAILY)
    with pytest.raises(ChatError):
        asyncio.run(metered(book, Fault(CUT)).complete(REQUEST))
    assert (spent(book), calls(book)[0].outcome, calls(book)[0].usd) == (MOST, "cut", None)


def test_a_caller_who_gives_up_has_spent_what_was_reserved():
    class Slow(ScriptedChat):
        async def complete(self, request):
            await asyncio.sleep(60)
            raise AssertionError

    async def give_up() -> None:
        async with asyncio.timeout(0.05):
            await metered(book, chat=Slow(ProviderPin("openai", "desk-1"))).complete(REQUEST)

    book = ledger(DAILY)
    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert (spent(book), calls(book)[0].outcome) == (MOST, ABANDONED)


def test_fifty_callers_at_once_never_take_a_tenant_past_its_budget_and_leave_the_others_alone():
    dear = ScriptedChat(
        ProviderPin("openai", "desk-1"), ProviderScript(stages=(Stage(replies=(Reply("door", "x", 20),)),))
    )
    book = ledger(Budget("daily", Decimal(MOST * 7), per=("tenant",)))

    async def ask(tenant: str) -> bool:
        try:
            await metered(book, tenant=tenant, chat=dear).complete(REQUEST)
        except BudgetSpent:
            return False
        return True

    async def all_at_once() -> list[bool]:
        return await asyncio.gather(*(ask("acme") for _ in range(50)), ask("other"))

    answered = asyncio.run(all_at_once())
    assert 7 <= sum(answered[:-1]) < 50
    assert answered[-1]
    assert spent(book) <= MOST * 7


def test_people_are_told_when_a_budget_nears_its_end():
    told: list[str] = []
    asyncio.run(metered(ledger(DAILY, alert=told.append)).complete(REQUEST))
    assert told == [f"the budget daily[tenant=acme] of ${MOST} is spent or reserved to 100%"]


def test_each_provider_of_a_fallback_is_paid_and_written_down_by_itself():
    book = ledger(DAILY, Budget("all", Decimal(10 * MOST)))
    first = metered(book, Fault(STATUS, status=503))
    second = metered(book, chat=ScriptedChat(ProviderPin("lab", "small-1")))
    choices = [Choice(chat, chat.chat.pin.model, CircuitBreaker()) for chat in (first, second)]
    asyncio.run(FallbackChat(choices, lambda: NOON).complete(REQUEST))
    failed, answered = calls(book)
    assert (failed.provider, failed.outcome, failed.usd) == ("openai", "unavailable", 0)
    assert (answered.provider, answered.outcome, answered.answered_by) == ("lab", ANSWERED, "small-1")


def test_what_a_request_takes_at_most_is_no_less_than_what_it_takes():
    usage = asyncio.run(ScriptedChat(ProviderPin("openai", "desk-1")).complete(REQUEST)).usage
    most = most_usage(REQUEST)
    assert most == Usage(most.input_tokens, 20, is_estimate=True)
    assert (usage.input_tokens <= most.input_tokens, usage.output_tokens <= 20) == (True, True)
