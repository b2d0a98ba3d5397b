"""A ChatModel whose every call is paid for: reserved in its caller's budgets, settled by what it took, and written down.

A call that failed may have cost something all the same: an answer that was cut had its tokens. Where nobody can say,
all that was reserved counts as spent. A process that is killed within a call settles nothing, and its reservation
counts until it expires.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ops_pipelines.core.verdict import Blocked, Verdict, reasons_of
from ops_pipelines.llmops.budget import Budget, BudgetSpent, BudgetStore, Caller, accounts_of
from ops_pipelines.llmops.call_log import ABANDONED, ANSWERED, Call, CallLog
from ops_pipelines.llmops.chat_model import ChatError, ChatModel, ChatRequest, Completion
from ops_pipelines.llmops.cost import PriceList, most_usage, nanos

HOLD = timedelta(minutes=15)
"""How long a reservation counts that nobody settles: longer than any call takes."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """Where calls are paid and written down. `now` is the wall clock, `new_id` makes an id for each call, and `alert` is
    told what a budget says when its alert is reached.
    """

    prices: PriceList
    log: CallLog
    store: BudgetStore
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    budgets: Sequence[Budget] = ()
    alert: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class MeteredChat:
    """A ChatModel on behalf of a caller. `facts` are kept with each of its calls; see `Call`."""

    chat: ChatModel
    ledger: Ledger
    caller: Caller
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def provider(self) -> str:
        """That of the ChatModel that is paid for."""
        return self.chat.provider

    async def complete(self, request: ChatRequest) -> Completion:
        """The answer, paid for; BudgetSpent, before anything is asked, where a budget has too little left."""
        return (await self.called(request))[1]

    async def called(self, request: ChatRequest) -> tuple[str, Completion]:
        """The answer with the id under which the call is kept; errors as `complete`."""
        id, began = self.ledger.new_id(), self.ledger.now()
        await asyncio.to_thread(self._reserve, id, request, began)
        try:
            answer = await self.chat.complete(request)
        except BaseException as error:
            # Not awaited: a caller who gives up would give this up, too.
            self._settle(id, self._failed(id, request, began, error))
            raise
        await asyncio.to_thread(self._settle, id, self._answered(id, request, began, answer))
        return id, answer

    def _reserve(self, id: str, request: ChatRequest, at: datetime) -> None:
        accounts = accounts_of(self.ledger.budgets, self.caller, at)
        if not accounts:
            return
        most = self.ledger.prices.usd(self.provider, request.model, most_usage(request), at)
        if most is None:
            raise _spent(self.caller, Blocked((f"the price of {request.model!r} at {self.provider!r} is unknown",)))
        found = self.ledger.store.reserve(id, accounts, nanos(most), at=at, until=at + HOLD)
        if isinstance(found, Blocked):
            raise _spent(self.caller, found)
        for alert in found.evidence.get("alerts", ()):
            self.ledger.alert(alert)

    def _settle(self, id: str, call: Call) -> None:
        amount = None if call.usd is None else nanos(call.usd)
        self.ledger.store.settle(id, amount, at=self.ledger.now())
        self.ledger.log.keep([call])

    def _answered(self, id: str, request: ChatRequest, began: datetime, answer: Completion) -> Call:
        usd = self.ledger.prices.usd(self.provider, answer.model or request.model, answer.usage, began)
        return self._call(
            id,
            request,
            began,
            outcome=ANSWERED,
            answered_by=answer.model,
            usage=answer.usage,
            usd=usd,
            latency_ms=answer.latency_ms,
            finish=answer.finish,
            text=answer.text,
        )

    def _failed(self, id: str, request: ChatRequest, began: datetime, error: BaseException) -> Call:
        kind = error.kind if isinstance(error, ChatError) else ABANDONED
        waited = (self.ledger.now() - began) / timedelta(milliseconds=1)
        usd = Decimal(0) if isinstance(error, ChatError) and error.is_free else None
        return self._call(id, request, began, outcome=kind, answered_by="", usage=None, usd=usd, latency_ms=waited)

    def _call(self, id: str, request: ChatRequest, began: datetime, **what: Any) -> Call:
        return Call(
            id=id,
            caller=self.caller,
            provider=self.provider,
            model=request.model,
            request=request.digest,
            called_at=began,
            facts=self.facts,
            **what,
        )


def _spent(caller: Caller, verdict: Verdict) -> BudgetSpent:
    who = f"tenant {caller.tenant!r}, feature {caller.feature!r}, system {caller.system!r}"
    return BudgetSpent(
        f"A call was not made ({who}): {'; '.join(reasons_of(verdict))}",
        expected="a price that is known, and enough left of every budget for the most that the call can cost",
        action="Wait for the next window, raise the budget, limit the answer with max_tokens, or declare the price",
        tenant=caller.tenant,
        feature=caller.feature,
        release=caller.release,
        reasons=list(reasons_of(verdict)),
    )
