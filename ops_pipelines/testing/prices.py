"""The conformance suite of `llmops.cost.PriceList`; `llmops.cost.DeclaredPrices` is its fake.

A team that writes a price list of its own subclasses the suite, names a model that it has a price for, and gives it a
fixture named `prices`.
"""

from datetime import UTC, datetime

from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import NOMINAL, PriceList

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)


class PriceListConformance:
    """What every PriceList guarantees, as tests of the fixture `prices`."""

    provider, model = "", ""

    def test_tokens_of_both_kinds_cost_and_none_cost_nothing(self, prices: PriceList) -> None:
        found = [
            prices.usd(self.provider, self.model, Usage(*tokens), NOON) for tokens in ((0, 0), (1000, 0), (1000, 1000))
        ]
        assert None not in found
        assert found == sorted(set(found), key=lambda usd: usd or 0)
        assert found[0] == 0

    def test_a_price_that_nobody_knows_is_unknown_and_not_nothing(self, prices: PriceList) -> None:
        unknown = [("nobody", self.model), (self.provider, "nonesuch-9"), ("", "")]
        assert [prices.usd(*who, Usage(1000, 1000), NOON) for who in unknown] == [None, None, None]

    def test_the_offline_reader_asks_for_its_nominal_price(self, prices: PriceList) -> None:
        assert prices.usd("extractive", "extractive-1", Usage(500_000, 500_000), NOON) == NOMINAL.input
