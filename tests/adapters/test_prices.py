from decimal import Decimal

import pytest

from ops_pipelines.adapters.genai_prices import GenAIPrices
from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import DeclaredPrices, Price
from ops_pipelines.testing.prices import NOON, PriceListConformance

DECLARED = DeclaredPrices({("lab", "small-1"): Price(Decimal("0.5"), Decimal("1.5"))})


class TestDeclaredPrices(PriceListConformance):
    provider, model = "lab", "small-1"

    @pytest.fixture
    def prices(self) -> DeclaredPrices:
        return DECLARED


class TestGenAIPrices(PriceListConformance):
    provider, model = "openai", "gpt-4o-mini"

    @pytest.fixture
    def prices(self) -> GenAIPrices:
        return GenAIPrices()


def test_what_was_declared_goes_before_what_the_package_knows():
    declared = DeclaredPrices({("openai", "gpt-4o-mini"): Price(Decimal(1), Decimal(1))})
    assert GenAIPrices(declared).usd("openai", "gpt-4o-mini", Usage(10**6, 0), NOON) == 1


def test_a_known_model_at_a_server_of_ones_own_has_no_price():
    assert GenAIPrices(DECLARED).usd("lab", "gpt-4o-mini", Usage(1, 1), NOON) is None
