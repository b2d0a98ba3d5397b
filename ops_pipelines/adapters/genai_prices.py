"""The price list of the package genai-prices, whose version the lock pins; the network is never asked for newer ones."""

from datetime import datetime
from decimal import Decimal

from ops_pipelines.llmops.chat_model import Usage
from ops_pipelines.llmops.cost import DeclaredPrices


class GenAIPrices:
    """A PriceList: what was declared, and for the rest what genai-prices knows of a provider's own model.

    A provider of another name than the package has (a server of one's own, a proxy) has no price there, even where its
    model has a well-known name: it may ask for anything. Declare it.
    """

    def __init__(self, declared: DeclaredPrices | None = None) -> None:
        self._declared = declared or DeclaredPrices()

    def usd(self, provider: str, model: str, usage: Usage, at: datetime) -> Decimal | None:
        """The price at an instant; None for a provider or a model that is in neither list."""
        declared = self._declared.usd(provider, model, usage, at)
        if declared is not None:
            return declared
        import genai_prices

        tokens = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        try:
            found = genai_prices.calc_price(tokens, model, provider_id=provider, genai_request_timestamp=at)
        except LookupError:
            return None
        return found.total_price
