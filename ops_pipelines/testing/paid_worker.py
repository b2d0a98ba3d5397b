"""A process that asks a model at once for several callers of one tenant, each call paid from a budget on the disk.

    python -m ops_pipelines.testing.paid_worker HOME NAME CALLERS [never answers]

It says `ready`, waits for a line, asks, and prints how many calls were made. One that never answers says `ready` once each
of its calls is reserved.
"""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from pathlib import Path

from ops_pipelines.adapters.sqlite_budget import SQLiteBudgetStore
from ops_pipelines.adapters.sqlite_calls import SQLiteCallLog
from ops_pipelines.llmops.budget import Budget, BudgetSpent, Caller
from ops_pipelines.llmops.chat_model import ChatRequest, Completion
from ops_pipelines.llmops.cost import DeclaredPrices, Price, from_nanos, most_usage, nanos
from ops_pipelines.llmops.metered_chat import Ledger, MeteredChat
from ops_pipelines.llmops.provider_pin import ProviderPin
from ops_pipelines.testing.chat_model import ScriptedChat, question
from ops_pipelines.testing.provider_script import ProviderScript

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
CALLER = Caller("answers", "r1", "console", "acme")
PIN = ProviderPin("openai", "desk-1")
PRICES = DeclaredPrices({("openai", "desk-1"): Price(Decimal(1), Decimal(4))})
REQUEST = question("desk-1", max_tokens=20)
MOST = nanos(PRICES.usd("openai", "desk-1", most_usage(REQUEST), NOON) or Decimal(0))
"""What one call costs at most, in billionths of a dollar."""
BUDGET = Budget("daily", from_nanos(7 * MOST), per=("tenant",))


class Silent(ScriptedChat):
    """A model that is asked and never answers; it tells when so many were."""

    def __init__(self, callers: int) -> None:
        super().__init__(PIN, ProviderScript())
        self._waiting, self._callers = 0, callers

    async def complete(self, request: ChatRequest) -> Completion:
        self._waiting += 1
        if self._waiting == self._callers:
            say("ready")
        await asyncio.sleep(60)
        return await super().complete(request)


def say(line: str) -> None:
    """Writes a line for whoever started the process."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def all_at_once(chat: MeteredChat, callers: int) -> int:
    """How many calls were made."""
    found = await asyncio.gather(*(chat.complete(REQUEST) for _ in range(callers)), return_exceptions=True)
    return sum(not isinstance(one, BudgetSpent) for one in found)


def main(home: Path, name: str, callers: int, *, silent: bool) -> None:
    """Asks, and prints how many calls were made."""
    home.mkdir(exist_ok=True)
    ids = count()
    stores = SQLiteCallLog(home / "log" / "calls.db"), SQLiteBudgetStore(home / "log" / "budgets.db")
    book = Ledger(PRICES, *stores, lambda: NOON, lambda: f"{name}-{next(ids)}", [BUDGET])
    model = Silent(callers) if silent else ScriptedChat(PIN, ProviderScript())
    if not silent:
        say("ready")
        sys.stdin.readline()
    say(str(asyncio.run(all_at_once(MeteredChat(model, book, CALLER), callers))))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), silent=len(sys.argv) > 4)
