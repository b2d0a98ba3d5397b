"""When a model may be trained again by itself, and what it may cost."""

from dataclasses import dataclass

from ops_pipelines.core.errors import check_settings

_WHOLE = ("flagged", "of", "quiet", "max_age_weeks", "budget_runs", "budget_weeks", "patience_weeks")


@dataclass(frozen=True, slots=True)
class RetrainingRule:
    """When an episode opens and closes, and how often it may train.

    `flagged` of the last `of` weeks open an episode; `quiet` weeks in a row close it. After a training run the next waits
    `cooldown_weeks`. A release that was not challenged for `max_age_weeks` is. No more than `budget_runs` runs are
    launched within `budget_weeks`, and none that is expected to take more than `budget_cpu_seconds` in all within them;
    without that setting they may cost what they like. A request that is not decided after `patience_weeks` is told of,
    and nobody waits for it any more. `price_per_cpu_hour_usd` is for the ledger. ConfigError for numbers that cannot be
    meant.
    """

    flagged: int = 2
    of: int = 3
    quiet: int = 3
    cooldown_weeks: int = 4
    max_age_weeks: int = 13
    budget_runs: int = 6
    budget_weeks: int = 26
    budget_cpu_seconds: float | None = None
    price_per_cpu_hour_usd: float | None = None
    patience_weeks: int = 1

    def __post_init__(self) -> None:
        cpu, price = self.budget_cpu_seconds, self.price_per_cpu_hour_usd
        check_settings(self, "retraining", **{name: (getattr(self, name) >= 1, "at least 1") for name in _WHOLE})
        check_settings(
            self,
            "retraining",
            cooldown_weeks=(self.cooldown_weeks >= 0, "at least 0"),
            budget_cpu_seconds=(cpu is None or cpu > 0, "more than 0, or nothing for no such budget"),
            price_per_cpu_hour_usd=(price is None or price >= 0, "at least 0, or nothing where it is not known"),
            flagged=(self.flagged <= self.of, f"at most the {self.of} of `of`"),
        )
