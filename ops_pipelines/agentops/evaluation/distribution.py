"""How a quantity is spread over runs: its median, its ninth decile, its largest value, with what is not known kept apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Any

Amount = int | Decimal


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values that occurred, each at least as large as half of all, as 90%, and as all of them.

    `unknown` runs have no value. Where theirs could change one of the three, that one is None.
    """

    runs: int
    unknown: int
    median: Amount | None
    p90: Amount | None
    most: Amount | None

    def to_json(self) -> dict[str, Any]:
        """The distribution as plain JSON; dollars are texts."""
        told = {name: getattr(self, name) for name in ("median", "p90", "most")}
        shown = {name: f"{value:f}" if isinstance(value, Decimal) else value for name, value in told.items()}
        return {"runs": self.runs, "unknown": self.unknown, **shown}


def distribution_of(values: Sequence[Amount | None]) -> Distribution:
    """How values are spread, None being one that nobody knows; all None for no value.

    >>> distribution_of([3, 1, None, 2, 2]).median
    2
    >>> distribution_of([3, 1, None, 2, 2]).most is None
    True
    """
    known = sorted(value for value in values if value is not None)
    unknown = len(values) - len(known)
    median, p90, most = (_quantile(known, unknown, share) for share in (50, 90, 100))
    return Distribution(len(values), unknown, median, p90, most)


def _quantile(known: Sequence[Amount], unknown: int, percent: int) -> Amount | None:
    """The value at a rank, if it is the same whether all that is unknown lies below or above what is known."""
    rank = ceil(percent * (len(known) + unknown) / 100)
    if not known or rank > len(known) or rank - unknown < 1:
        return None
    low, high = known[rank - 1 - unknown], known[rank - 1]
    return high if low == high else None
