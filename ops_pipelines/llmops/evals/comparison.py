"""What a comparison of two runs asks, and what it found, as values."""

from dataclasses import dataclass
from typing import Any

from ops_pipelines.core.errors import check_settings
from ops_pipelines.llmops.paired import Effect


@dataclass(frozen=True, slots=True)
class CompareRule:
    """What a comparison asks. `margin` is how much worse is not worse, on the scale of the score.

    `effect` is the difference that would matter: the power that is stated is for it. `power` is what a comparison should
    have. ConfigError for numbers that cannot be meant.
    """

    margin: float = 0.05
    effect: float = 0.1
    confidence: float = 0.95
    power: float = 0.8

    def __post_init__(self) -> None:
        check_settings(
            self,
            "compare",
            margin=(self.margin >= 0, "a difference of the score, 0 or more"),
            effect=(self.effect > 0, "a difference of the score, above 0"),
            confidence=(0.5 < self.confidence < 1, "more than 0.5 and less than 1"),
            power=(0.5 <= self.power < 1, "at least 0.5 and less than 1"),
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger against champion on the cases that both have; `effect` and all that follows from it is None without any.

    `lower_bound` is one-sided; `detectable` the smallest true difference that a direction is named for with the rule's power;
    `power` the chance to name one for the rule's effect. `moves` holds what moved, the worst first. `one_sided` and `failed`
    are cases that cannot be compared.
    """

    challenger: float | None
    champion: float | None
    effect: Effect | None
    interval: tuple[float, float] | None = None
    lower_bound: float | None = None
    detectable: float | None = None
    power: float | None = None
    moves: tuple[tuple[str, float], ...] = ()
    one_sided: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def is_identical(self) -> bool:
        """Whether every case that both have scores the same."""
        return self.effect is not None and not self.moves

    def to_json(self) -> dict[str, Any]:
        """The comparison as plain JSON, with the ten cases that moved most to the worse and to the better."""
        shown = self.moves if len(self.moves) <= 20 else (*self.moves[:10], *self.moves[-10:])
        return {
            **{name: getattr(self, name) for name in ("challenger", "champion", "lower_bound", "detectable", "power")},
            "effect": self.effect.to_json() if self.effect else None,
            "interval": list(self.interval) if self.interval else None,
            "moved": len(self.moves),
            "moves": [list(move) for move in shown],
            "one_sided": list(self.one_sided),
            "failed": list(self.failed),
        }
