"""What an answer cost. A price that nobody knows is unknown, and never nothing.

Money is exact: a Decimal of US dollars in values, whole billionths of a dollar where it is stored and summed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from ops_pipelines.llmops import extractive
from ops_pipelines.llmops.chat_model import ChatRequest, Usage
from ops_pipelines.llmops.tokens import most_input_tokens

NANOS = 10**9
"""Billionths of a dollar in one: a token of a cheap model costs twenty of them."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")
"""The parameters by which a request bounds its answer."""
ASSUMED_OUTPUT_TOKENS = 4096
"""How long an answer is taken to be at most where its request sets no limit: an assumption, and no bound."""


class PriceList(Protocol):
    """What providers ask for."""

    def usd(self, provider: str, model: str, usage: Usage, at: datetime) -> Decimal | None:
        """What some tokens of a model cost at an instant; None where the price is unknown."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens that go in, and for a million that come out."""

    input: Decimal
    output: Decimal

    def usd(self, usage: Usage) -> Decimal:
        """What some tokens cost.

        >>> Price(Decimal("0.15"), Decimal("0.60")).usd(Usage(1_000_000, 500_000))
        Decimal('0.45')
        """
        return (self.input * usage.input_tokens + self.output * usage.output_tokens) / 1_000_000


NOMINAL = Price(Decimal("0.01"), Decimal("0.01"))
"""What the offline reader declares that it asks for, so that budgets and comparisons have something to count."""


class DeclaredPrices:
    """The PriceList of prices that somebody declared, by provider and model; the reader's nominal one is among them."""

    def __init__(self, prices: Mapping[tuple[str, str], Price] | None = None) -> None:
        self._prices = {(extractive.PROVIDER, extractive.MODEL): NOMINAL, **(prices or {})}

    def usd(self, provider: str, model: str, usage: Usage, at: datetime) -> Decimal | None:  # noqa: ARG002
        """The declared price, the same at all times; None where none was declared."""
        price = self._prices.get((provider, model))
        return price.usd(usage) if price else None


def most_usage(request: ChatRequest) -> Usage:
    """The most tokens that a request can take, its answer included: what has to be reserved before it is asked.

    It is a bound where the request limits its answer (`max_completion_tokens` or `max_tokens`) and the provider's tokens
    hold at least a byte each; without a limit the answer is assumed to have at most ASSUMED_OUTPUT_TOKENS.
    """
    limits = [request.parameters[name] for name in OUTPUT_LIMITS if request.parameters.get(name)]
    return Usage(most_input_tokens(request), int(max(limits, default=ASSUMED_OUTPUT_TOKENS)), is_estimate=True)


def nanos(usd: Decimal) -> int:
    """Dollars as whole billionths, rounded up.

    >>> nanos(Decimal("0.0000000201"))
    21
    """
    return int((usd * NANOS).to_integral_value(ROUND_CEILING))


def from_nanos(count: int) -> Decimal:
    """Whole billionths as dollars."""
    return Decimal(count) / NANOS
